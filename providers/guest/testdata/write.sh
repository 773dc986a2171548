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
ip -4 addr replace 65.52.0.1/32 dev lo || status=1 # plimsoll: address 65.52.0.1
ip -6 addr replace fd00:f1::1/128 dev lo nodad || status=1 # plimsoll: address fd00:f1::1
: # plimsoll: firewall tcp port 80 to 65.52.0.1
exit "$status"
# sha256 0c5084c313db07e4662e6917b85449e3ba1d022f4ee0c13a3e44e7355103602a
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
add_address fd00:f1::1/128
print_facts
exit 0
}
