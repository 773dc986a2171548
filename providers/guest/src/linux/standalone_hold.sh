# Who is asked to open the firewall: ufw, firewalld, or the input chains that refuse what no rule of theirs admits.
find_firewall() {
  manager=none
  if have ufw && [ "$(sed -n 's/^ENABLED=//p' /etc/ufw/ufw.conf 2>/dev/null | tail -n 1 | tr -d '"' | tr '[:upper:]' '[:lower:]')" = yes ]; then
    manager=ufw
  elif have firewall-cmd && [ -S /run/dbus/system_bus_socket ] && [ "$(firewall-cmd --state 2>/dev/null)" = running ]; then
    manager=firewalld
  fi
  find_iptables_chains
  find_nft_chains
}
# An INPUT chain that refuses by its policy or by a last rule for everything. ufw's are its own.
find_iptables_chains() {
  iptables_chains=
  of_iptables=
  for tool in iptables ip6tables iptables-legacy ip6tables-legacy; do
    case $tool in
    iptables-legacy) has_text /proc/net/ip_tables_names || continue ;;
    ip6tables-legacy) has_text /proc/net/ip6_tables_names || continue ;;
    esac
    have "$tool-save" || continue
    saved=$("$tool-save" 2>/dev/null | awk '/^# Generated/ { print } /^[*]/ { inside = ($0 == "*filter") } inside { print }')
    case $tool:$saved in
    *-legacy:*'(nf_tables)'*) continue ;;
    ip6*'(nf_tables)'*'*filter'*) of_iptables="$of_iptables|ip6 filter" ;;
    ip*'(nf_tables)'*'*filter'*) of_iptables="$of_iptables|ip filter" ;;
    esac
    [ "$manager" = ufw ] && continue
    if printf '%s\n' "$saved" | grep -Eqx -e ':INPUT DROP .*' -e '-A INPUT -j (DROP|REJECT( --reject-with [a-z0-9-]+)?)'; then
      iptables_chains="$iptables_chains $tool"
    fi
  done
}
# The same of nftables, but for tables that another tool keeps.
find_nft_chains() {
  nft_chains=
  have nft || return 0
  [ "$manager" = firewalld ] && of_iptables="$of_iptables|inet firewalld"
  nft_chains=$(nft list ruleset 2>/dev/null | awk -v others="$of_iptables|" '
    { sub(/^[ \t]+/, "") }
    $1 == "table" { table = $2 " " $3; known = index(others, "|" table "|") > 0 || $2 !~ /^(ip|ip6|inet)$/ }
    $1 == "chain" { chain = $2; base = refuses = 0; next }
    /^type filter hook input / { base = !known; refuses = /policy drop/; next }
    $0 == "}" { if (base && refuses && table " " chain ~ /^[a-z0-9]+ [A-Za-z0-9_][A-Za-z0-9_.-]* [A-Za-z0-9_][A-Za-z0-9_.-]*$/) print table " " chain; base = 0; next }
    { sub(/ comment "[^"]*"$/, ""); gsub(/counter packets [0-9]+ bytes [0-9]+ /, "")
      sub(/^log( prefix "[^"]*")?( level [a-z]+)?( flags [a-z ,]+)? /, "")
      if ($0 == "drop" || /^reject( with [a-z0-9 -]+)?$/) refuses = 1 }')
}
claim() {
  record="$record
claim	$1	$deployment	$lineage"
}
# What is there and in nobody's record is the administrator's: it serves, and it stays theirs.
claim_address() {
  if ! is_recorded "address ${1%/*}" && ip -o addr show | awk -v wanted="${1%/*}" '{ sub("/.*", "", $4) } $4 == wanted { found = 1 } END { exit !found }'; then
    tell "address ${1%/*} is here already and was not made by plimsoll: left as it is"
  else
    claim "address ${1%/*}"
  fi
}
claim_opening() {
  if [ "$manager" = ufw ] && ! is_recorded "$1" &&
    cat /etc/ufw/user.rules /etc/ufw/user6.rules 2>/dev/null | sed 's/ comment=.*//' | grep -Fqx "${4% comment=*}"; then
    tell "$1: ufw has this rule already and it was not made by plimsoll: left as it is"
  else
    claim "$1"
  fi
}
boot_line() {
  boot_lines="$boot_lines
$1 # plimsoll: $2"
}
boot_address() {
  is_ours "address ${1%/*}" || return 0
  case $1 in
  *:*) boot_line "ip -6 addr replace $1 dev lo nodad || status=1" "address ${1%/*}" ;;
  *) boot_line "ip -4 addr replace $1 dev lo || status=1" "address ${1%/*}" ;;
  esac
}
boot_opening() {
  is_ours "$1" || return 0
  before=$boot_lines
  case $1 in *:*) family=6 ;; *) family=4 ;; esac
  for tool in $iptables_chains; do
    case $family$tool in
    6ip6* | 4iptables*) boot_line "want_iptables $tool INPUT $3" "$1" ;;
    esac
  done
  while IFS= read -r chain; do
    case $family$chain in
    6inet\ * | 4inet\ * | 6ip6\ * | 4ip\ *) boot_line "want_nft $chain '$2'" "$1" ;;
    esac
  done <<PLIMSOLL
$nft_chains
PLIMSOLL
  if [ "$boot_lines" = "$before" ]; then boot_line : "$1"; fi
}
# Lines of entries that others claim stay as they are.
other_boot_lines() {
  [ -e /var/lib/plimsoll/boot.sh ] || return 0
  print_boot_lines | while IFS= read -r line; do
    entry=${line##* # plimsoll: }
    if is_recorded "$entry" && ! is_ours "$entry"; then printf '%s\n' "$line"; fi
  done
}
boot_script() {
  boot_head
  case $boot_lines in *want_nft*) nft_functions ;; esac
  case $boot_lines in *want_iptables*) iptables_functions ;; esac
  printf '%s\n' "$boot_lines" | grep .
  case $boot_lines in *want_nft*) echo 'open_nft || status=1' ;; esac
  case $boot_lines in *want_iptables*) echo 'open_iptables || status=1' ;; esac
  # shellcheck disable=SC2016 # It is the boot script that expands it.
  echo 'exit "$status"'
}
make_address() { :; }
make_opening() {
  is_ours "$1" || return 0
  # shellcheck disable=SC2086 # They are words.
  case $manager in
  ufw) attempt "$1" open_ufw "$4" $5 ;;
  firewalld) rich_rules="$rich_rules
$6" ;;
  esac
}
hold() {
  require_systemd
  find_firewall
  entries claim
  keep_record
  boot_lines=$(other_boot_lines)
  entries boot
  keep_boot "$(boot_script)"
  text=$(unit_text)
  if [ "$(cat /etc/systemd/system/plimsoll.service 2>/dev/null)" != "$text" ]; then
    write_file /etc/systemd/system/plimsoll.service 644 <<PLIMSOLL
$text
PLIMSOLL
  fi
  link_unit
  rich_rules=
  entries make
  # Each call of firewall-cmd starts an interpreter, so there is one for all.
  with_lines open_firewalld <<PLIMSOLL
$rich_rules
PLIMSOLL
  # What it does at each boot it does now: addresses, and the chains of nftables and iptables.
  attempt 'boot script' sh /var/lib/plimsoll/boot.sh
  tell "this machine holds what $deployment needs, now and after a reboot"
}
