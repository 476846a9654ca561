#!/usr/bin/env bash
# Linux on other processors: Debian 13 in a chroot, its programs run by qemu-user, its Python 3.13.
# The compiler in it is a cross compiler of x86-64, which runs at full speed; CMake and pip see the
# emulated machine. i686 needs no emulator.
source "$(dirname "$0")/common.bash" "$1"
source "$PROVE/emulated.bash"
SUITE=trixie
case $TARGET in
  linux-aarch64) debian=arm64 cpu=aarch64 triplet=aarch64-linux-gnu emulator=aarch64 ;;
  linux-armv7l) debian=armhf cpu=armv7l triplet=arm-linux-gnueabihf emulator=arm ;;
  linux-riscv64) debian=riscv64 cpu=riscv64 triplet=riscv64-linux-gnu emulator=riscv64 ;;
  linux-i686) debian=i386 cpu=i686 triplet=i386-linux-gnu emulator= SETARCH="setarch i686" ;;
  *) echo "$0 has no target $TARGET" >&2; exit 2 ;;
esac

# Debian's packages where PyPI has none for each processor.
packages=(python3 python3-venv python3-dev python3-cffi python3-numpy python3-greenlet python3-uvloop)
packages+=(python3-setuptools python3-wheel python3-pycparser python3-hypothesis cmake ninja-build make git)

set_up() {
  if [ -z "$emulator" ]; then
    make_chroot $SUITE $debian "${packages[@]}" gcc libc6-dev
    ln -sf gcc "$CHROOT/usr/bin/cc"
  else
    make_chroot $SUITE $debian "${packages[@]}" libc6-dev
    cross_compiler $triplet
  fi
  # Debian chooses BLAS by a script of the package.
  local library
  for library in blas lapack; do
    ln -sf "$library/lib$library.so.3" "$CHROOT/usr/lib/$triplet/lib$library.so.3"
  done
}

install_extras() {
  [ -e "$ROOT/.venv/.dev" ] || make -C "$ROOT" -s .venv/.dev
  rm -rf "$WORK/venv"
  inside python3 -m venv --without-pip --system-site-packages /work/venv
  needed_extras | install_foreign 3.13 "manylinux_2_28_$cpu" "manylinux_2_17_$cpu" "manylinux2014_$cpu" \
    "manylinux_2_31_$cpu" "manylinux_2_39_$cpu" any
  inside /work/venv/bin/python -c 'import wasmtime' || install_parser
}

build_wheel() {
  inside /bin/sh -c 'cd /work/source && /work/venv/bin/python setup.py -q bdist_wheel -d /work/wheels'
}

run_tests() {
  copy_tests
  always precompile precompile 3.13
  record "$WORK"/wheels/*.whl
  RECORD_IN=/work run_suite with_wat_server limited inside \
    PROVE_MACHINE="Debian 13 $debian${emulator:+, qemu-$emulator $(emulator_version)}" \
    PROVE_COMPILER="$(inside gcc --version | head -n 1)" PROVE_EMULATED="$emulator" \
    PYTHONPATH=/work/tree/tools/prove WAMR_WAT_SOCKET=/work/wat.socket \
    PYTHONPYCACHEPREFIX=/work/pycache WAMR_SRC=/work/source/wamr-src WAMR_SPEC=/work/spec \
    /bin/sh -c 'cd /work/tree && exec /work/venv/bin/python -m pytest "$@"' sh \
    -q -n "${PROCESSES:-2}" --tb=short --seconds=3000 ${emulator:+--hypothesis-profile=few} \
    ${TESTS:-$MOST_TESTS}
}

need mmdebstrap rsync
[ -z "$emulator" ] || use_emulator
step set-up set_up
step extras install_extras
step spec spec_suite
always wheel build_and_install build_wheel install_built
run_tests
