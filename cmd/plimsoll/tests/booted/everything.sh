ip -o addr | sed 's/valid_lft.*//; s/ scope.*//' | sort
ip rule
ip -6 rule
ip route show table all | grep -v '^local\|^broadcast\|^anycast\|^multicast' | sed 's/ expires [0-9]*sec//' | sort
ip -6 route show table all | grep -v '^local\|^broadcast\|^anycast\|^multicast' | sed 's/ expires [0-9]*sec//' | sort
# Tables without anything in them are left out: ufw and iptables make them by looking.
nft -s list ruleset 2>/dev/null | grep -v '^# Warning' |
  awk '/^table / { table = $0; next } table != "" { if ($0 == "}") { table = ""; next } print table; table = "" } { print }'
for tool in iptables ip6tables iptables-legacy ip6tables-legacy; do
  echo "= $tool"
  $tool-save 2>/dev/null | sed -e '/^#/d' -e 's/ \[.*//' | awk '
    /^\*/ { table = $0; some = 0; next }
    /^COMMIT/ { if (some) print table "\n" $0; next }
    { table = table "\n" $0; if ($0 !~ /^:[A-Z]* ACCEPT$/) some = 1 }'
done
# Settings that nobody but the kernel changes by itself are left out.
sysctl -a 2>/dev/null | grep '^net\.ipv[46]\.\(conf\|ip_\|tcp_timestamps\)' | grep -v '\.stable_secret\|\.use_tempaddr'
systemctl list-unit-files --no-legend --no-pager | sed 's/  *$//'
find /etc /var/lib/plimsoll /var/lib/ufw \( -type f -o -type l \) ! -name record.json \
  ! -name .updated ! -name mtab ! -name 'resolv.conf*' ! -name machine-id -print0 2>/dev/null |
  sort -z | xargs -0 sha256sum 2>/dev/null
# Modes, owners and where links lead, folders too.
find /etc /var/lib/plimsoll /run/systemd/system \( -name .updated -o -name mtab -o -name 'resolv.conf*' -o -name machine-id \) -prune \
  -o -printf '%M %U:%G %p %l\n' 2>/dev/null | grep -v ' /var/lib/plimsoll\(/record.json\)\? $' | sort
