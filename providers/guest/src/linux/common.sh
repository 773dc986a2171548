PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
have() { command -v "$1" >/dev/null 2>&1; }
print_init() {
  if [ -d /run/systemd/system ]; then echo systemd; else cat /proc/1/comm; fi
}
# The lines that name an entry, where the digest says that nobody but us has written them.
print_boot_lines() {
  found=$(sed '$d' /var/lib/plimsoll/boot.sh | sha256sum) || return 1
  if [ "$(tail -n 1 /var/lib/plimsoll/boot.sh)" = "# sha256 ${found%% *}" ]; then
    grep ' # plimsoll: ' /var/lib/plimsoll/boot.sh
  fi
}
# Files of /proc have no size.
has_text() { grep -q . "$1" 2>/dev/null; }
# A change that waits to be confirmed, or that this machine took back because nobody did. After a boot neither means
# anything: it began with what its files say.
print_unconfirmed() {
  boot=$(cat /proc/sys/kernel/random/boot_id)
  for file in revert.sh reverted.sh; do
    said=$(sed -n "2s/^# boot $boot //p" "/var/lib/plimsoll/$file" 2>/dev/null)
    if [ -n "$said" ]; then
      echo "$file $said"
      return 0
    fi
  done
}
