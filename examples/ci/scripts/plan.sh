#!/usr/bin/env bash
# Plans into FOLDER: plan.plim, plan.md and plan.html. A plan that was made is a success, whatever it says.
#
#   plan.sh FOLDER [OPTIONS OF PLIMSOLL …]     for example: plan.sh out -C live/web
set -euo pipefail

folder=$(mkdir -p "${1:?where to put the plan}" && cd "$1" && pwd)
shift
status=0
plimsoll "$@" plan --detailed-exitcode \
  --out "$folder/plan.plim" --markdown "$folder/plan.md" --html "$folder/plan.html" || status=$?
case $status in
  0 | 2) ;;                    # no changes, changes
  3) echo "Not everything could be read: the plan says what, and is not applied." >&2 ;;
  *) exit "$status" ;;
esac
