#!/usr/bin/env bash
# macOS, arm64 and x86-64: wheels made by setup.py as on macOS, with clang and the headers of zig and
# the linker of LLVM, against the names that zig's copy of libSystem.tbd lists. Nothing can be run here:
# test_macos.py reads what came out. The suite itself runs on GitHub's runners (.github/workflows/ci.yml).
source "$(dirname "$0")/common.bash" "$1"

install_tools() {
  rm -rf "$WORK/venv" && python3 -m venv "$WORK/venv"
  "$WORK/venv/bin/pip" install --quiet ziglang abi3info 'setuptools>=77' 'cffi>=1.17' 'pycparser>=2.22' 'simde-py<0.9' pytest
}

# What of an SDK of macOS the build needs: zig's headers, and its list of libSystem's symbols. The
# linker does not know the newest variants of arm64, whose lines are left out or taken for arm64's.
make_sdk() {
  local zig name
  zig=$(echo "$WORK"/venv/lib/python3*/site-packages/ziglang)
  rm -rf "$WORK/sdk" && mkdir -p "$WORK/sdk/usr/lib" "$WORK/sdk/more/sys"
  ln -s "$zig/lib/libc/include/any-darwin-any" "$WORK/sdk/usr/include"
  ln -s "$zig/lib/include" "$WORK/sdk/clang"
  for name in System m pthread; do # on macOS, too, the last two are other names of the first
    perl -0pe 's/,\s*arm64e?\.x1-\w+//g; s/arm64e?\.x1-\w+,\s*//g; s/arm64e-/arm64-/g' \
      "$zig/lib/libc/darwin/libSystem.tbd" >"$WORK/sdk/usr/lib/lib$name.tbd"
  done
  echo '/* struct timeb and ftime(), which WAMR includes and never uses, and zig leaves out. */' >"$WORK/sdk/more/sys/timeb.h"
  cat >"$WORK/cc" <<END
#!/bin/sh
exec "$zig/zig" clang -target "\$MACOS_ARCH-apple-macos11" -isysroot "$WORK/sdk" -mlinker-version=609 \\
  -fuse-ld=lld --ld-path="$(command -v ld64.lld ld64.lld-14 | head -n 1)" -Qunused-arguments \\
  -Werror=unguarded-availability "\$@" -isystem "$WORK/sdk/clang" -idirafter "$WORK/sdk/more"
END
  chmod +x "$WORK/cc"
  printf 'set(CMAKE_%s)\n' "SYSTEM_NAME Darwin" "C_COMPILER \"$WORK/cc\"" "OSX_SYSROOT \"$WORK/sdk\"" \
    "AR $(command -v llvm-ar)" "RANLIB $(command -v llvm-ranlib)" \
    "INSTALL_NAME_TOOL /bin/true" >"$WORK/toolchain.cmake"
}

build_wheels() {
  local arch
  rm -rf "$WORK"/source/build/macosx* # so that the logs have all warnings
  for arch in arm64 x86_64; do
    say "for $arch …"
    (cd "$WORK/source" && WAMR_VERBOSE=1 PROVE_WORK=$WORK \
      "$WORK/venv/bin/python" "$PROVE/macos_build.py" $arch "$WORK/wheels") >"$WORK/logs/build-$arch.log" 2>&1 ||
      { grep -E 'error|warning' "$WORK/logs/build-$arch.log" >&2; return 1; }
  done
}

run_tests() {
  copy_tests
  record "$(ls "$WORK"/wheels/*arm64.whl)"
  cd "$WORK/tree"
  PROVE_COMPILER="zig $("$WORK/venv/bin/python" -m ziglang version), ld64.lld" PROVE_WORK=$WORK PYTHONPATH=$PROVE \
    PROVE_MACHINE="macOS 11 arm64 and x86_64, compiled and linked on Linux, not run" PROVE_LIBC=libSystem \
    run_suite "$WORK/venv/bin/python" -m pytest -q --noconftest -c /dev/null --rootdir=. tools/prove/test_macos.py
}

need lld llvm cmake ninja-build rsync perl
step tools install_tools
step sdk make_sdk
always wheel build_and_install build_wheels true
run_tests
