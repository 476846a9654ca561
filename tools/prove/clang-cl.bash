#!/usr/bin/env bash
# Our C, and WAMR's files that patches change, compiled for Windows x86-64 and arm64 as clang-cl does it:
# clang for the target windows-msvc, where __GNUC__ is not defined and _MSC_VER is. Microsoft's headers
# can't be had here; MinGW's stand in for them (msvc_prelude.h). The objects are not linked.
source "$(dirname "$0")/common.bash" "$1"

install_tools() {
  rm -rf "$WORK/venv" && python3 -m venv "$WORK/venv"
  "$WORK/venv/bin/pip" install --quiet ziglang pytest
}

run_tests() {
  make -C "$ROOT" -s .venv/.dev >&2 # the patched tree, and the definitions of CMake
  rm -rf "$WORK/objects" && mkdir -p "$WORK/objects"
  PROVE_COMPILER="clang of zig $("$WORK/venv/bin/python" -m ziglang version)" PROVE_WORK=$WORK PYTHONPATH=$PROVE \
    PROVE_MACHINE="Windows x86-64 and arm64, compiled on Linux, not run" PROVE_LIBC="UCRT's headers of MinGW" \
    "$@"
}

check() {
  touch "$WORK/none.whl" # there is no wheel
  record "$WORK/none.whl"
  run_suite "$WORK/venv/bin/python" -m pytest -q --noconftest -c /dev/null --rootdir=. tools/prove/test_clang_cl.py
}

step tools install_tools
cd "$ROOT"
run_tests check
