#!/usr/bin/env bash
# Looks for drift and writes FOLDER/drift.md and drift.html. Prints one word: none, drift or unread.
#
#   drift.sh FOLDER [OPTIONS OF PLIMSOLL …]
set -euo pipefail

folder=$(mkdir -p "${1:?where to put the report}" && cd "$1" && pwd)
shift
status=0
plimsoll "$@" drift --markdown "$folder/drift.md" --html "$folder/drift.html" >&2 || status=$?
case $status in
  0) echo none ;;
  2) echo drift ;;
  3) echo unread ;;            # nobody is woken, and nothing is closed, by what was not seen
  *) exit "$status" ;;
esac
