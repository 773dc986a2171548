//! Inside a guest: probe, address, firewall, listener and the way back, from its facts.

use super::member::{Candidate, Way};
use super::{Fix, Hop, HopKind, HopState, security};
use crate::config::GuestMode;
use crate::model::guest::{
    AZURE_PROBE_SOURCE, EntryKey, FirewallKind, GuestFacts, InterfaceAddress, Packet, STRICT_IPV6,
    Verdict, WeakHost,
};
use crate::model::{Addr, Protocol, Where};
use std::net::{IpAddr, SocketAddr};

pub(super) fn hops(
    way: &Way<'_>,
    candidate: &Candidate<'_>,
    guest: &Addr,
    facts: &GuestFacts,
) -> Vec<Hop> {
    let inside = Inside {
        way,
        candidate,
        guest,
        facts,
    };
    let mut hops = vec![inside.probe()];
    let destination = if way.floating {
        Some(way.question.destination.socket.ip())
    } else {
        candidate.own_address
    };
    let Some(destination) = destination else {
        hops.push(Hop::unknown(
            HopKind::Address,
            "the VM's own address is not known",
        ));
        return hops;
    };
    hops.push(inside.address(destination));
    hops.extend(inside.weak_host(destination));
    hops.push(inside.firewall(destination));
    hops.push(inside.listener(destination));
    hops.push(inside.reply(destination));
    hops
}

const UNHEALTHY: &str = "Azure sends a member without an answer to its probe nothing";
const UNLOGGED: &str =
    "the kernel drops such packets when they arrive, and nothing logs it: plimsoll explain PL0312";

struct Inside<'a> {
    way: &'a Way<'a>,
    candidate: &'a Candidate<'a>,
    guest: &'a Addr,
    facts: &'a GuestFacts,
}

