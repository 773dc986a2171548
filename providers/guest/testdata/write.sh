# plimsoll: guest.vm["a"], deployment web-prod, run 7
#   holds address 65.52.0.1
#   holds firewall tcp port 80 to 65.52.0.1
#   holds address fd00:f1::1
{
…
begin
refuse_older_run web-prod 7
expect_record 'absent' 'd14d15c2edfee58f722c4fc55bdcf68ae0ec4a07440c60f2e6e20a5fdf3dfbe7'
refuse_if_moved

write_file /var/lib/plimsoll/record.json 600 <<'PLIMSOLL'
{
  "format": "plimsoll-guest-record",
  "version": 1,
  "runs": {
    "web-prod": 7
  },
  "entries": {
    "address 65.52.0.1": {
      "claims": [
        {
          "deployment": "web-prod",
          "lineage": "lineage"
        }
      ]
    },
    "address fd00:f1::1": {
      "claims": [
        {
          "deployment": "web-prod",
          "lineage": "lineage"
        }
      ]
    },
    "firewall tcp port 80 to 65.52.0.1": {
      "claims": [
        {
          "deployment": "web-prod",
          "lineage": "lineage"
        }
      ]
    }
  }
}
PLIMSOLL
write_file /var/lib/plimsoll/boot.sh 600 <<'PLIMSOLL'
#!/bin/sh
# Made by plimsoll from record.json beside it, and written anew with it. plimsoll.service runs it at boot.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
status=0
# Rules of ours in the chains of others: found by their exact text, put at the end of what the chain admits. A ruleset can
# be large, so rules are first collected, and each chain is listed once.
want_nft() {
  nft_wanted="${nft_wanted:-}$*
"
}
# The commands that are missing in one chain. Appended, never put first: whatever the administrator refuses by a rule of
# their own stays refused. A last rule that refuses everything is like a policy: ours go before it.
nft_missing() {
  if ! listed=$(nft -a list chain "$1" "$2" "$3" 2>&1); then
    echo "$listed" >&2
    return 1
  fi
  printf '%s\n=\n%s\n' "${nft_wanted:-}" "$listed" | awk -v place="$1 $2 $3" '
    $0 == "=" { listing = 1; next }
    !listing { if (index($0, place " ") == 1) wanted[++count] = substr($0, length(place) + 2); next }
    { sub(/^[ \t]+/, ""); at = match($0, / # handle [0-9]+$/); if (!at) next
      handle = substr($0, at + 10); rule = substr($0, 1, at - 1); there[rule] = 1
      sub(/ comment "[^"]*"$/, "", rule); gsub(/counter packets [0-9]+ bytes [0-9]+ /, "", rule)
      sub(/^log( prefix "[^"]*")?( level [a-z]+)?( flags [a-z ,]+)? /, "", rule)
      if (!last && (rule == "drop" || rule ~ /^reject( with [a-z0-9 -]+)?$/)) last = handle }
    END { for (i = 1; i <= count; i++) if (!(wanted[i] in there)) {
        there[wanted[i]] = 1
        print (last ? "insert rule " place " handle " last : "add rule " place) " " wanted[i] } }'
}
# One transaction a chain: all of its rules or none.
open_nft() {
  failed=0
  for place in $(printf '%s' "${nft_wanted:-}" | awk '!seen[$1 "|" $2 "|" $3]++ { print $1 "|" $2 "|" $3 }'); do
    chain=${place##*|}
    table=${place%|*}
    if missing=$(nft_missing "${table%%|*}" "${table#*|}" "$chain"); then
      [ -z "$missing" ] || printf '%s\n' "$missing" | nft -f - || failed=1
    else
      failed=1
    fi
  done
  return "$failed"
}
# Wherever our rules stand, also in chains that no longer refuse anything.
close_nft() {
  have nft || return 0
  found=$({ printf '%s\n' "$@" && echo '=' && nft -a list ruleset 2>/dev/null; } | awk '
    $0 == "=" { listing = 1; next }
    !listing { ours[$0] = 1; next }
    { sub(/^[ \t]+/, "") }
    $1 == "table" { table = $2 " " $3 }
    $1 == "chain" { chain = $2 }
    { at = match($0, / # handle [0-9]+$/) }
    at && (substr($0, 1, at - 1) in ours) { print "delete rule " table " " chain " handle " substr($0, at + 10) }')
  [ -z "$found" ] || printf '%s\n' "$found" | nft -f -
}
expect_nft() {
  if ! nft -a list chain "$1" "$2" "$3" 2>/dev/null | grep -Fq "	$4 # handle "; then
    moved="${moved:-}rule $4 is gone from $1 $2 $3
"
  fi
}
ip -4 addr replace 65.52.0.1/32 dev lo || status=1 # plimsoll: address 65.52.0.1
ip -6 addr replace fd00:f1::1/128 dev lo nodad || status=1 # plimsoll: address fd00:f1::1
want_nft inet filter input 'ip daddr 65.52.0.1 tcp dport 80 accept comment "plimsoll"' # plimsoll: firewall tcp port 80 to 65.52.0.1
open_nft || status=1
exit "$status"
# sha256 89a9ade78e757a849f6920718d9a8ccf30903dafb4514e2a2340baef210dced5
PLIMSOLL
write_file /etc/systemd/system/plimsoll.service 644 <<'PLIMSOLL'
# Made by plimsoll: puts back at boot what load balancer rules need in this machine. It goes with the last of it.
[Unit]
Description=Load balancer frontend addresses and firewall rules (plimsoll)
DefaultDependencies=no
RequiresMountsFor=/var/lib/plimsoll
# Firewalls load their own rules first, ours go behind them; both before any service binds an address.
After=systemd-sysctl.service nftables.service netfilter-persistent.service iptables.service ip6tables.service
Before=network-pre.target network.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /var/lib/plimsoll/boot.sh

[Install]
WantedBy=multi-user.target
PLIMSOLL
link_unit
add_address 65.52.0.1/32
want_nft inet filter input 'ip daddr 65.52.0.1 tcp dport 80 accept comment "plimsoll"'
add_address fd00:f1::1/128
attempt firewall open_nft
print_facts
exit 0
}
