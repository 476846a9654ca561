#!/usr/bin/env bash
# Windows x86-64: cross-compiled by zig, and run by the CPython for Windows in Wine, which Debian has.
# windows-aarch64 is only compiled and linked: Wine for x86-64 runs no programs for arm64.
# test_windows_arm64.py reads what came out.
#
# Wine is not Windows: it has no links, junctions and consoles, other short names, other timers and
# another heap. The CPython is that of the wheel of panda3d, and its library that of python3.12.
source "$(dirname "$0")/common.bash" "$1"
VERSION=3.12
MOST=6000000000 # bytes of memory for all processes of Wine, where this machine has cgroups
case $TARGET in
  windows-x86_64) cross=x86_64-windows machine=i386:x86-64 ;;
  windows-aarch64) cross=aarch64-windows machine=arm64 ;;
  *) echo "$0 has no target $TARGET" >&2; exit 2 ;;
esac
export WINEPREFIX=$WORK/prefix WINEDEBUG=${WINEDEBUG:--all} DISPLAY=
python=$WORK/python

# The standard library and the headers are those of a python3.12 of this machine.
find_library() {
  local one
  for one in "$(command -v python$VERSION || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$VERSION".*/bin/python3; do
    [ -x "$one" ] && "$one" -c "import sysconfig; print(sysconfig.get_path('$1'))" 2>/dev/null && return
  done
  echo "python$VERSION: neither in PATH nor in pyenv" >&2
  return 1
}

install_tools() {
  rm -rf "$WORK/venv" && python3 -m venv "$WORK/venv"
  "$WORK/venv/bin/pip" install --quiet --upgrade pip
  "$WORK/venv/bin/pip" install --quiet ziglang cmake ninja simde-py cffi pycparser setuptools wheel abi3info pefile pytest
}

zig() { "$WORK/venv/bin/python" -m ziglang "$@"; }

