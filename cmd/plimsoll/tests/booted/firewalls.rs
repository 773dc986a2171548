use crate::bed::{Bed, Place};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    UfwOn,
    UfwOff,
    Firewalld,
    Nftables,
    Iptables,
    None,
}

impl Kind {
    /// Another login shell for each, so that each is met once on the whole way.
    pub fn login_shell(self) -> &'static str {
        match self {
            Self::UfwOn => "/bin/bash",
            Self::UfwOff => "/bin/dash",
            Self::Firewalld => "/usr/bin/zsh",
            Self::Nftables => "/usr/local/bin/ash",
            Self::Iptables => "/bin/sh",
            Self::None => "/usr/bin/fish",
        }
    }

    /// Whether it refuses what nobody opened.
    pub fn refuses(self) -> bool {
        !matches!(self, Self::UfwOff | Self::None)
    }

    /// What an administrator did before plimsoll came: the firewall with ssh let in, one client kept out, and the very rule
    /// that the frontend `purple` needs. All of it is there again after a boot.
    pub fn set_up(self, bed: &Bed, machine: &str) {
        let sh = |script: &str| bed.inside(machine, script);
        sh(NETPLAN);
        match self {
            Self::UfwOn => {
                sh(UFW);
                sh("systemctl -q enable ufw; ufw --force enable");
            }
            Self::UfwOff => {
                sh(UFW);
                sh("systemctl -q enable ufw");
            }
            Self::Firewalld => {
                sh(FIREWALLD);
            }
            Self::Nftables => {
                bed.put(machine, Path::new("/etc/nftables.conf"), NFTABLES);
                sh("systemctl -q enable nftables; systemctl start nftables");
            }
            Self::Iptables => {
                sh(IPTABLES);
            }
            Self::None => {}
        }
    }

    /// How someone denies what comes to a place, before any rule that lets it in.
    pub fn deny(self, place: Place) -> String {
        let Place {
            protocol,
            address,
            port,
        } = place;
        let (family, tables) = family(place);
        match self {
            // The same rule with another verb would be taken for ours.
            Self::UfwOn => format!("ufw prepend deny {port}/{protocol}"),
            Self::Firewalld => format!("firewall-cmd -q --add-rich-rule='{}'", rich(place, "drop")),
            Self::Nftables => format!(
                "nft insert rule inet filter input {family} daddr {address} {protocol} dport {port} drop comment planted"
            ),
            Self::Iptables => {
                format!("{tables} -I INPUT -d {address} -p {protocol} --dport {port} -j DROP")
            }
            Self::UfwOff | Self::None => format!(
                "nft 'table inet planted {{ chain input {{ type filter hook input priority 0; {family} daddr {address} {protocol} dport {port} drop; }}; }}'"
            ),
        }
    }

    /// Takes the denial away.
    pub fn undo_deny(self, place: Place) -> String {
        let Place {
            protocol,
            address,
            port,
        } = place;
        let (_, tables) = family(place);
        match self {
            Self::UfwOn => format!("ufw delete deny {port}/{protocol}"),
            Self::Firewalld => format!(
                "firewall-cmd -q --remove-rich-rule='{}'",
                rich(place, "drop")
            ),
            Self::Nftables => "nft delete rule inet filter input handle $(nft -a list chain inet filter input | sed -n '/\"planted\"/s/.*handle //p')".to_owned(),
            Self::Iptables => format!("{tables} -D INPUT -d {address} -p {protocol} --dport {port} -j DROP"),
            Self::UfwOff | Self::None => "nft delete table inet planted".to_owned(),
        }
    }

    /// How a place becomes closed: someone takes our opening away, or switches on a firewall that was off.
    pub fn close(self, place: Place) -> String {
        let Place {
            protocol,
            address,
            port,
        } = place;
        let (family, tables) = family(place);
        match self {
            Self::UfwOn => format!("ufw delete allow proto {protocol} to {address} port {port}"),
            Self::UfwOff => "ufw --force enable".to_owned(),
            Self::Firewalld => format!(
                "firewall-cmd -q --policy plimsoll --remove-rich-rule='{}'",
                rich(place, "accept")
            ),
            Self::Nftables => format!(
                "nft delete rule inet filter input handle $(nft -a list chain inet filter input | \
                 sed -n '/{family} daddr {address} {protocol} dport {port} /s/.*handle //p')"
            ),
            Self::Iptables => format!(
                r"{tables}-save | sed -n 's/^-A \(INPUT -d {address}.* --dport {port} .*\)/{tables} -D \1/p' | sh"
            ),
            Self::None => "nft 'table inet late { chain input { type filter hook input priority 0; policy drop; \
                 ct state established,related accept; iif lo accept; meta l4proto { icmp, ipv6-icmp } accept; tcp dport 22 accept; }; }'"
                .to_owned(),
        }
    }

    /// Switches off what [`Kind::close`] switched on.
    pub fn undo_close(self) -> Option<&'static str> {
        match self {
            Self::UfwOff => Some(UFW_GOES),
            Self::None => Some("nft delete table inet late"),
            Self::UfwOn | Self::Firewalld | Self::Nftables | Self::Iptables => None,
        }
    }
}

