# Steps that the scripts of the targets share. A script begins with
#     source "$(dirname "$0")/common.bash" "$1"
# and then has ROOT (the checkout), TARGET, WORK (build/prove/<target>) and these functions:
#     step NAME COMMAND…     run the command once; a later run of the script leaves it out
#     always NAME COMMAND…   run the command each time
#     need PACKAGE…          install Debian packages on this machine
#     make_chroot SUITE ARCHITECTURE PACKAGE…, inside COMMAND…
#     register_emulator ARCHITECTURE
#     find_python VERSION, make_sdist, copy_tests, spec_suite, record WHEEL, run_suite COMMAND… (see each)
# Mirrors are those of this machine's apt and pip. Nothing outside of WORK changes, except for the
# packages of `need` and the emulators of `register_emulator`; both say what they do.
set -euo pipefail

PROVE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$PROVE/../.." && pwd)
TARGET=$1
WORK=$ROOT/build/prove/$TARGET
CHROOT=$WORK/root # what `inside` enters; WORK is /work there
mkdir -p "$WORK/done" "$WORK/logs"

say() { echo "prove $TARGET: $*" >&2; }

_logged() { # NAME COMMAND…: the output goes to a log, of which a failure shows the end
  local name=$1 log=$WORK/logs/$1.log begin=$SECONDS status
  shift
  say "$name …"
  set +e # in a condition, `set -e` has no effect
  (set -e && "$@") >"$log" 2>&1
  status=$?
  set -e
  if [ $status != 0 ]; then
    tail -n 30 "$log" >&2
    say "$name failed: $log"
    exit 1
  fi
  say "$name: $((SECONDS - begin)) s"
}

step() {
  if [ ! -e "$WORK/done/$1" ]; then
    _logged "$@"
    touch "$WORK/done/$1"
  fi
}

always() { _logged "$@"; }

need() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ "${#missing[@]}" = 0 ] && return
  say "installing on this machine: ${missing[*]}"
  local sudo
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update -qq >&2
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends "${missing[@]}" >&2
}

# -- mirrors ----------------------------------------------------------------------------------------

# A mirror of Debian: DEBIAN_MIRROR, or the one that this machine's apt takes most packages from.
debian_mirror() {
  local found=${DEBIAN_MIRROR:-}
  [ "$found" ] ||
    found=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
      sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
  [ "$found" ] || { say "apt has no mirror of Debian here: set DEBIAN_MIRROR to the address of one"; return 1; }
  echo "$found"
}

