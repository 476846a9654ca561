# Linux for other processors: the emulator, and compilers of x86-64 that run at full speed in a chroot
# of that processor. Sourced after common.bash by scripts that set `emulator` (empty: none).

TOOLS=$ROOT/build/prove/x86-tools # a chroot of x86-64 that the targets share
# Left out where an emulator or an unusual machine runs the tests: stress and timing; what builds
# packages or checks the checkout, which this machine does; the official suite, which cargo fetches.
MOST_TESTS="--ignore=tests/stress --ignore=tests/perf --ignore=tests/packaging --ignore=tests/typing
  --ignore=tests/project --ignore=tests/spec"

use_emulator() {
  register_emulator "$emulator"
  export BINDS="$TOOLS/usr:x86/usr"
}

emulator_version() { "qemu-$emulator-static" --version | awk 'NR == 1 { print $3 }' | sed 's/(.*//'; }

# Puts the compilers for TRIPLET into the chroot: links into /x86/usr, which is the /usr of TOOLS.
cross_compiler() { # TRIPLET
  local tool
  if [ ! -e "$TOOLS/usr/bin/aarch64-linux-gnu-gcc" ]; then
    (CHROOT=$TOOLS && make_chroot "$SUITE" amd64 gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-riscv64-linux-gnu)
  fi
  mkdir -p "$CHROOT/usr/lib64" "$CHROOT/x86/usr"
  [ -e "$CHROOT/lib64" ] || ln -s usr/lib64 "$CHROOT/lib64"
  ln -sfn /x86/usr/lib64/ld-linux-x86-64.so.2 "$CHROOT/usr/lib64/ld-linux-x86-64.so.2"
  ln -sfn /x86/usr/lib/x86_64-linux-gnu "$CHROOT/usr/lib/x86_64-linux-gnu"
  ln -sfn "/x86/usr/$1" "$CHROOT/usr/$1"
  for tool in gcc ar ranlib nm ld as strip objcopy readelf; do
    ln -sfn "/x86/usr/bin/$1-$tool" "$CHROOT/usr/local/bin/$tool"
    ln -sfn "/x86/usr/bin/$1-$tool" "$CHROOT/usr/local/bin/$1-$tool"
  done
  ln -sfn gcc "$CHROOT/usr/local/bin/cc"
}
