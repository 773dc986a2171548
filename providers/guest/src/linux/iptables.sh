# The same for tables that the iptables tools made; the tool is one of iptables, ip6tables and their legacy forms.
want_iptables() {
  iptables_wanted="${iptables_wanted:-}$*
"
}
iptables_missing() {
  if ! listed=$("$1" -w 5 -S "$2" 2>&1); then
    echo "$listed" >&2
    return 1
  fi
  printf '%s\n=\n%s\n' "${iptables_wanted:-}" "$listed" | awk -v place="$1 $2" -v chain="$2" '
    $0 == "=" { listing = 1; next }
    !listing { if (index($0, place " ") == 1) wanted[++count] = substr($0, length(place) + 2); next }
    $1 == "-A" { at++; sub(/^-A [^ ]+ /, ""); rule = $0; gsub(/"/, "", rule); there[rule] = 1
      if (!last && ($0 == "-j DROP" || $0 ~ /^-j REJECT( --reject-with [a-z0-9-]+)?$/)) last = at }
    END { for (i = 1; i <= count; i++) if (!(wanted[i] in there)) {
        there[wanted[i]] = 1
        print (last ? "-I " chain " " last : "-A " chain) " " wanted[i] } }'
}
iptables_change() { printf '*filter\n%s\nCOMMIT\n' "$2" | "$1-restore" -w 5 --noflush; }
open_iptables() {
  failed=0
  for place in $(printf '%s' "${iptables_wanted:-}" | awk '!seen[$1 "|" $2]++ { print $1 "|" $2 }'); do
    if missing=$(iptables_missing "${place%|*}" "${place#*|}"); then
      [ -z "$missing" ] || iptables_change "${place%|*}" "$missing" || failed=1
    else
      failed=1
    fi
  done
  return "$failed"
}
close_iptables() {
  tool=$1
  have "$tool" || return 0
  shift
  # The old backend makes tables by being asked about them.
  case $("$tool" -V 2>/dev/null) in
  *nf_tables*) ;;
  ip6*) grep -qx filter /proc/net/ip6_tables_names 2>/dev/null || return 0 ;;
  *) grep -qx filter /proc/net/ip_tables_names 2>/dev/null || return 0 ;;
  esac
  found=$({ printf '%s\n' "$@" && echo '=' && "$tool" -w 5 -S 2>/dev/null; } | awk '
    $0 == "=" { listing = 1; next }
    !listing { ours[$0] = 1; next }
    $1 == "-A" { chain = $2; sub(/^-A [^ ]+ /, ""); gsub(/"/, ""); if ($0 in ours) print "-D " chain " " $0 }')
  [ -z "$found" ] || iptables_change "$tool" "$found"
}
expect_iptables() {
  tool=$1
  chain=$2
  shift 2
  "$tool" -w 5 -C "$chain" "$@" 2>/dev/null || moved="${moved:-}rule $* is gone from $tool $chain
"
}
