# One policy object holds all rules of ours. Its priority puts it behind the zones, so that what they deny stays denied. It is loaded once by a reload; after that rules are set in both the running
# and the kept configuration, because each reload drops what others only set in the running one.
# Each call of firewall-cmd starts an interpreter, so all rules go into one.
firewalld_settings() {
  for option in --list-all-zones --list-all-policies; do
    if ! listed=$(firewall-cmd "$@" "$option" 2>&1); then
      echo "firewalld does not tell its settings: $listed" >&2
      return 1
    fi
    # Rich rules come in any order, so each line goes with its zone and all are sorted.
    printf '%s\n' "$listed" | sed -e 's/ (.*)$//' -e '/^  interfaces:/d' |
      awk '/^[^ \t]/ { of = $0 } { sub(/^[ \t]+/, ""); print of ": " $0 }' | sort
  done
}
# What only one of two texts says, its first line.
firewalld_difference() {
  printf '%s\n=\n%s\n' "$1" "$2" | awk '
    $0 == "=" { second = 1; next }
    !second { first[$0]++; order[++count] = $0; next }
    { if (first[$0] > 0) first[$0]--; else if (more == "") more = $0 }
    END { for (i = 1; i <= count; i++) if (first[order[i]] > 0) { print order[i]; exit } print more }'
}
firewalld_runs() {
  [ "$(firewall-cmd --state 2>/dev/null)" = running ] && return 0
  echo 'firewalld does not run any more: plan again'
  return 1
}
# The options that name those of our rules which are in a list, or are not.
firewalld_options() {
  listed=$1
  wanted=$2
  option=$3
  shift 3
  for rule; do
    if printf '%s\n' "$listed" | grep -Fqx "$rule"; then is=in; else is=out; fi
    if [ "$is" = "$wanted" ]; then printf '%s=%s\n' "$option" "$rule"; fi
  done
}
# Runs firewall-cmd with each line of its input as one option more; without any it does nothing.
firewalld_with() {
  while IFS= read -r line; do
    set -- "$@" "$line"
    some=yes
  done
  if [ "${some:-}" = yes ]; then firewall-cmd "$@"; fi
}
# A reload makes the kernel's rules anew from files that may say something else than what runs. What runs is kept, to be put
# back where no new connection comes through afterwards.
reload_firewalld() {
  umask 077
  if nft list table inet firewalld 2>/dev/null | sed '/^\tflags owner/d' >/var/lib/plimsoll/revert.nft &&
    [ ! -s /var/lib/plimsoll/revert.nft ]; then
    for tool in iptables ip6tables; do "$tool-save" >"/var/lib/plimsoll/revert.$tool" || return 1; done
  fi
  arm_revert 'firewalld was loaded anew' "made_policy=$1" && firewall-cmd --reload
}
open_firewalld() {
  if now=$(firewall-cmd --policy plimsoll --list-rich-rules 2>/dev/null); then
    if ! firewall-cmd --permanent --policy plimsoll --list-rich-rules >/dev/null 2>&1; then
      echo "firewalld still runs with a policy that its files do not have (the reload that made it was taken back, or someone removed it); see that \`firewall-cmd --reload\` lets you in, then plan again"
      return 1
    fi
    rm -f /var/lib/plimsoll/reverted.sh
  else
    firewalld_runs || return 1
    made_policy=no
    if ! firewall-cmd --permanent --policy plimsoll --list-rich-rules >/dev/null 2>&1; then
      # Compared before our policy makes the two differ.
      running=$(firewalld_settings) && permanent=$(firewalld_settings --permanent) || return 1
      if [ "$running" != "$permanent" ]; then
        echo "firewalld runs with settings that a reload would drop ($(firewalld_difference "$running" "$permanent")); keep them with \`firewall-cmd --runtime-to-permanent\` or drop them with \`firewall-cmd --reload\`, then plan again"
        return 1
      fi
      made_policy=yes
      firewall-cmd --permanent --new-policy plimsoll &&
        firewall-cmd --permanent --policy plimsoll --set-priority 100 &&
        firewall-cmd --permanent --policy plimsoll --add-ingress-zone ANY &&
        firewall-cmd --permanent --policy plimsoll --add-egress-zone HOST || return 1
    fi
    reload_firewalld "$made_policy" || return 1
    now=$(firewall-cmd --policy plimsoll --list-rich-rules)
  fi
  kept=$(firewall-cmd --permanent --policy plimsoll --list-rich-rules)
  firewalld_options "$kept" out --add-rich-rule "$@" | firewalld_with --permanent --policy plimsoll || return 1
  firewalld_options "$now" out --add-rich-rule "$@" | firewalld_with --policy plimsoll
}
close_firewalld() {
  [ -e /etc/firewalld/policies/plimsoll.xml ] || return 0
  if [ "$(firewall-cmd --state 2>/dev/null)" != running ]; then
    for rule; do firewall-offline-cmd --policy plimsoll --remove-rich-rule "$rule" || return 1; done
    if [ -z "$(firewall-offline-cmd --policy plimsoll --list-rich-rules)" ]; then
      firewall-offline-cmd --delete-policy plimsoll || return 1
      rm -f /etc/firewalld/policies/plimsoll.xml.old
    fi
    return 0
  fi
  now=$(firewall-cmd --policy plimsoll --list-rich-rules 2>/dev/null)
  kept=$(firewall-cmd --permanent --policy plimsoll --list-rich-rules)
  firewalld_options "$now" in --remove-rich-rule "$@" | firewalld_with --policy plimsoll || return 1
  firewalld_options "$kept" in --remove-rich-rule "$@" | firewalld_with --permanent --policy plimsoll || return 1
  [ -z "$(firewall-cmd --permanent --policy plimsoll --list-rich-rules)" ] || return 0
  same=no
  if running=$(firewalld_settings) && permanent=$(firewalld_settings --permanent) && [ "$running" = "$permanent" ]; then same=yes; fi
  firewall-cmd --permanent --delete-policy plimsoll || return 1
  rm -f /etc/firewalld/policies/plimsoll.xml.old
  # An empty policy that still runs does nothing; where a reload would drop settings of others it goes with the next one.
  if [ "$same" = yes ]; then reload_firewalld no; fi
}
expect_firewalld() {
  firewall-cmd --policy plimsoll --query-rich-rule "$1" >/dev/null 2>&1 || moved="${moved:-}the firewalld rule $1 is gone
"
}
