#!/usr/bin/env bash
# Keeps one issue about drift: opens it, updates it when something else moved, closes it when all is as applied.
# Somebody is notified only when there is something new to know. Needs `issues: write`.
#
#   github-issue.sh none|drift|unread FILE
set -euo pipefail

found=${1:?none, drift or unread}
file=${2:?the report}
label=${PLIMSOLL_LABEL:-plimsoll-drift}
bot=${PLIMSOLL_BOT:-github-actions[bot]}
issues="repos/${GITHUB_REPOSITORY:?}/issues"

# The time of the reading is in the last line; it is no news.
news() { grep -v '^<sub>plimsoll ' || true; }

marker=$(head -n 1 "$file")
open=$(gh api --paginate "$issues?state=open&labels=$label" |
  jq -c --arg marker "$marker" --arg bot "$bot" \
    '.[] | select(.user.login == $bot and (.body | startswith($marker))) | {number, body}' | head -n 1)
number=$(jq -r '.number' <<<"${open:-null}" | grep -v null || true)

case $found in
  drift)
    name=${marker#'<!-- plimsoll drift '}
    title="Drift in ${name%' -->'}"
    if [[ -z $number ]]; then
      jq -Rs --arg title "$title" --arg tag "$label" '{title: $title, body: ., labels: [$tag]}' "$file" |
        gh api --method POST "$issues" --input - >/dev/null
    elif [[ $(jq -r '.body' <<<"$open" | news) != "$(news <"$file")" ]]; then
      jq -Rs '{body: .}' "$file" | gh api --method PATCH "$issues/$number" --input - >/dev/null
      jq -n '{body: "What moved is no longer the same: the description above is of now."}' |
        gh api --method POST "$issues/$number/comments" --input - >/dev/null
    fi
    ;;
  none)
    if [[ -n $number ]]; then
      jq -n '{body: "All is as applied again."}' |
        gh api --method POST "$issues/$number/comments" --input - >/dev/null
      jq -n '{state: "closed", state_reason: "completed"}' |
        gh api --method PATCH "$issues/$number" --input - >/dev/null
    fi
    ;;
  unread) ;;
  *)
    echo "none, drift or unread, not: $found" >&2
    exit 1
    ;;
esac
