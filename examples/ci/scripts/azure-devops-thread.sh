#!/usr/bin/env bash
# Puts a report into its one thread on a pull request of Azure Repos: the thread that begins with the report's first line
# is updated, or a new one is made. The thread stays open, for someone to resolve, when traffic is interrupted.
# Needs the build service's right "Contribute to pull requests".
#
#   azure-devops-thread.sh FILE INTERRUPTIONS
set -euo pipefail

file=${1:?the report}
interrupts=${2:-0}
threads="${SYSTEM_COLLECTIONURI:?}${SYSTEM_TEAMPROJECTID:?}/_apis/git/repositories/${BUILD_REPOSITORY_ID:?}"
threads+="/pullRequests/${SYSTEM_PULLREQUEST_PULLREQUESTID:?}/threads"
status=closed
[[ $interrupts == 0 ]] || status=active

# The token goes in by a file descriptor: a command line can be read by every process of the machine.
call() {
  curl --silent --show-error --fail-with-body --header 'Content-Type: application/json' \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "${SYSTEM_ACCESSTOKEN:?}") "$@"
}

marker=$(head -n 1 "$file")
found=$(call "$threads?api-version=7.1" |
  jq -r --arg marker "$marker" \
    'first(.value[] | select(.isDeleted != true)
      | select(.comments[0].content // "" | startswith($marker))
      | "\(.id) \(.comments[0].id)") // ""')
if [[ -n $found ]]; then
  read -r thread comment <<<"$found"
  jq -Rs '{content: .}' "$file" |
    call --request PATCH "$threads/$thread/comments/$comment?api-version=7.1" --data-binary @- >/dev/null
  jq -n --arg status "$status" '{status: $status}' |
    call --request PATCH "$threads/$thread?api-version=7.1" --data-binary @- >/dev/null
else
  jq -Rs --arg status "$status" '{comments: [{parentCommentId: 0, content: ., commentType: "text"}], status: $status}' "$file" |
    call --request POST "$threads?api-version=7.1" --data-binary @- >/dev/null
fi
