//! The conditions of one rule while they are collected, and the rules of the core's model that they amount to.

use ipnet::IpNet;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{FirewallRule, Target};

pub(crate) type Ranges = Vec<(u16, u16)>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// `None` is any; empty is one that no rule of a load balancer carries.
    protocols: Option<Vec<Protocol>>,
    sources: Vec<IpNet>,
    destinations: Vec<IpNet>,
    ports: Ranges,
    family: Option<&'static str>,
    pub(crate) uncertain: bool,
    /// It cannot meet a new connection from outside.
    pub(crate) never: bool,
}

impl Draft {
    pub(crate) fn only_protocols(&mut self, listed: &[Option<Protocol>], equal: bool) {
        let named = |p: Protocol| listed.contains(&Some(p)) == equal;
        let before = self.protocols.take();
        self.protocols = Some(
            [Protocol::Tcp, Protocol::Udp]
                .into_iter()
                .filter(|p| named(*p) && before.as_ref().is_none_or(|b| b.contains(p)))
                .collect(),
        );
    }

    pub(crate) fn only_sources(&mut self, networks: Vec<IpNet>) {
        self.never |= networks.is_empty();
        // Two conditions on one field: rare, and not worth an intersection.
        self.uncertain |= !self.sources.is_empty();
        self.sources = networks;
    }

    pub(crate) fn only_destinations(&mut self, networks: Vec<IpNet>) {
        self.never |= networks.is_empty();
        self.uncertain |= !self.destinations.is_empty();
        self.destinations = networks;
    }

    pub(crate) fn only_ports(&mut self, ranges: &[(u16, u16)], equal: bool) {
        let ranges = if equal {
            ranges.to_vec()
        } else {
            complement(ranges)
        };
        self.never |= ranges.is_empty();
        self.uncertain |= !self.ports.is_empty();
        self.ports = ranges;
    }

    pub(crate) fn family(&mut self, family: &str) {
        let family = if family == "ip6" { "ip6" } else { "ip" };
        self.never |= self.family.is_some_and(|before| before != family);
        self.family = Some(family);
    }

    /// A new connection is `new` and nothing else.
    pub(crate) fn connection_states(&mut self, listed: &[&str], equal: bool) {
        let new = listed.iter().any(|s| s.eq_ignore_ascii_case("new"));
        self.never |= new != equal;
    }

    /// A connection opens with SYN alone; a rule about other combinations never meets it.
    pub(crate) fn opening_flags(&mut self, left: &serde_json::Value, listed: &[&str], equal: bool) {
        let mask = left.get("&").and_then(|pair| pair.get(1));
        let masked_by_syn = match mask {
            Some(serde_json::Value::String(flag)) => flag == "syn",
            Some(serde_json::Value::Array(flags)) => flags.iter().any(|f| f == "syn"),
            _ => {
                self.uncertain = true;
                return;
            }
        };
        let seen: &[&str] = if masked_by_syn { &["syn"] } else { &[] };
        self.never |= (listed == seen) != equal;
    }

    pub(crate) fn emit(
        &self,
        target: &Target,
        text: &str,
        ours: bool,
        into: &mut Vec<FirewallRule>,
    ) {
        if self.never {
            return;
        }
        let protocols: Vec<Option<Protocol>> = match &self.protocols {
            None => vec![None],
            // A rule of a load balancer carries one of the two or both, so an accept for both admits everything it carries.
            Some(listed) if listed.len() == 2 && *target == Target::Accept => vec![None],
            Some(listed) => listed.iter().copied().map(Some).collect(),
        };
        let mut destinations = self.destinations.clone();
        if destinations.is_empty() {
            destinations = whole_family(self.family);
        }
        into.extend(protocols.into_iter().map(|protocol| FirewallRule {
            protocol,
            sources: self.sources.clone(),
            destinations: destinations.clone(),
            ports: self.ports.clone(),
            uncertain: self.uncertain,
            target: target.clone(),
            ours,
            text: text.to_owned(),
            name: None,
        }));
    }
}

/// Every address of a family, as two halves: a single network of length 0 stands for every family.
fn whole_family(family: Option<&str>) -> Vec<IpNet> {
    let halves: &[&str] = match family {
        Some("ip6") => &["::/1", "8000::/1"],
        Some(_) => &["0.0.0.0/1", "128.0.0.0/1"],
        None => &[],
    };
    halves.iter().filter_map(|half| half.parse().ok()).collect()
}

fn complement(ranges: &[(u16, u16)]) -> Ranges {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut rest = Ranges::new();
    let mut next = 0_u32;
    for (low, high) in sorted {
        if u32::from(low) > next {
            // `next` is at most `low` here, so it fits.
            rest.push((u16::try_from(next).unwrap_or(u16::MAX), low - 1));
        }
        next = next.max(u32::from(high) + 1);
    }
    if let Ok(next) = u16::try_from(next) {
        rest.push((next, u16::MAX));
    }
    rest
}
