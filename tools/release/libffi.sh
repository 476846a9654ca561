#!/bin/sh
# Installs libffi in the images of manylinux and musllinux, where pip may have to compile cffi.
set -eu
if command -v dnf >/dev/null; then
  dnf install --assumeyes libffi-devel
elif command -v apt-get >/dev/null; then
  apt-get update && apt-get install --yes --no-install-recommends libffi-dev
elif command -v apk >/dev/null; then
  apk add libffi-dev
else
  echo "libffi.sh: this image has none of dnf, apt-get and apk" >&2
  exit 1
fi
