# Rules of ours in the chains of others: found by their exact text, opened at the end of what the chain admits.
nft_handles() {
  nft -a list chain "$1" "$2" "$3" 2>/dev/null | awk -v rule="$4" '
    { sub(/^[ \t]+/, ""); at = match($0, / # handle [0-9]+$/) }
    at && substr($0, 1, at - 1) == rule { print substr($0, at + 10) }'
}
# The handle of the first rule that refuses whatever came so far, like a policy: ours goes before it.
nft_catch_all() {
  nft -a list chain "$1" "$2" "$3" 2>/dev/null | awk '
    { sub(/^[ \t]+/, ""); at = match($0, / # handle [0-9]+$/); if (!at) next
      handle = substr($0, at + 10); rule = substr($0, 1, at - 1)
      sub(/ comment "[^"]*"$/, "", rule); gsub(/counter packets [0-9]+ bytes [0-9]+ /, "", rule)
      sub(/^log( prefix "[^"]*")?( level [a-z]+)?( flags [a-z ,]+)? /, "", rule)
      if (rule == "drop" || rule ~ /^reject( with [a-z0-9 -]+)?$/) { print handle; exit } }'
}
# Appended, never put first: whatever the administrator refuses by a rule of their own stays refused.
open_nft() {
  [ -z "$(nft_handles "$1" "$2" "$3" "$4")" ] || return 0
  last=$(nft_catch_all "$1" "$2" "$3")
  if [ -n "$last" ]; then
    nft "insert rule $1 $2 $3 handle $last $4"
  else
    nft "add rule $1 $2 $3 $4"
  fi
}
# Wherever our rule stands, also in chains that no longer refuse anything.
close_nft() {
  have nft || return 0
  for place in $(nft -a list ruleset 2>/dev/null | awk -v rule="$1" '
    { sub(/^[ \t]+/, "") }
    $1 == "table" { table = $2 "|" $3 }
    $1 == "chain" { chain = $2 }
    { at = match($0, / # handle [0-9]+$/) }
    at && substr($0, 1, at - 1) == rule { print table "|" chain "|" substr($0, at + 10) }'); do
    handle=${place##*|}
    place=${place%|*}
    chain=${place##*|}
    place=${place%|*}
    nft "delete rule ${place%%|*} ${place#*|} $chain handle $handle" || return 1
  done
}
expect_nft() {
  [ -n "$(nft_handles "$1" "$2" "$3" "$4")" ] || moved="${moved:-}rule $4 is gone from $1 $2 $3
"
}
