#!/usr/bin/env bash
# CPython on this machine's Linux x86-64, the whole suite, with one wheel for all versions: it is built
# by the oldest of them, in build/prove/abi3 (by the target switch in abi3-switch). cpython-3.X takes
# python3.X of PATH or of pyenv; 3.14 is otherwise put into WORK from Debian's suite sid.
source "$(dirname "$0")/common.bash" "$1"
version=${TARGET#cpython-}
[ "$version" = "$TARGET" ] && version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ABI3=$ROOT/build/prove/abi3${WAMR_LABELS:+-switch}

get_python() {
  if [ "$version" != 3.14 ]; then
    say "Python $version is neither in PATH nor in pyenv"
    return 1
  fi
  need mmdebstrap patchelf
  "$ROOT/.ci/sid-python" 3.14 "$WORK/python"
}

oldest_python() {
  local one
  for one in 3.10 3.11 3.12 3.13 "$version"; do find_python $one && return; done
  echo "$python"
}

build_wheel() {
  [ -e "$WORK/venv" ] || "$(oldest_python)" -m venv "$WORK/venv"
  "$WORK/venv/bin/pip" wheel --quiet --no-deps --wheel-dir "$WORK/wheels" "$WORK/source"
}

build_shared() {
  local WORK=$ABI3
  mkdir -p "$WORK/done" "$WORK/logs"
  build_and_install build_wheel true
}

install_extras() {
  local pip="$WORK/venv/bin/pip"
  rm -rf "$WORK/venv" && "$python" -m venv "$WORK/venv"
  $pip install --quiet --upgrade pip
  "$WORK/venv/bin/python" "$PROVE/extras.py" "$ROOT/pyproject.toml" run test demo >"$WORK/extras.txt"
  $pip install --quiet -r "$WORK/extras.txt" 'setuptools>=77' pycparser
  (cd "$ROOT" && $pip install --quiet --no-deps --ignore-requires-python --group programs)
}

install_wheel() {
  "$WORK/venv/bin/pip" install --quiet --no-deps --force-reinstall "$ABI3"/wheels/*.whl
}

run_tests() {
  copy_tests
  record "$ABI3"/wheels/*.whl
  cd "$WORK/tree"
  PROVE_COMPILER=$(cc --version | head -n 1) WAMR_TESTS=complete PYTHONPATH=$PROVE \
    WAMR_SRC=$ABI3/source/wamr-src \
    PROVE_MACHINE="Linux x86_64, $(. /etc/os-release && echo "$PRETTY_NAME")" \
    run_suite "$WORK/venv/bin/python" -m pytest -q -n "${PROCESSES:-2}" --tb=short ${TESTS:-}
}

need rsync
python=$(find_python "$version") || { step python get_python; python=$WORK/python/bin/python$version; }
always wheel build_shared
step extras install_extras
always install install_wheel
run_tests