make_python() {
  local here=$PROVE/windows
  rm -rf "$python" "$WORK/packages" && mkdir -p "$python/DLLs" "$WORK/packages"
  "$WORK/venv/bin/pip" download --quiet --no-deps --only-binary :all: --platform win_amd64 \
    --python-version $VERSION --implementation cp -d "$WORK/packages" panda3d
  # Wine's own C library, and no _wmi, in which Wine dies.
  unzip -qjo "$WORK"/packages/panda3d-*.whl 'deploy_libs/*' -x '*/api-ms-win-crt-*' '*/_wmi.pyd' -d "$python"
  rm "$WORK"/packages/panda3d-*.whl
  mv "$python"/*.pyd "$python/DLLs/"
  cp -r "$(find_library stdlib)" "$python/Lib"
  rm -rf "$python"/Lib/{site-packages,test,lib-dynload,ensurepip,idlelib,tkinter,config-*}
  mkdir -p "$python/Lib/site-packages"
  zig cc -target x86_64-windows-gnu -municode -O1 "$here/launcher.c" -o "$python/python.exe"
  "$WORK/venv/bin/python" "$here/stable_abi.py" "$WORK/python3.def" "$python/python312.dll"
  echo 'int DllMainCRTStartup(void *a, unsigned b, void *c) { return 1; }' >"$WORK/empty.c"
  zig cc -target x86_64-windows-gnu -shared -nostdlib "$WORK/empty.c" "$WORK/python3.def" -o "$python/python3.dll"
  zig cc -target x86_64-windows-gnu -shared -O1 "$here/process_prng.c" -ladvapi32 -o "$python/bcryptprimitives.dll"
  rm -f "$python"/*.lib "$python"/*.pdb
}

# What the module is linked with, in place of python3.dll.
make_import_library() {
  "$WORK/venv/bin/python" "$PROVE/windows/stable_abi.py" "$WORK/import.def"
  zig dlltool -m "$machine" -d "$WORK/import.def" -l "$WORK/libpython3.a"
}

make_prefix() {
  rm -rf "$WINEPREFIX"
  timeout 900 wine wineboot -i
  wine "$python/python.exe" -c 'import sys, ctypes, asyncio; print(sys.version)' </dev/null 2>&1 | cat
}

install_extras() {
  local pip=("$WORK/venv/bin/pip" install --quiet --no-compile --target "$python/Lib/site-packages" --upgrade
    --only-binary :all: --platform win_amd64 --python-version $VERSION --implementation cp
    --abi cp312 --abi abi3 --abi none) requirement
  make -C "$ROOT" -s .venv/.dev
  "$ROOT/.venv/bin/python" "$PROVE/extras.py" "$ROOT/pyproject.toml" run test python javascript >"$WORK/extras.txt"
  "${pip[@]}" pip pytest cffi colorama
  : >"$WORK/not-installed.txt"
  while read -r requirement; do
    "${pip[@]}" "$requirement" </dev/null || echo "$requirement" >>"$WORK/not-installed.txt"
  done <"$WORK/extras.txt"
  cat "$WORK/not-installed.txt"
}

build_wheel() {
  make_sdist
  [ "$SOURCE_CHANGED" = 0 ] && ls "$WORK"/wheels/*.whl && return
  rm -rf "$WORK/wheels" && mkdir -p "$WORK/wheels/linux"
  # Its Python files and metadata are taken; what it has compiled is there already (make_sdist).
  (cd "$ROOT" && .venv/bin/python -m build --wheel --no-isolation --outdir "$WORK/wheels/linux" .)
  PATH=$WORK/venv/bin:$PATH WAMR_CROSS=$cross "$WORK/venv/bin/python" "$PROVE/windows/build.py" "$WORK/source" \
    "$(find_library include)" "$WORK/libpython3.a" "$WORK"/wheels/linux/*.whl "$WORK/wheels/linux"
  mv "$WORK"/wheels/linux/*-win_*.whl "$WORK/wheels" # now it is complete
  rm -rf "$WORK/wheels/linux"
}

install_wheel() {
  rm -rf "$python"/Lib/site-packages/wamr*
  unzip -qo "$WORK"/wheels/*.whl -d "$python/Lib/site-packages"
}

# A limit of the address space would not do: each linear memory reserves 4 GiB, and Wine keeps tables
# for what is reserved.
limit_memory() {
  local group=/sys/fs/cgroup/memory/wamr-prove-wine
  if mkdir -p "$group" 2>/dev/null && echo $MOST >"$group/memory.limit_in_bytes" 2>/dev/null; then
    echo "$BASHPID" >"$group/cgroup.procs"
  else
    say "no memory cgroup: Wine's memory is not limited"
  fi
  echo 900 >/proc/self/oom_score_adj || true
}

# The official suite is fetched and converted on this machine, which has cargo.
copy_spec() {
  [[ ${TESTS:-} == *tests/spec* ]] || return 0
  (cd "$ROOT" && .venv/bin/python -m pytest -q -n0 --collect-only tests/spec >"$WORK/logs/spec.log")
  mkdir -p "$WORK/tree/build"
  rsync --archive --delete "$ROOT/build/spec/" "$WORK/tree/build/spec/"
}

run_tests() {
  copy_tests
  copy_spec
  record "$WORK"/wheels/*.whl
  cd "$WORK/tree"
  # stdout must be a pipe: Wine gives no handle for a file that is open for writing only.
  in_wine() { (limit_memory && exec nice -n 5 wine "$python/python.exe" "$@") </dev/null 2>&1 | cat; }
  PROVE_MACHINE="Windows x86_64, $(wine --version)" PROVE_COMPILER="zig $(zig version)" \
    PROVE_EMULATED=wine PYTHONPATH="Z:${PROVE//\//\\}" PYTHONDONTWRITEBYTECODE=1 \
    RECORD_IN="Z:$WORK" run_suite in_wine -X faulthandler -m pytest -q -n0 --tb=short \
    --deselect tests/unit/test_no_room.py ${TESTS:-tests/unit tests/capi tests/wasi tests/sandbox tests/numeric tests/patches}
}

read_wheel() {
  copy_tests
  record "$WORK"/wheels/*.whl
  cd "$WORK/tree"
  PROVE_MACHINE="Windows arm64, compiled and linked on Linux, not run" PROVE_COMPILER="zig $(zig version)" \
    PROVE_LIBC="Universal CRT" PROVE_WORK=$WORK PYTHONPATH=$PROVE \
    run_suite "$WORK/venv/bin/python" -m pytest -q --noconftest -c /dev/null --rootdir=. tools/prove/test_windows_arm64.py
}

need rsync unzip
step tools install_tools
step import-library make_import_library
if [ "$TARGET" = windows-aarch64 ]; then
  always wheel build_wheel
  read_wheel
  exit
fi
need wine wine64
step python make_python
step prefix make_prefix
step extras install_extras
always wheel build_wheel
always install install_wheel
run_tests
