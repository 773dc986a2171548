# The claim goes; what nobody claims any more goes with it.
release() {
  is_ours "$1" || return 0
  record=$(printf '%s\n' "$record" | awk -F '\t' -v e="$1" -v d="$deployment" '!($1 == "claim" && $2 == e && $3 == d)')
  is_recorded "$1" || gone="$gone
$1"
}
release_address() { release "address ${1%/*}"; }
release_opening() { release "$1"; }
is_gone() { printf '%s\n' "$gone" | grep -Fqx "$1"; }
close_address() { :; }
drop_opening() { :; }
drop_address() {
  if is_gone "address ${1%/*}"; then remove_address "$1"; fi
}
# The firewall may have changed its kind since, so every kind that is there is asked.
close_opening() {
  is_gone "$1" || return 0
  # shellcheck disable=SC2086 # They are words.
  attempt "$1" close_ufw "$4" $5
  rich_rules="$rich_rules
$6"
  nft_rules="$nft_rules
$2"
  case $1 in
  *:*) ip6tables_rules="$ip6tables_rules
$3" ;;
  *) iptables_rules="$iptables_rules
$3" ;;
  esac
}
# Large rulesets are listed once for all.
close_firewall() {
  with_lines close_firewalld <<PLIMSOLL
$rich_rules
PLIMSOLL
  with_lines close_nft <<PLIMSOLL
$nft_rules
PLIMSOLL
  for tool in iptables iptables-legacy; do
    with_lines close_iptables "$tool" <<PLIMSOLL
$iptables_rules
PLIMSOLL
    with_lines close_iptables "ip6${tool#ip}" <<PLIMSOLL
$ip6tables_rules
PLIMSOLL
  done
}
# The boot script without the lines of what is gone.
shorter_boot() {
  sed '$d' /var/lib/plimsoll/boot.sh | while IFS= read -r line; do
    case $line in
    *' # plimsoll: '*) is_gone "${line##* # plimsoll: }" || printf '%s\n' "$line" ;;
    *) printf '%s\n' "$line" ;;
    esac
  done
}
holds() { printf '%s\n' "$record" | grep -q "^$1	"; }
undo() {
  gone=
  rich_rules=
  nft_rules=
  iptables_rules=
  ip6tables_rules=
  entries release
  entries close
  close_firewall
  entries drop
  left=$(printf '%s\n' "$record" | awk -F '\t' -v d="$deployment" '$1 == "claim" && $3 == d { print "  " $2 }')
  if holds claim; then
    if [ -n "$gone" ] && [ -n "$(print_boot_lines)" ]; then keep_boot "$(shorter_boot)"; fi
    keep_record
  elif holds run; then
    # Only the run numbers stay. A script that was sent earlier may still come.
    keep_record
    remove_unit
  else
    remove_unit
    rm -f /var/lib/plimsoll/record.json
  fi
  if [ -n "$left" ]; then
    tell "this script does not know these entries of $deployment, which stay:"
    printf '%s\n' "$left"
    exit 78
  fi
  tell "this machine holds nothing of $deployment any more"
}
