# What this machine is like, read only: one framed answer. A tool that is missing leaves its section out.
# Every line of an output is marked, so that nothing in it can be taken for a frame.
print_section() {
  printf '== %s %s\n' "$1" "$2"
  [ -z "$3" ] || printf '%s\n' "$3" | sed 's/^/|/'
}
command_section() {
  section=$1
  shift
  if have "$1"; then
    printed=$("$@" 2>/dev/null)
    status=$?
    [ -z "${PLIMSOLL_COMPACT:-}" ] || printed=$(printf '%s\n' "$printed" | compact)
    print_section "$section" "$status" "$printed"
  else
    print_section "$section" missing ''
  fi
}
# Where little comes back, in several windows: without what counts and ticks, and without what nobody reads.
compact() {
  sed -e '/^# /s/ on [A-Z][a-z][a-z] [A-Z][a-z][a-z] .*$//' -e '/^# Completed/d' \
    -e '/^:/s/\[[0-9]*:[0-9]*\]/[0:0]/' -e 's/ valid_lft .*$//' \
    -e 's/"handle": [0-9]*, //g' -e 's/"packets": [0-9]*, "bytes": [0-9]*/"packets": 0, "bytes": 0/g' \
    -e 's/,pid=[0-9]*,fd=[0-9]*//g' -e 's/^\([a-z][a-z]* *[A-Z][A-Z]* *\)[0-9][0-9]* *[0-9][0-9]* /\10 0 /'
}
file_section() {
  if [ -e "$2" ]; then
    printed=$(cat "$2" 2>/dev/null)
    print_section "$1" "$?" "$printed"
  else
    print_section "$1" absent ''
  fi
}
# Not by `read`: dash reads byte by byte, and these files answer only the first read.
print_settings() {
  grep -H '' \
    /proc/sys/net/ipv4/conf/*/rp_filter \
    /proc/sys/net/ipv4/conf/all/arp_ignore /proc/sys/net/ipv4/conf/lo/arp_ignore \
    /proc/sys/net/ipv4/conf/all/arp_announce \
    /proc/sys/net/ipv4/tcp_timestamps /proc/sys/net/ipv4/ip_forward \
    /proc/sys/net/ipv6/conf/all/forwarding \
    /proc/sys/net/ipv4/ip_nonlocal_bind /proc/sys/net/ipv6/ip_nonlocal_bind \
    /proc/sys/net/ipv4/ip_local_port_range /proc/sys/net/ipv4/ip_local_reserved_ports \
    /proc/sys/net/ipv6/conf/all/disable_ipv6 /proc/sys/net/ipv6/conf/lo/disable_ipv6 2>/dev/null |
    sed -e 's|^/proc/sys/||' -e 's/:/=/'
}
# The driver tells the NICs that the host gives from those that software makes. `/sys` can be another namespace's, so the
# hardware address goes with it and is compared.
print_drivers() {
  for directory in /sys/class/net/*/device/driver; do
    [ -e "$directory" ] || continue
    interface=${directory%/device/driver}
    IFS= read -r hardware <"$interface/address" || continue
    driver=$(readlink "$directory") || continue
    echo "${interface##*/} $hardware ${driver##*/}"
  done
}
# Files that give interfaces addresses at boot, and every word in them that looks like an address. Nothing else of them is
# shown, because some hold secrets.
print_persisted() {
  set --
  for file in /etc/netplan/*.yaml /etc/systemd/network/*.network /etc/systemd/network/*.network.d/*.conf \
    /etc/network/interfaces /etc/network/interfaces.d/* /etc/sysconfig/network-scripts/ifcfg-* \
    /etc/sysconfig/network/ifcfg-* /etc/NetworkManager/system-connections/*.nmconnection \
    /etc/keepalived/*.conf /etc/rc.local /etc/systemd/system/*.service; do
    if [ -f "$file" ] && [ "$file" != /etc/systemd/system/plimsoll.service ]; then set -- "$@" "$file"; fi
  done
  [ "$#" -gt 0 ] || return 0
  awk '/^[ \t]*[#;]/ || /[Gg]ateway|nameserver|DNS|NTP|via/ { next }
    FILENAME ~ /\.service$/ && !/addr/ { next }
    { while (match($0, /[0-9A-Fa-f:.]*[0-9A-Fa-f:][:.][0-9A-Fa-f:.]+(\/[0-9]+)?/)) {
        word = substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH)
        if (word ~ /[0-9A-Fa-f]/ && !seen[FILENAME word]++) print word " " FILENAME } }' "$@" 2>/dev/null
}
# FAMILY FAR: the way of an answer to that address, for each address that is not only for this machine: one line for each way.
print_ways() {
  ip -o "-$1" addr show 2>/dev/null | awk -v far="$2" '$4 !~ /^(127\.|::1\/|fe80:)/ {
    sub("/.*", "", $4); print "route get " far " from " $4 }' | ip "-$1" -o -force -batch - 2>/dev/null | awk '{
    from = ""; dev = ""; via = "-"
    for (i = 1; i < NF; i++) { if ($i == "from") from = $(i + 1); if ($i == "dev") dev = $(i + 1); if ($i == "via") via = $(i + 1) }
    if (from != "" && dev != "") ways[dev " " via] = ways[dev " " via] " " from }
    END { for (way in ways) print way ways[way] }' | sort
}
# The far ends of clients are addresses that documentation is written with; probes come from the platform's own.
print_replies() {
  print_ways 4 192.0.2.1
  print_ways 6 2001:db8::1
}
print_probe_replies() { print_ways 4 168.63.129.16; }
print_record_digest() { sha256sum </var/lib/plimsoll/record.json; }
print_sections() {
  command_section hostname uname -n
  command_section user id -u
  file_section boot_id /proc/sys/kernel/random/boot_id
  command_section init print_init
  printed=
  if [ -z "${PLIMSOLL_COMPACT:-}" ]; then command_section addresses ip -j addr show; fi
  # BusyBox's ip knows no -j.
  case $printed in '['*) ;; *) command_section addresses_text ip -o addr show ;; esac
  # Asked for one family at a time: together, `*:80` does not tell which families a socket serves.
  command_section listeners4 ss -H -4 -ltnup
  command_section listeners6 ss -H -6 -ltnup
  command_section links ip -o link show
  command_section drivers print_drivers
  command_section persisted print_persisted
  command_section replies print_replies
  command_section probe_replies print_probe_replies
  command_section settings print_settings
  command_section nftables nft -j list ruleset
  command_section iptables iptables-save
  command_section ip6tables ip6tables-save
  # Both backends can be loaded at once. Asking the old one about tables that do not exist would load them.
  if has_text /proc/net/ip_tables_names; then command_section iptables_legacy iptables-legacy-save; fi
  if has_text /proc/net/ip6_tables_names; then command_section ip6tables_legacy ip6tables-legacy-save; fi
  if have ufw; then
    file_section ufw_conf /etc/ufw/ufw.conf
    file_section ufw_rules /etc/ufw/user.rules
    file_section ufw_rules6 /etc/ufw/user6.rules
  fi
  # Without a bus there is nobody to ask, and asking takes a second.
  if have firewall-cmd && [ -S /run/dbus/system_bus_socket ]; then
    command_section firewalld firewall-cmd --state
  fi
  file_section firewalld_policy /etc/firewalld/policies/plimsoll.xml
  file_section record /var/lib/plimsoll/record.json
  if [ -e /var/lib/plimsoll/record.json ]; then command_section record_digest print_record_digest; fi
  if [ -z "${PLIMSOLL_COMPACT:-}" ]; then
    file_section boot /var/lib/plimsoll/boot.sh
  elif [ -e /var/lib/plimsoll/boot.sh ]; then
    command_section boot_lines print_boot_lines
  fi
  command_section unconfirmed print_unconfirmed
  file_section unit /etc/systemd/system/plimsoll.service
  command_section wants readlink /etc/systemd/system/multi-user.target.wants/plimsoll.service
}
print_facts() {
  body=$(print_sections)
  # The length first, the end mark last: an answer that was cut anywhere is not believed.
  printf '\nplimsoll-facts 1 %s\n%s\nplimsoll-facts-end\n' "$(($(printf '%s' "$body" | wc -c)))" "$body"
}