/// nft's word, and the tool of iptables.
fn family(place: Place) -> (&'static str, &'static str) {
    if place.address.is_ipv4() {
        ("ip", "iptables")
    } else {
        ("ip6", "ip6tables")
    }
}

fn rich(place: Place, action: &str) -> String {
    let family = if place.address.is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    format!(
        "rule family=\"{family}\" destination address=\"{}\" port port=\"{}\" protocol=\"{}\" {action}",
        place.address, place.port, place.protocol
    )
}

/// Addresses of the administrator's on the loopback interface.
const NETPLAN: &str = "set -e
cat >/etc/netplan/60-admin.yaml <<'END'
network:
    version: 2
    ethernets:
        lo:
            match: {name: lo}
            addresses: [9.9.9.9/32, 'fd99::9/128']
END
chmod 600 /etc/netplan/60-admin.yaml
netplan generate
networkctl reload
for turn in 1 2 3 4 5 6 7 8 9 10; do ip -o addr show dev lo | grep -q fd99::9 && exit 0; sleep 0.2; done
exit 1
";

/// `ufw disable` leaves its chains and kernel settings as they are.
const UFW_GOES: &str = "ufw disable; nft flush ruleset
for what in ipv4.conf.all ipv4.conf.default ipv6.conf.all ipv6.conf.default; do sysctl -qw net.$what.accept_redirects=1; done
";

const UFW: &str = "set -e
ufw --force reset >/dev/null
rm -f /etc/ufw/*.20*
ufw allow 22/tcp comment 'the way in'
ufw deny from 192.0.2.7 comment 'a nuisance'
ufw deny from fd20::7 comment 'a nuisance'
ufw allow proto tcp to 65.52.0.2 port 80 comment 'mine, not yours'
";

const FIREWALLD: &str = r#"set -e
systemctl -q unmask firewalld
systemctl -q enable --now firewalld
firewall-cmd -q --permanent --add-rich-rule='rule family="ipv4" source address="192.0.2.7" drop'
firewall-cmd -q --permanent --add-rich-rule='rule family="ipv6" source address="fd20::7" drop'
firewall-cmd -q --permanent --add-rich-rule='rule family="ipv4" destination address="65.52.0.2" port port="80" protocol="tcp" accept'
firewall-cmd -q --reload
rm -f /etc/firewalld/zones/*.old
"#;

const NFTABLES: &str = r#"#!/usr/sbin/nft -f
flush ruleset

table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif "lo" accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport 22 accept comment "the way in"
		ip saddr 192.0.2.7 drop comment "a nuisance"
		ip6 saddr fd20::7 drop comment "a nuisance"
		ip daddr 65.52.0.2 tcp dport 80 accept comment "mine, not yours"
	}
}
"#;

const IPTABLES: &str = r#"set -e
for tool in iptables ip6tables; do
  case $tool in ip6tables) icmp=ipv6-icmp ;; *) icmp=icmp ;; esac
  $tool -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  $tool -A INPUT -i lo -j ACCEPT
  $tool -A INPUT -p $icmp -j ACCEPT
  $tool -A INPUT -p tcp -m tcp --dport 22 -m comment --comment "the way in" -j ACCEPT
  if [ $tool = ip6tables ]; then
    ip6tables -A INPUT -s fd20::7/128 -m comment --comment "a nuisance" -j DROP
  else
    iptables -A INPUT -s 192.0.2.7/32 -m comment --comment "a nuisance" -j DROP
    iptables -A INPUT -d 65.52.0.2/32 -p tcp -m tcp --dport 80 -m comment --comment "mine, not yours" -j ACCEPT
  fi
  $tool -P INPUT DROP
  $tool-save >/etc/$tool.rules
done
cat >/etc/systemd/system/netfilter-persistent.service <<'END'
[Unit]
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'iptables-restore /etc/iptables.rules && ip6tables-restore /etc/ip6tables.rules'
[Install]
WantedBy=multi-user.target
END
systemctl -q enable netfilter-persistent
systemctl start netfilter-persistent
"#;
