#!/usr/bin/env bash
# CPython built against musl, from Debian's source package, in a chroot with musl-gcc. Its threads have
# 1 MiB of stack, as in the usual images with musl. zlib and libffi are built with it, too. It has no
# ssl, so packages are downloaded by this machine's pip, for musllinux.
source "$(dirname "$0")/common.bash" "$1"
source "$PROVE/emulated.bash"
SUITE=trixie VERSION=3.13
case $TARGET in
  musl-x86_64) debian=amd64 cpu=x86_64 emulator= ;;
  musl-aarch64) debian=arm64 cpu=aarch64 emulator=aarch64 ;;
  *) echo "$0 has no target $TARGET" >&2; exit 2 ;;
esac

set_up() {
  if [ -z "$emulator" ]; then
    make_chroot $SUITE $debian musl-dev musl-tools cmake ninja-build make gcc libc6-dev
    ln -sf gcc "$CHROOT/usr/bin/cc"
  else
    make_chroot $SUITE $debian musl-dev musl-tools cmake ninja-build make libc6-dev
    cross_compiler "$cpu-linux-gnu"
  fi
  # configure asks the compiler for Debian's name of the platform.
  printf '#!/bin/sh\n[ "$1" = --print-multiarch ] && echo %s-linux-musl && exit\nREALGCC=gcc exec musl-gcc "$@"\n' \
    $cpu >"$CHROOT/usr/local/bin/musl-cc"
  chmod +x "$CHROOT/usr/local/bin/musl-cc"
  # musl has no headers of the kernel.
  local kernel=$CHROOT/usr/local/include/kernel
  mkdir -p "$kernel"
  ln -sfn /usr/include/linux "$kernel/linux"
  ln -sfn /usr/include/asm-generic "$kernel/asm-generic"
  ln -sfn "/usr/include/$cpu-linux-gnu/asm" "$kernel/asm"
}

in_source() { # FOLDER COMMAND
  inside CC=musl-cc CFLAGS="-O2 -fPIC -I/work/python/include -idirafter /usr/local/include/kernel" \
    LDFLAGS=-L/work/python/lib PKG_CONFIG=false /bin/sh -c "cd /work/sources/$1 && $2"
}

build_zlib() {
  debian_source zlib $SUITE sid bookworm
  in_source zlib './configure --prefix=/work/python --static && make -s -j2 install'
}

build_libffi() {
  debian_source libffi $SUITE sid bookworm
  need autoconf automake libtool libltdl-dev # Debian's package has no configure
  (cd "$WORK/sources/libffi" && autoreconf -fi)
  in_source libffi "./configure --host=$cpu-linux-musl --prefix=/work/python --disable-shared --disable-docs &&
    make -s -j2 install"
}

build_python() {
  debian_source python$VERSION $SUITE sid bookworm
  in_source python$VERSION "CFLAGS=\"\$CFLAGS -DTHREAD_STACK_SIZE=0x100000\" ./configure --prefix=/work/python \
    --without-ensurepip --disable-test-modules LIBFFI_CFLAGS=-I/work/python/include \
    LIBFFI_LIBS='-L/work/python/lib -lffi' && make -s -j2 && make -s install"
  inside /work/python/bin/python3 -c 'import ctypes, zlib, asyncio; print(ctypes.CDLL(None))'
}

install_extras() {
  [ -e "$ROOT/.venv/.dev" ] || make -C "$ROOT" -s .venv/.dev
  rm -rf "$WORK/venv"
  inside /work/python/bin/python3 -m venv --without-pip /work/venv
  needed_extras | install_foreign $VERSION "musllinux_1_2_$cpu" "musllinux_1_1_$cpu" any
  inside /work/venv/bin/python -c 'import wasmtime' || install_parser # its engine needs Alpine's libgcc
}

build_wheel() {
  inside CC=musl-cc /bin/sh -c 'cd /work/source && /work/venv/bin/python setup.py -q bdist_wheel -d /work/wheels'
}

run_tests() {
  copy_tests
  always precompile precompile $VERSION
  record "$WORK"/wheels/*.whl
  RECORD_IN=/work run_suite with_wat_server limited inside \
    PROVE_MACHINE="Linux $cpu${emulator:+, qemu-$emulator $(emulator_version)}" PROVE_EMULATED="$emulator" \
    PROVE_LIBC="$(inside /bin/sh -c "/lib/ld-musl-$cpu.so.1 2>&1" | awk '/Version/ { print "musl", $2 }')" \
    PROVE_COMPILER="$(inside gcc --version | head -n 1)" CC=musl-cc \
    PYTHONPATH=/work/tree/tools/prove WAMR_WAT_SOCKET=/work/wat.socket \
    PYTHONPYCACHEPREFIX=/work/pycache WAMR_SRC=/work/source/wamr-src WAMR_SPEC=/work/spec \
    /bin/sh -c 'cd /work/tree && exec /work/venv/bin/python -m pytest "$@"' sh \
    -q -n "${PROCESSES:-2}" --tb=short --seconds=3000 ${emulator:+--hypothesis-profile=few} ${TESTS:-$MOST_TESTS}
}

need mmdebstrap rsync
[ -z "$emulator" ] || use_emulator
step set-up set_up
step zlib build_zlib
step libffi build_libffi
step python build_python
step extras install_extras
step spec spec_suite
always wheel build_and_install build_wheel install_built
run_tests
