#!/usr/bin/env bash
# Puts a report into its one comment on a pull request: the comment that begins with the report's first line is updated,
# or a new one is made. Needs `pull-requests: write`.
#
#   github-comment.sh PULL_REQUEST FILE
set -euo pipefail

number=${1:?number of the pull request}
file=${2:?the report}
bot=${PLIMSOLL_BOT:-github-actions[bot]}
[[ $number =~ ^[0-9]+$ ]] || { echo "not a number: $number" >&2; exit 1; }
marker=$(head -n 1 "$file")
comments="repos/${GITHUB_REPOSITORY:?}/issues/$number/comments"

# Only a comment of our own: anybody may write our marker into theirs.
id=$(gh api --paginate "$comments" |
  jq -r --arg marker "$marker" --arg bot "$bot" \
    '.[] | select(.user.login == $bot and (.body | startswith($marker))) | .id' | head -n 1)
if [[ -n $id ]]; then
  jq -Rs '{body: .}' "$file" | gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --input - >/dev/null
else
  jq -Rs '{body: .}' "$file" | gh api --method POST "$comments" --input - >/dev/null
fi
