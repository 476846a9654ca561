#!/usr/bin/env bash
# The interpreter with a switch instead of labels as values, which compilers without them would get:
# the whole suite as on this machine's Linux.
export WAMR_LABELS=0
source "$(dirname "$0")/cpython.bash" "$1"
