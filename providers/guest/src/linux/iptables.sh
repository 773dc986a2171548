# The same for tables that the iptables tools made; $tool is one of iptables, ip6tables and their legacy forms.
open_iptables() {
  tool=$1
  chain=$2
  shift 2
  if "$tool" -w 5 -C "$chain" "$@" 2>/dev/null; then return 0; fi
  last=$("$tool" -w 5 -S "$chain" | awk '
    $1 == "-A" { n++; sub(/^-A [^ ]+ /, "")
      if ($0 == "-j DROP" || $0 ~ /^-j REJECT( --reject-with [a-z0-9-]+)?$/) { print n; exit } }')
  if [ -n "$last" ]; then
    "$tool" -w 5 -I "$chain" "$last" "$@"
  else
    "$tool" -w 5 -A "$chain" "$@"
  fi
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
  for chain in $("$tool" -w 5 -S 2>/dev/null | awk -v rule="$*" '
    $1 == "-A" { chain = $2; sub(/^-A [^ ]+ /, ""); gsub(/"/, ""); if ($0 == rule) print chain }'); do
    "$tool" -w 5 -D "$chain" "$@" || return 1
  done
}
expect_iptables() {
  tool=$1
  chain=$2
  shift 2
  "$tool" -w 5 -C "$chain" "$@" 2>/dev/null || moved="${moved:-}rule $* is gone from $tool $chain
"
}
