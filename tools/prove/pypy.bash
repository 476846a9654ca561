#!/usr/bin/env bash
# PyPy 3.11 of Debian 13, in a chroot: the wheel is built there from the sdist, and the whole suite but
# stress and timing runs.
source "$(dirname "$0")/common.bash" "$1"
source "$PROVE/emulated.bash"
SUITE=trixie

set_up() {
  make_chroot $SUITE amd64 pypy3 pypy3-dev pypy3-venv gcc g++ libc6-dev cmake ninja-build make git
  ln -sf gcc "$CHROOT/usr/bin/cc"
}

# The extras one by one: those that have no package for PyPy are left out, and their tests are skipped
# by name. cffi and greenlet are PyPy's own.
install_extras() {
  inside pypy3 -m venv /work/venv
  cp "$PROVE/extras.py" "$ROOT/pyproject.toml" "$WORK/"
  inside /work/venv/bin/python /work/extras.py /work/pyproject.toml run test demo >"$WORK/extras.txt"
  local requirement
  : >"$WORK/not-installed.txt"
  while read -r requirement; do
    case $requirement in hypothesis*) requirement='hypothesis<6.140' ;; esac # later ones need another Python
    inside /work/venv/bin/pip install --quiet --only-binary :all: "$requirement" </dev/null ||
      echo "$requirement" >>"$WORK/not-installed.txt"
  done <"$WORK/extras.txt"
  inside /work/venv/bin/pip install --quiet 'setuptools>=77' pycparser simde-py wheel
  cat "$WORK/not-installed.txt"
}

build_wheel() {
  inside /bin/sh -c 'cd /work/source && /work/venv/bin/python setup.py -q bdist_wheel -d /work/wheels'
}

install_wheel() {
  inside /bin/sh -c '/work/venv/bin/pip install --quiet --no-deps --force-reinstall /work/wheels/*.whl'
}

run_tests() {
  copy_tests
  record "$WORK"/wheels/*.whl
  RECORD_IN=/work run_suite inside \
    PROVE_MACHINE="Debian 13 amd64" PROVE_COMPILER="$(inside gcc --version | head -n 1)" \
    PYTHONPATH=/work/tree/tools/prove PYTHONPYCACHEPREFIX=/work/pycache \
    WAMR_SRC=/work/source/wamr-src WAMR_SPEC=/work/spec timeout "${LIMIT:-100000}" \
    /bin/sh -c 'cd /work/tree && exec /work/venv/bin/python -m pytest "$@"' sh \
    -q -n "${PROCESSES:-2}" --tb=short --seconds=1200 ${TESTS:-$MOST_TESTS}
}

need mmdebstrap rsync
step set-up set_up
step extras install_extras
step spec spec_suite
always wheel build_and_install build_wheel install_wheel
run_tests