impl Inside<'_> {
    /// Apply does what the configuration asks for; what nobody here declares, a person has to do.
    fn fix(&self, by_hand: impl Into<String>) -> Fix {
        if self.way.ours {
            Fix::Apply {
                guest: self.guest.clone(),
            }
        } else {
            Fix::Hand {
                what: by_hand.into(),
            }
        }
    }

    /// Azure asks the VM's own address, also for floating IP rules.
    fn probe(&self) -> Hop {
        let Some(probe) = self.way.probe else {
            return Hop::new(
                HopKind::Probe,
                HopState::NotAsked,
                "the rule has none: Azure takes every member for healthy",
            );
        };
        let port = probe.int("port").and_then(|p| u16::try_from(p).ok());
        let (Some(own), Some(port)) = (self.candidate.own_address, port) else {
            return Hop::unknown(HopKind::Probe, "the VM's own address is not known");
        };
        let path = probe.text("request_path").unwrap_or_default();
        let at = format!("{}{path}", SocketAddr::new(own, port));
        let packet = Packet {
            protocol: Protocol::Tcp,
            source: own.is_ipv4().then_some(AZURE_PROBE_SOURCE),
            destination: own,
            port: Some(port),
        };
        let outside = security::probe(self.way, self.candidate, own, port);
        if let Some(hop) = outside.or_else(|| self.filtered_probe(own, &at)) {
            return match hop.state {
                HopState::Broken => hop.note(UNHEALTHY),
                _ => hop,
            };
        }
        match self.facts.firewall.judge(&packet) {
            Verdict::Refused {
                rule,
                chain,
                by_default,
                ..
            } => {
                let opened_in = by_default.then_some(chain.as_str());
                return Hop::broken(
                    HopKind::Probe,
                    format!("{at}: {rule} refuses {AZURE_PROBE_SOURCE}"),
                    self.firewall_fix(opened_in, &rule, &packet),
                )
                .note(UNHEALTHY);
            }
            Verdict::Unclear { rule, .. } => {
                return Hop::unknown(
                    HopKind::Probe,
                    format!("{at}: plimsoll cannot judge {rule}"),
                );
            }
            Verdict::Admitted { .. } => {}
        }
        match self.facts.listens(Protocol::Tcp, own, Some(port)) {
            Some(listener) => {
                let process = listener.process.as_deref().unwrap_or("a process");
                let hop = Hop::passes(HopKind::Probe, format!("{at}: {process} listens"));
                if path.is_empty() {
                    hop
                } else {
                    hop.note("whether it answers 200 is not asked")
                }
            }
            None if self.listeners_unread() => {
                Hop::unknown(HopKind::Probe, format!("{at}: listeners could not be read"))
            }
            None => Hop::broken(
                HopKind::Probe,
                format!("nothing answers on {at}"),
                Fix::Hand {
                    what: match self.way.mode {
                        GuestMode::Cluster => {
                            format!("let the cluster open port {port} where it holds the address")
                        }
                        GuestMode::Loopback | GuestMode::None => format!(
                            "let a service in {} listen on {}",
                            self.guest.name(),
                            SocketAddr::new(own, port)
                        ),
                    },
                },
            )
            .note(UNHEALTHY),
        }
    }

    /// The kernel drops a probe before the firewall sees it where the way back is by another interface. On Azure a route to
    /// the platform's address comes with DHCP, for the first NIC alone.
    fn filtered_probe(&self, own: IpAddr, at: &str) -> Option<Hop> {
        let arrives = self.interface_of(own)?;
        let back = self.facts.network.probe_reply_from(own)?;
        (back.interface != arrives && self.strict_reverse_path(arrives)).then(|| {
            Hop::broken(
                HopKind::Probe,
                format!(
                    "{at}: the way to {AZURE_PROBE_SOURCE} is by {}, and rp_filter is strict on {arrives}",
                    back.interface
                ),
                self.loosen(arrives),
            )
            .note(UNLOGGED)
        })
    }

    fn loosen(&self, interface: &str) -> Fix {
        Fix::Hand {
            what: format!(
                "in {}: sysctl -w net.ipv4.conf.{interface}.rp_filter=2, or a route table of its own for {interface}",
                self.guest.name()
            ),
        }
    }

    fn interface_of(&self, own: IpAddr) -> Option<&str> {
        self.facts.holds(own).map(|held| held.interface.as_str())
    }

    fn address(&self, destination: IpAddr) -> Hop {
        match self.facts.holds(destination) {
            Some(held) if !self.way.floating => Hop::passes(
                HopKind::Address,
                format!("{} on {}, the VM's own", held.address, held.interface),
            ),
            Some(held) => self.held(held),
            None => self.not_held(destination),
        }
    }

    fn held(&self, held: &InterfaceAddress) -> Hop {
        let address = held.address.addr();
        let mut hop = Hop::passes(
            HopKind::Address,
            format!("{} on {}", held.address, held.interface),
        );
        if let Some(wide) = self.wide(address) {
            hop = hop
                .note(format!(
                    "the guest takes all of {} for itself, so that no reply to it leaves: plimsoll explain PL0303",
                    wide.address.trunc()
                ))
                .note(format!("to narrow it: {}", self.narrow(wide)));
        }
        let key = EntryKey::Address(Where::Known(address));
        let kept = self.facts.survives.contains(&key);
        if self.way.mode != GuestMode::Loopback || !self.way.ours || kept {
            return hop;
        }
        let mut keepers = self.facts.network.keepers_of(address);
        hop.note(match keepers.next() {
            Some(kept) => format!(
                "after a reboot {} brings it back ({})",
                kept.owner, kept.file
            ),
            None => "plimsoll has nothing in the guest that puts it back after a reboot".to_owned(),
        })
    }

    /// The address with a netmask that makes its neighbours the guest itself. IPv4 may hold it twice.
    fn wide(&self, address: IpAddr) -> Option<&InterfaceAddress> {
        let mut all = self.facts.addresses.iter();
        all.find(|a| {
            a.address.addr() == address
                && a.address.prefix_len() != a.address.max_prefix_len()
                && self.facts.is_loopback(&a.interface)
        })
    }

    fn narrow(&self, wide: &InterfaceAddress) -> String {
        let address = wide.address.addr();
        let whole = wide.address.max_prefix_len();
        let name = self.guest.name();
        if self.facts.init == "windows" {
            return format!("in {name}: Set-NetIPAddress {address} -PrefixLength {whole}");
        }
        // An IPv6 address has one netmask, so there the wide one must go first.
        let add = format!("ip addr replace {address}/{whole} dev {}", wide.interface);
        let remove = format!("ip addr del {} dev {}", wide.address, wide.interface);
        match address {
            IpAddr::V4(_) => format!("in {name}: {add} && {remove}"),
            IpAddr::V6(_) => format!("in {name}: {remove} && {add}"),
        }
    }

    fn not_held(&self, destination: IpAddr) -> Hop {
        if !self.way.floating {
            return Hop::broken(
                HopKind::Address,
                format!("the guest does not hold its own address {destination}"),
                Fix::Hand {
                    what: "look at the guest's network configuration".to_owned(),
                },
            );
        }
        let prefix = if destination.is_ipv4() { 32 } else { 128 };
        let fix = match self.way.mode {
            GuestMode::Cluster => Fix::Hand {
                what: "start the cluster's address resource: the cluster moves this address, plimsoll never adds it".to_owned(),
            },
            GuestMode::Loopback | GuestMode::None => {
                self.fix(format!("ip addr add {destination}/{prefix} dev lo"))
            }
        };
        let hop = Hop::broken(HopKind::Address, format!("{destination} is missing"), fix);
        let forwards = self
            .facts
            .settings
            .get("net.ipv4.ip_forward")
            .is_some_and(|value| value == "1");
        if forwards && destination.is_ipv4() {
            hop.note("ip_forward is on: the guest sends the packets back out")
        } else {
            hop
        }
    }

    fn firewall(&self, destination: IpAddr) -> Hop {
        let packet = Packet {
            protocol: self.way.question.destination.protocol,
            source: None,
            destination,
            port: Some(self.way.backend_port),
        };
        let firewall = &self.facts.firewall;
        match firewall.judge(&packet) {
            Verdict::Admitted { .. } if firewall.kind == FirewallKind::None => {
                Hop::passes(HopKind::Firewall, "none")
            }
            Verdict::Admitted { rule, .. } if firewall.active => {
                Hop::passes(HopKind::Firewall, rule)
            }
            Verdict::Admitted { .. } => Hop::passes(
                HopKind::Firewall,
                format!("{} is not active", firewall.kind),
            ),
            Verdict::Refused {
                rule,
                chain,
                rejects,
                by_default,
                ..
            } => {
                let verb = if rejects { "rejects" } else { "drops" };
                let opened_in = by_default.then_some(chain.as_str());
                Hop::broken(
                    HopKind::Firewall,
                    format!("{rule} {verb} it"),
                    self.firewall_fix(opened_in, &rule, &packet),
                )
            }
            Verdict::Unclear { rule, .. } => {
                Hop::unknown(HopKind::Firewall, format!("plimsoll cannot judge {rule}"))
            }
        }
    }

    /// What a chain refuses by default gives way to an opening of ours; a rule that means the packet was put there by
    /// someone, and stays.
    fn firewall_fix(&self, opened_in: Option<&str>, rule: &str, packet: &Packet) -> Fix {
        if let Some(chain) = opened_in {
            let port = packet.port.map_or(String::new(), |p| format!(" port {p}"));
            return self.fix(format!(
                "open {}{port} to {} in {chain}",
                packet.protocol, packet.destination
            ));
        }
        Fix::Hand {
            what: format!(
                "{rule} is an administrator's, and plimsoll does not go around it: remove it, or take the rule out of the load balancer"
            ),
        }
    }

    fn listener(&self, destination: IpAddr) -> Hop {
        let protocol = self.way.question.destination.protocol;
        let port = self.way.backend_port;
        let socket = SocketAddr::new(destination, port);
        match self.facts.listens(protocol, destination, Some(port)) {
            Some(listener) => {
                let process = listener.process.as_deref().unwrap_or("a process");
                let bound = if listener.address.is_unspecified() {
                    format!("every address, port {port}")
                } else {
                    SocketAddr::new(listener.address, port).to_string()
                };
                Hop::passes(HopKind::Listener, format!("{process} on {bound}"))
            }
            None if self.listeners_unread() => {
                Hop::unknown(HopKind::Listener, "listeners could not be read")
            }
            None => {
                let elsewhere: Vec<String> = self
                    .facts
                    .listeners
                    .iter()
                    .filter(|l| l.protocol == protocol && l.port == port)
                    .map(|l| SocketAddr::new(l.address, port).to_string())
                    .collect();
                let hop = Hop::broken(
                    HopKind::Listener,
                    format!("nothing listens on {socket}/{protocol}"),
                    Fix::Hand {
                        what: format!(
                            "let the application in {} listen on {socket}/{protocol}",
                            self.guest.name()
                        ),
                    },
                );
                if elsewhere.is_empty() {
                    hop
                } else {
                    hop.note(format!("on that port: {}", elsewhere.join(", ")))
                }
            }
        }
    }

    /// Windows takes packets for an address of another interface only where both interfaces are told to.
    fn weak_host(&self, destination: IpAddr) -> Option<Hop> {
        let own = self.candidate.own_address?;
        let held = self.facts.holds(destination)?;
        if self.facts.interfaces.is_empty()
            || !self.way.floating
            || !self.facts.is_loopback(&held.interface)
        {
            return None;
        }
        let missing: Vec<String> = WeakHost::all_for(own)
            .into_iter()
            .map(EntryKey::WeakHost)
            .filter(|key| !self.facts.state_of(key).live)
            .map(|key| key.to_string())
            .collect();
        Some(if missing.is_empty() {
            Hop::passes(HopKind::WeakHost, "receive and send are enabled")
        } else {
            Hop::broken(
                HopKind::WeakHost,
                format!("disabled: {}", missing.join(", ")),
                self.fix("enable it with Set-NetIPInterface, by interface index"),
            )
        })
    }

    /// Replies go directly to the client, with the address that it asked as their source.
    fn reply(&self, destination: IpAddr) -> Hop {
        let own = self.candidate.own_address;
        let arrives = own.and_then(|own| self.interface_of(own));
        let Some(arrives) = arrives else {
            return Hop::unknown(
                HopKind::Reply,
                "no interface of the guest has the address of its NIC",
            );
        };
        let leaves = self.facts.network.reply_from(destination);
        let strict = destination.is_ipv4() && self.strict_reverse_path(arrives);
        // The kernel filters IPv4 alone so; for IPv6 a firewall may.
        let by_firewall = self.facts.settings.get(STRICT_IPV6);
        let by_firewall = by_firewall.filter(|_| destination.is_ipv6());
        match (leaves, by_firewall) {
            (Some(way), Some(chain)) if way.interface != arrives => {
                let fix = Fix::Hand {
                    what: format!(
                        "in {}: a route table of its own for {arrives}, or (firewalld) IPv6_rpfilter=loose in /etc/firewalld/firewalld.conf",
                        self.guest.name()
                    ),
                };
                let lost = format!(
                    "it would leave by {}, and {chain} drops what {arrives} would not answer",
                    way.interface
                );
                return Hop::broken(HopKind::Reply, lost, fix);
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        match leaves {
            Some(way) if way.interface != arrives && strict => Hop::broken(
                HopKind::Reply,
                format!("it would leave by {}, and rp_filter is strict on {arrives}", way.interface),
                self.loosen(arrives),
            )
            .note(UNLOGGED),
            Some(way) if way.interface != arrives => Hop::passes(
                HopKind::Reply,
                format!("{}, source {destination}", way.interface),
            )
            .note(format!(
                "packets arrive on {arrives}: Azure drops replies from another NIC, unless that one may send them"
            )),
            None if self.candidate.others > 0 && strict => Hop::unknown(
                HopKind::Reply,
                format!("rp_filter is strict on {arrives}, and which way replies leave is not known"),
            ),
            Some(_) | None => Hop::passes(
                HopKind::Reply,
                format!("{arrives}, source {destination}"),
            ),
        }
    }

    /// The kernel takes the larger of the two.
    fn strict_reverse_path(&self, interface: &str) -> bool {
        let number = |name: &str| {
            let setting = self.facts.settings.get(name);
            setting
                .and_then(|v| v.trim().parse::<u8>().ok())
                .unwrap_or(0)
        };
        let own = number(&format!("net.ipv4.conf.{interface}.rp_filter"));
        own.max(number("net.ipv4.conf.all.rp_filter")) == 1
    }

    fn listeners_unread(&self) -> bool {
        let mut unread = self.facts.unread.iter();
        unread.any(|what| what.starts_with("listeners"))
    }
}
