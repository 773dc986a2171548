# One policy object holds all rules of ours. It is loaded once by a reload; after that rules are set in both the running
# and the kept configuration, because each reload drops what others only set in the running one.
firewalld_settings() {
  for option in --list-all-zones --list-all-policies; do firewall-cmd "$@" "$option" 2>/dev/null; done |
    sed -e 's/ (.*)$//' -e '/^  interfaces:/d'
}
firewalld_reload() {
  if [ "$(firewalld_settings)" != "$(firewalld_settings --permanent)" ] && [ "${1:-}" != knows ]; then
    echo 'firewalld runs with settings that a reload would drop; keep them with `firewall-cmd --runtime-to-permanent` or drop them with `firewall-cmd --reload`, then plan again'
    return 1
  fi
  firewall-cmd --reload
}
open_firewalld() {
  if [ "$(firewall-cmd --state 2>/dev/null)" != running ]; then
    echo 'firewalld does not run any more: plan again'
    return 1
  fi
  if ! firewall-cmd --policy plimsoll --list-rich-rules >/dev/null 2>&1; then
    if ! firewall-cmd --permanent --policy plimsoll --list-rich-rules >/dev/null 2>&1; then
      # Compared before our policy makes the two differ.
      if [ "$(firewalld_settings)" != "$(firewalld_settings --permanent)" ]; then firewalld_reload; return 1; fi
      firewall-cmd --permanent --new-policy plimsoll &&
        firewall-cmd --permanent --policy plimsoll --add-ingress-zone ANY &&
        firewall-cmd --permanent --policy plimsoll --add-egress-zone HOST || return 1
    fi
    firewalld_reload knows || return 1
  fi
  firewall-cmd --permanent --policy plimsoll --add-rich-rule "$1" && firewall-cmd --policy plimsoll --add-rich-rule "$1"
}
close_firewalld() {
  [ -e /etc/firewalld/policies/plimsoll.xml ] || return 0
  if [ "$(firewall-cmd --state 2>/dev/null)" != running ]; then
    firewall-offline-cmd --policy plimsoll --remove-rich-rule "$1" || return 1
    if [ -z "$(firewall-offline-cmd --policy plimsoll --list-rich-rules)" ]; then
      firewall-offline-cmd --delete-policy plimsoll
    fi
    return
  fi
  if firewall-cmd --policy plimsoll --query-rich-rule "$1" >/dev/null 2>&1; then
    firewall-cmd --policy plimsoll --remove-rich-rule "$1" || return 1
  fi
  if firewall-cmd --permanent --policy plimsoll --query-rich-rule "$1" >/dev/null 2>&1; then
    firewall-cmd --permanent --policy plimsoll --remove-rich-rule "$1" || return 1
  fi
  if [ -z "$(firewall-cmd --permanent --policy plimsoll --list-rich-rules)" ]; then
    same=no
    [ "$(firewalld_settings)" != "$(firewalld_settings --permanent)" ] || same=yes
    firewall-cmd --permanent --delete-policy plimsoll || return 1
    rm -f /etc/firewalld/policies/plimsoll.xml.old
    # An empty policy that still runs does nothing; it goes with the next reload when one would drop settings of others.
    if [ "$same" = yes ]; then firewall-cmd --reload; fi
  fi
}
expect_firewalld() {
  firewall-cmd --policy plimsoll --query-rich-rule "$1" >/dev/null 2>&1 || moved="${moved:-}the firewalld rule $1 is gone
"
}