# Unpacks the source package to WORK/sources/PACKAGE, from the first suite whose files the mirror has.
# apt's files for it are below WORK.
debian_source() { # PACKAGE SUITE…
  need dpkg-dev
  local package=$1 apt suite mirror
  shift
  mirror=$(debian_mirror)
  for suite in "$@"; do
    apt=$WORK/apt/$suite
    rm -rf "$apt/unpacked" "$WORK/sources/$package"
    mkdir -p "$apt/lists" "$apt/cache" "$apt/unpacked" "$WORK/sources"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
      >"$apt/sources.list"
    local options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root
      -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Acquire::Languages=none)
    [ -n "$(ls -A "$apt/lists")" ] || apt-get "${options[@]}" update -qq
    if (cd "$apt/unpacked" && apt-get "${options[@]}" source -qq "$package" >/dev/null); then
      mv "$apt/unpacked"/*/ "$WORK/sources/$package"
      return
    fi
  done
  say "the mirror has the sources of $package for none of: $*"
  return 1
}

# This machine's settings of pip, as variables. Its files aren't there in a chroot.
pip_settings() {
  pip config list 2>/dev/null | python3 -c "
import ast, re, sys
for line in sys.stdin:
    found = re.match(r'(?:global|install|download|:env:)\.([a-z-]+)=(.*)', line)
    if found and found[1] not in ('cert', 'find-links', 'target', 'user', 'require-virtualenv'):
        print(f'PIP_{found[1].upper().replace(\"-\", \"_\")}={ast.literal_eval(found[2])}')
"
}

# -- a chroot ---------------------------------------------------------------------------------------

# Only unpacks the packages: their scripts don't run, so no emulator is needed. PATH, users and the
# certificates of this machine are added.
make_chroot() { # SUITE ARCHITECTURE PACKAGE…
  local suite=$1 architecture=$2 mirror
  shift 2
  mirror=$(debian_mirror)
  rm -rf "$CHROOT"
  mmdebstrap --variant=extract --architectures="$architecture" --skip=check/qemu \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='force-unsafe-io' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include="$(IFS=,; echo "base-files,base-passwd,bash,dash,coreutils,grep,sed,gawk,findutils,libc-bin,procps,ca-certificates,$*" | tr ' ' ,)" \
    "$suite" "$CHROOT" "$mirror"
  cp "$CHROOT/usr/share/base-passwd/passwd.master" "$CHROOT/etc/passwd"
  cp "$CHROOT/usr/share/base-passwd/group.master" "$CHROOT/etc/group"
  mkdir -p "$CHROOT/usr/local/bin" "$CHROOT/etc/ssl/certs" "$CHROOT/work" "$CHROOT/root" "$CHROOT/tmp"
  [ -e "$CHROOT/usr/bin/sh" ] || ln -s dash "$CHROOT/usr/bin/sh"
  [ -e "$CHROOT/usr/bin/awk" ] || ln -s gawk "$CHROOT/usr/bin/awk"
  cp -L /etc/ssl/certs/ca-certificates.crt "$CHROOT/etc/ssl/certs/ca-certificates.crt"
}

# Runs a command in the chroot, with WORK as /work. The mounts are in a namespace of their own and
# end with the command. The kernel ends these processes first where memory is short. SETARCH, if set, is
# the command that decides which processor uname names.
inside() {
  cp -L /etc/resolv.conf /etc/hosts "$CHROOT/etc/"
  local settings=()
  mapfile -t settings < <(pip_settings)
  CHROOT=$CHROOT WORK=$WORK ${SETARCH:-} unshare --mount --propagation private bash -c '
    set -e
    mount -t proc proc "$CHROOT/proc"
    mount --rbind /dev "$CHROOT/dev"
    mount --bind "$WORK" "$CHROOT/work"
    for pair in $BINDS; do
      mkdir -p "$CHROOT/${pair#*:}"
      mount --bind "${pair%%:*}" "$CHROOT/${pair#*:}"
    done
    echo 1000 > /proc/self/oom_score_adj
    exec chroot "$CHROOT" /usr/bin/env -i "$@"' bash \
    HOME=/root PATH="${INSIDE_PATH:-/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}" LANG=C.UTF-8 TERM=dumb \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_CACHE_DIR=/work/pip-cache PIP_ROOT_USER_ACTION=ignore MAX_JOBS="$(nproc)" "${settings[@]}" "$@"
}
export BINDS=${BINDS:-} # "from:to" pairs of folders that `inside` mounts, too

# The kernel runs programs of other processors by qemu (binfmt_misc), those that tests start, too.
register_emulator() { # ARCHITECTURE as qemu calls it: aarch64, arm, riscv64
  local magic entry=/proc/sys/fs/binfmt_misc/wamr-prove-$1
  # The emulator is a program of this processor, too, so the kernel would then start nothing any more.
  [ "$(uname -m)" = x86_64 ] || { say "emulators and cross compilers are set up on x86-64 only"; return 1; }
  need qemu-user-static
  # ELF, little endian; then the class (1: 32 bits, 2: 64 bits) and the machine's number.
  case $1 in
    aarch64) magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' ;;
    arm) magic='\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00' ;;
    riscv64) magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00' ;;
  esac
  local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  [ -e /proc/sys/fs/binfmt_misc/register ] ||
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc ||
    { say "the kernel can't be told to run programs of $1: binfmt_misc is missing, or needs root"; return 1; }
  [ -e "$entry" ] || grep -lqs "qemu-$1" /proc/sys/fs/binfmt_misc/qemu-* ||
    { say "telling the kernel to run programs of $1 by qemu: $entry"
      # F: the emulator is opened now, so a chroot needs none. P: argv[0] is kept.
      echo ":wamr-prove-$1:M::$magic:$mask:/usr/bin/qemu-$1-static:FP" >/proc/sys/fs/binfmt_misc/register; }
}

# Prints the path of a CPython of this version: of PATH, or of pyenv.
find_python() { # VERSION
  local one
  for one in "$(command -v "python$1" || true)" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python3; do
    if [ -x "$one" ] && "$one" -c "import sys, venv, ensurepip; assert '%d.%d' % sys.version_info[:2] == '$1'" 2>/dev/null; then
      echo "$one" && return
    fi
  done
  return 1
}

# -- sources and results ----------------------------------------------------------------------------

# Unpacks an sdist of the checkout to WORK/source. Files that did not change keep their times, so a
# second build there compiles only what changed. SOURCE_CHANGED counts those that the wheel is made of;
# what a build writes beside them stays.
make_sdist() {
  need rsync
  [ -e "$ROOT/.venv/.dev" ] || env -u WAMR_LABELS make -C "$ROOT" -s .venv/.dev >&2
  local made=$WORK/sdist
  rm -rf "$made" && mkdir -p "$made"
  # One at a time: setuptools collects the files in a folder of the checkout.
  (cd "$ROOT" && flock build/prove/sdist.lock .venv/bin/python -m build --sdist --no-isolation --outdir "$made" . \
    >"$WORK/logs/sdist.log" 2>&1) ||
    { tail "$WORK/logs/sdist.log" >&2; return 1; }
  (cd "$made" && tar -xzf wamr-*.tar.gz && rm wamr-*.tar.gz && mv wamr-* unpacked)
  rsync --archive --checksum --delete --out-format=%n --no-times --exclude=/build --exclude=__pycache__ \
    --exclude=/src/wamr/_wamr_version.py --exclude='/src/wamr/_capi/_generated.py*' \
    "$made/unpacked/" "$WORK/source/" >"$WORK/logs/changed.txt"
  SOURCE_CHANGED=$(grep -v '/$' "$WORK/logs/changed.txt" |
    grep -cE '^(deleting )?(cmake|codegen|src/native|src/wamr|wamr-src)/|^(setup|build_ffi).py|^pyproject' || true)
  rm -rf "$made"
}

# Prints a digest of the files of the checkout that a wheel is made of.
source_state() {
  local files=(cmake codegen src setup.py build_ffi.py pyproject.toml MANIFEST.in)
  (cd "$ROOT" && {
    git ls-files --stage -- "${files[@]}"
    git diff HEAD -- "${files[@]}"
    git ls-files -z --others --exclude-standard -- "${files[@]}" | xargs -0r sha256sum
  } | sha256sum)
}

# Builds the wheel by the command, which writes it to WORK/wheels (/work/wheels), and then installs it
# by the other one, unless nothing changed.
build_and_install() { # BUILD INSTALL: functions
  local state
  state=$(source_state)
  [ "$(cat "$WORK/done/wheel" 2>/dev/null)" = "$state" ] && return
  make_sdist
  if [ "$SOURCE_CHANGED" != 0 ] || [ ! -e "$WORK/done/wheel" ]; then
    rm -rf "$WORK/done/wheel" "$WORK/wheels"
    "$1"
    "$2"
  fi
  echo "$state" >"$WORK/done/wheel"
}

# Copies the checkout, without what git ignores, to WORK/tree: the tests run there, with the package
# that the wheel installed.
copy_tests() {
  rm -rf "$WORK/tree" # with what was removed from the checkout, and what tests have built
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard |
    rsync --archive --from0 --files-from=- --ignore-missing-args . "$WORK/tree/")
}

# Puts the official suite, converted here, into WORK/spec: a chroot has neither cargo nor wasm-tools.
spec_suite() {
  PYTHONPATH=$ROOT/tests/support "$ROOT/.venv/bin/python" "$ROOT/tests/spec/suite.py" "$WORK/spec"
}

# Text modules need wasmtime, which has no package for some processors: there, a module of the same
# name asks this machine's through a socket (wasmtime_socket.py, wat_server.py).
with_wat_server() { # COMMAND…
  "$ROOT/.venv/bin/python" "$PROVE/wat_server.py" "$WORK/wat.socket" &
  local server=$! status=0
  trap "kill $server 2>/dev/null || true" EXIT
  "$@" || status=$?
  kill "$server" 2>/dev/null || true
  return "$status"
}

# Tells table.py which wheel the tests run with. A new wheel begins new outcomes.
record() { # WHEEL
  local digest
  digest=$(sha256sum "$1" | cut -c1-64)
  if [ "$(cat "$WORK/wheel.sha256" 2>/dev/null)" != "$digest" ] && [ -z "${PROVE_KEEP:-}" ]; then
    rm -f "$WORK/outcomes.jsonl"
  fi
  echo "$digest" >"$WORK/wheel.sha256"
  basename "$1" >"$WORK/wheel.name"
  stat -c %s "$1" >"$WORK/wheel.size"
}

# Runs pytest by the command, which ends with pytest's own arguments for this target, and prints the
# table. Fails if a test failed. The folder of the record is /work in a chroot: RECORD_IN says so.
#     run_suite [--env NAME=VALUE…] COMMAND… -m pytest … 
run_suite() {
  local folder=${RECORD_IN:-$WORK} begin=$SECONDS status=0
  git -C "$ROOT" describe --always --dirty --exclude='*' >"$WORK/commit"
  python3 "$PROVE/table.py" passed "$WORK" >"$WORK/passed.txt"
  "$@" -p record --record="$folder/outcomes.jsonl" ${GO_ON:+--record-passed="$folder/passed.txt"} \
    ${MINUTES:+--record-minutes="$MINUTES"} \
    -p no:cacheprovider >"$WORK/logs/tests.log" 2>&1 || status=$?
  tail -n 3 "$WORK/logs/tests.log" >&2
  python3 "$PROVE/table.py" summary "$TARGET" "$WORK" $((SECONDS - begin)) "$status"
}
