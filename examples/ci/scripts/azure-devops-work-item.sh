#!/usr/bin/env bash
# Keeps one work item about drift in Azure Boards: opens it, updates it when something else moved, closes it when all is as
# applied. Somebody is notified only when there is something new to know. Needs the build service's right "Edit work items in
# this node" on the area.
#
#   azure-devops-work-item.sh none|drift|unread FILE
set -euo pipefail

found=${1:?none, drift or unread}
file=${2:?the report}
label=${PLIMSOLL_LABEL:-plimsoll-drift}
# Basic and Agile have Issue, Scrum has Impediment.
type=${PLIMSOLL_WORK_ITEM_TYPE:-Issue}
wit="${SYSTEM_COLLECTIONURI:?}${SYSTEM_TEAMPROJECTID:?}/_apis/wit"
version="api-version=7.1"

# The token goes in by a file descriptor: a command line can be read by every process of the machine.
call() {
  local content=$1
  shift
  curl --silent --show-error --fail-with-body --header "Content-Type: $content" \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "${SYSTEM_ACCESSTOKEN:?}") "$@"
}
ask() { call application/json "$@"; }
edit() { call application/json-patch+json --data-binary @- "$@" >/dev/null; }

case $found in
  none | drift) ;;
  unread) exit 0 ;;            # what was not seen opens nothing and closes nothing
  *)
    echo "none, drift or unread, not: $found" >&2
    exit 1
    ;;
esac

marker=$(head -n 1 "$file")
name=${marker#'<!-- plimsoll drift '}
title="Drift in ${name%' -->'}"
# The time of the reading is in the last line; it is no news. Azure rewrites descriptions, so a tag says what was told.
digest="plimsoll-$(grep -v '^<sub>plimsoll ' "$file" | sha256sum | head -c 12)"

# What counts as done is up to the project's process.
encoded=$(jq -rn --arg type "$type" '$type | @uri')
states=$(ask "$wit/workitemtypes/$encoded/states?$version" | jq -c '[.value[] | {name, category}]')
ids=$(jq -n --arg tag "$label" --arg title "$title" '
  def quoted: "\u0027" + gsub("\u0027"; "\u0027\u0027") + "\u0027";
  {query: ("SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project"
    + " AND [System.Tags] CONTAINS " + ($tag | quoted)
    + " AND [System.Title] = " + ($title | quoted)
    + " ORDER BY [System.Id] DESC")}' |
  ask --request POST "$wit/wiql?\$top=50&$version" --data-binary @- |
  jq -r '[.workItems[].id] | join(",")')
open=null
if [[ -n $ids ]]; then
  open=$(ask "$wit/workitems?ids=$ids&fields=System.Id,System.State,System.Tags&$version" |
    jq -c --argjson states "$states" '
      [$states[] | select(.category == "Completed" or .category == "Removed") | .name] as $done
      | first(.value[] | select(.fields["System.State"] | IN($done[]) | not)) // null')
fi
number=$(jq -r '.id // ""' <<<"$open")

# Descriptions are HTML; a diagram's source is for nobody's eyes.
description() { sed '1d; /^::: mermaid$/,/^:::$/d' "$file" | jq -Rs '"<pre>" + @html + "</pre>"'; }
field() { jq -c --arg path "/fields/$1" '{op: "add", path: $path, value: .}'; }
tags() {
  jq -c --arg tag "$label" --arg digest "$digest" '
    (.fields["System.Tags"] // "") | split("; ")
    | map(select(. != "" and . != $tag and (test("^plimsoll-[0-9a-f]{12}$") | not)))
    | . + [$tag, $digest] | join("; ")' <<<"$open"
}
text() { jq -n --arg text "$1" '$text'; }

if [[ $found == none ]]; then
  [[ -n $number ]] || exit 0
  done=$(jq -r 'first(.[] | select(.category == "Completed") | .name)' <<<"$states")
  {
    text "$done" | field System.State
    text "All is as applied again." | field System.History
  } | jq -s . | edit --request PATCH "$wit/workitems/$number?$version"
elif [[ -z $number ]]; then
  {
    text "$title" | field System.Title
    description | field System.Description
    tags | field System.Tags
  } | jq -s . | edit --request POST "$wit/workitems/\$$encoded?$version"
elif [[ $(jq -r '.fields["System.Tags"] // ""' <<<"$open") != *"$digest"* ]]; then
  {
    description | field System.Description
    tags | field System.Tags
    text "What moved is no longer the same: the description is of now." | field System.History
  } | jq -s . | edit --request PATCH "$wit/workitems/$number?$version"
fi
