# Made by plimsoll: takes back a reload of firewalld when nobody has confirmed in time that new connections come through.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
# One that was sent for an earlier change comes too late.
[ "${1:-$token}" = "$token" ] || exit 0
# The script that did it may still be at work; one that hangs is not waited for any longer.
if command -v flock >/dev/null 2>&1; then
  exec 9</var/lib/plimsoll
  flock -w 120 9
fi
# Either this or the confirmation gets the file.
mv /var/lib/plimsoll/revert.sh /var/lib/plimsoll/reverted.sh || exit 0
kept_table() {
  printf 'table inet firewalld\ndelete table inet firewalld\n'
  cat /var/lib/plimsoll/revert.nft
}
if [ -s /var/lib/plimsoll/revert.nft ]; then
  # A table that firewalld alone may change goes when it stops.
  kept_table | nft -f - || { systemctl stop firewalld && kept_table | nft -f -; }
fi
for tool in iptables ip6tables; do
  [ ! -s "/var/lib/plimsoll/revert.$tool" ] || "$tool-restore" <"/var/lib/plimsoll/revert.$tool"
done
if [ "$made_policy" = yes ]; then
  firewall-cmd --permanent --delete-policy plimsoll || rm -f /etc/firewalld/policies/plimsoll.xml
  rm -f /etc/firewalld/policies/plimsoll.xml.old
fi
rm -f /var/lib/plimsoll/revert.nft /var/lib/plimsoll/revert.iptables /var/lib/plimsoll/revert.ip6tables
