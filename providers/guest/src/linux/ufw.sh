# ufw takes its rules itself and keeps them. It is never switched on here: that could cut this very connection.
ufw_notes() { cat /etc/ufw/user.rules /etc/ufw/user6.rules 2>/dev/null | grep -Fqx "$1"; }
# The same rule with another comment, or none, is the administrator's: to add it again would take it over.
open_ufw() {
  note=$1
  shift
  if ufw_notes "$note"; then return 0; fi
  if cat /etc/ufw/user.rules /etc/ufw/user6.rules 2>/dev/null | sed 's/ comment=.*//' | grep -Fqx "${note% comment=*}"; then
    echo 'ufw has this rule already, and not from plimsoll: plan again'
    return 1
  fi
  ufw "$@" comment plimsoll && ufw_notes "$note"
}
# ufw deletes by the rule without its comment and succeeds when there is none: so look before and after.
close_ufw() {
  note=$1
  shift
  if have ufw && ufw_notes "$note"; then
    ufw delete "$@" || return 1
    ! ufw_notes "$note"
  fi
}
expect_ufw() {
  ufw_notes "$1" || moved="${moved:-}the ufw rule \`$1\` is gone
"
}
