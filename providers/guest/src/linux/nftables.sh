# Rules of ours in the chains of others: found by their exact text, put at the end of what the chain admits. A ruleset can
# be large, so rules are first collected, and each chain is listed once.
want_nft() {
  nft_wanted="${nft_wanted:-}$*
"
}
# The commands that are missing in one chain. Appended, never put first: whatever the administrator refuses by a rule of
# their own stays refused. A last rule that refuses everything is like a policy: ours go before it.
nft_missing() {
  if ! listed=$(nft -a list chain "$1" "$2" "$3" 2>&1); then
    echo "$listed" >&2
    return 1
  fi
  printf '%s\n=\n%s\n' "${nft_wanted:-}" "$listed" | awk -v place="$1 $2 $3" '
    $0 == "=" { listing = 1; next }
    !listing { if (index($0, place " ") == 1) wanted[++count] = substr($0, length(place) + 2); next }
    { sub(/^[ \t]+/, ""); at = match($0, / # handle [0-9]+$/); if (!at) next
      handle = substr($0, at + 10); rule = substr($0, 1, at - 1); there[rule] = 1
      sub(/ comment "[^"]*"$/, "", rule); gsub(/counter packets [0-9]+ bytes [0-9]+ /, "", rule)
      sub(/^log( prefix "[^"]*")?( level [a-z]+)?( flags [a-z ,]+)? /, "", rule)
      if (!last && (rule == "drop" || rule ~ /^reject( with [a-z0-9 -]+)?$/)) last = handle }
    END { for (i = 1; i <= count; i++) if (!(wanted[i] in there)) {
        there[wanted[i]] = 1
        print (last ? "insert rule " place " handle " last : "add rule " place) " " wanted[i] } }'
}
# One transaction a chain: all of its rules or none.
open_nft() {
  failed=0
  for place in $(printf '%s' "${nft_wanted:-}" | awk '!seen[$1 "|" $2 "|" $3]++ { print $1 "|" $2 "|" $3 }'); do
    chain=${place##*|}
    table=${place%|*}
    if missing=$(nft_missing "${table%%|*}" "${table#*|}" "$chain"); then
      [ -z "$missing" ] || printf '%s\n' "$missing" | nft -f - || failed=1
    else
      failed=1
    fi
  done
  return "$failed"
}
# Wherever our rules stand, also in chains that no longer refuse anything.
close_nft() {
  have nft || return 0
  found=$({ printf '%s\n' "$@" && echo '=' && nft -a list ruleset 2>/dev/null; } | awk '
    $0 == "=" { listing = 1; next }
    !listing { ours[$0] = 1; next }
    { sub(/^[ \t]+/, "") }
    $1 == "table" { table = $2 " " $3 }
    $1 == "chain" { chain = $2 }
    { at = match($0, / # handle [0-9]+$/) }
    at && (substr($0, 1, at - 1) in ours) { print "delete rule " table " " chain " handle " substr($0, at + 10) }')
  [ -z "$found" ] || printf '%s\n' "$found" | nft -f -
}
expect_nft() {
  if ! nft -a list chain "$1" "$2" "$3" 2>/dev/null | grep -Fq "	$4 # handle "; then
    moved="${moved:-}rule $4 is gone from $1 $2 $3
"
  fi
}
