//! Inside a guest: probe, address, firewall, listener and the way back, from its facts.

use super::member::{Candidate, Way};
use super::{Fix, Hop, HopKind, HopState};
use crate::config::GuestMode;
use crate::model::guest::{
    AZURE_PROBE_SOURCE, FirewallKind, GuestFacts, InterfaceAddress, Packet, Verdict,
};
use crate::model::{Addr, Protocol};
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
    hops.push(inside.firewall(destination));
    hops.push(inside.listener(destination));
    hops.push(inside.reply(destination));
    hops
}

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
        match self.facts.firewall.judge(&packet) {
            Verdict::Refused { by, chain, .. } => {
                return Hop::broken(
                    HopKind::Probe,
                    format!(
                        "{at}: the firewall refuses {AZURE_PROBE_SOURCE} ({})",
                        rule(&chain, &by)
                    ),
                    self.firewall_fix(&chain, &by, &packet),
                )
                .note("Azure sends a member without an answer to its probe nothing");
            }
            Verdict::Unclear { by, .. } => {
                return Hop::unknown(
                    HopKind::Probe,
                    format!("{at}: a firewall rule that plimsoll cannot judge: {by}"),
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
            .note("Azure sends a member without an answer to its probe nothing"),
        }
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
        let hop = Hop::passes(
            HopKind::Address,
            format!("{} on {}", held.address, held.interface),
        );
        let whole = held.address.prefix_len() == held.address.max_prefix_len();
        let hop = if held.interface == "lo" && !whole {
            hop.note(format!(
                "the guest takes all of {} for itself, so that no reply to it leaves: plimsoll explain PL0303",
                held.address.trunc()
            ))
        } else {
            hop
        };
        let key =
            crate::model::guest::EntryKey::Address(crate::model::Where::Known(held.address.addr()));
        let kept = self.facts.survives.contains(&key);
        if self.way.mode == GuestMode::Loopback && self.way.ours && !kept {
            hop.note("plimsoll has nothing in the guest that puts it back after a reboot")
        } else {
            hop
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
            Verdict::Admitted { by, .. } if firewall.active => {
                Hop::passes(HopKind::Firewall, format!("{}: {by}", firewall.kind))
            }
            Verdict::Admitted { .. } => Hop::passes(
                HopKind::Firewall,
                format!("{} is not active", firewall.kind),
            ),
            Verdict::Refused {
                by, chain, rejects, ..
            } => {
                let verb = if rejects { "rejects" } else { "drops" };
                Hop::broken(
                    HopKind::Firewall,
                    format!("{} {verb} it: {}", firewall.kind, rule(&chain, &by)),
                    self.firewall_fix(&chain, &by, &packet),
                )
            }
            Verdict::Unclear { by, .. } => Hop::unknown(
                HopKind::Firewall,
                format!("a rule that plimsoll cannot judge may refuse it: {by}"),
            ),
        }
    }

    /// A chain's policy gives way to an opening of ours; a rule that refuses was put there by someone, and stays.
    fn firewall_fix(&self, chain: &str, by: &str, packet: &Packet) -> Fix {
        if by.starts_with("policy of ") {
            let port = packet.port.map_or(String::new(), |p| format!(" port {p}"));
            return self.fix(format!(
                "open {}{port} to {} in {chain}",
                packet.protocol, packet.destination
            ));
        }
        Fix::Hand {
            what: format!(
                "an administrator's rule refuses it, and plimsoll does not go around it; remove it: {by}"
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

    /// Replies go directly to the client, with the address that it asked as their source.
    fn reply(&self, destination: IpAddr) -> Hop {
        let own = self.candidate.own_address;
        let arrives = self
            .facts
            .addresses
            .iter()
            .find(|a| Some(a.address.addr()) == own)
            .map(|a| a.interface.as_str());
        let Some(interface) = arrives else {
            return Hop::unknown(
                HopKind::Reply,
                "no interface of the guest has the address of its NIC",
            );
        };
        let hop = Hop::passes(HopKind::Reply, format!("{interface}, source {destination}"));
        if self.candidate.others > 0 && destination.is_ipv4() && self.strict_reverse_path(interface)
        {
            return Hop {
                state: HopState::Unknown,
                ..hop
            }
            .note(format!(
                "rp_filter is strict on {interface}: packets are dropped where the reply would leave through another interface: plimsoll explain PL0312"
            ));
        }
        hop
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

/// A chain's policy names its chain already.
fn rule(chain: &str, by: &str) -> String {
    if by.starts_with("policy of ") {
        by.to_owned()
    } else {
        format!("{chain}: {by}")
    }
}
