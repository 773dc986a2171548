# Who calls this came over a connection that was made after the change: new ones come through, and the change stays.
confirm() {
  [ "$(id -u)" = 0 ] || refuse 77 'not root'
  trap end EXIT
  take_lock
  waiting=$(print_unconfirmed)
  case $waiting in
  reverted.sh*) refuse 71 "$waiting" ;;
  '') return 0 ;;
  esac
  # Either this or the machine's own clock gets the file.
  mv /var/lib/plimsoll/revert.sh /var/lib/plimsoll/confirmed.sh 2>/dev/null || refuse 71 "$waiting"
  if have systemctl; then systemctl stop plimsoll-revert.timer >/dev/null 2>&1; fi
  rm -f /var/lib/plimsoll/confirmed.sh /var/lib/plimsoll/revert.nft /var/lib/plimsoll/revert.iptables /var/lib/plimsoll/revert.ip6tables
}
