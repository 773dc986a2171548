//! One group, one packet: which rule decides.

use super::{Access, By, Packet, Prefix, SecurityGroup, SecurityRule, Source, Transport, Verdict};
use crate::model::guest::AZURE_PROBE_SOURCE;
use crate::model::{ArmId, Protocol};
use ipnet::IpNet;
use std::net::IpAddr;

/// What the destination of a packet is beside its address.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    /// The application security groups that the IP configuration is in.
    pub(super) application_groups: Vec<ArmId>,
    /// The VM's own address.
    pub(super) address: Option<IpAddr>,
}

enum Match {
    No,
    Maybe(String),
    Yes,
}

impl Match {
    fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Yes => other(),
            Self::Maybe(why) => match other() {
                Self::No => Self::No,
                Self::Yes | Self::Maybe(_) => Self::Maybe(why),
            },
        }
    }

    fn any(all: impl Iterator<Item = Self>) -> Self {
        let mut best = Self::No;
        for one in all {
            match one {
                Self::Yes => return Self::Yes,
                Self::Maybe(_) if matches!(best, Self::No) => best = one,
                Self::Maybe(_) | Self::No => {}
            }
        }
        best
    }
}

impl SecurityGroup {
    /// What this group alone does with the packet.
    pub(super) fn judge(&self, packet: &Packet, own: &Own) -> Verdict {
        let by = |rule: &SecurityRule| By {
            group: self.id.clone(),
            rule: rule.name.clone(),
            default: rule.default,
        };
        let mut maybe: Vec<(&SecurityRule, String)> = Vec::new();
        for rule in &self.inbound {
            match rule.matches(packet, own) {
                Match::No => {}
                Match::Maybe(why) => maybe.push((rule, why)),
                Match::Yes => {
                    // A rule before it that may match matters only if it would decide otherwise.
                    if let Some((other, why)) =
                        maybe.into_iter().find(|m| m.0.access != rule.access)
                    {
                        return Verdict::Depends { by: by(other), why };
                    }
                    return match rule.access {
                        Access::Allow => Verdict::Allowed { by: vec![by(rule)] },
                        Access::Deny => Verdict::Denied { by: by(rule) },
                    };
                }
            }
        }
        // Every group ends with DenyAllInBound; one without it was not read in full.
        Verdict::Unread {
            why: format!(
                "no rule of network security group {} decides, not even a default one",
                self.id.name()
            ),
        }
    }
}

impl SecurityRule {
    fn matches(&self, packet: &Packet, own: &Own) -> Match {
        self.carries(packet.protocol)
            .and(|| port(&self.ports, packet.port))
            .and(|| {
                let all = self.destinations.iter();
                Match::any(all.map(|prefix| prefix.is_destination(packet, own)))
            })
            .and(|| {
                let all = self.sources.iter();
                Match::any(all.map(|prefix| prefix.is_source(packet)))
            })
            .and(|| match everything(&self.source_ports) {
                true => Match::Yes,
                false => Match::Maybe("it is for some source ports only".to_owned()),
            })
    }

    fn carries(&self, protocol: Protocol) -> Match {
        match (self.transport, protocol) {
            (Transport::Any, _)
            | (Transport::Tcp, Protocol::Tcp)
            | (Transport::Udp, Protocol::Udp) => Match::Yes,
            (Transport::Tcp, Protocol::All) => Match::Maybe("it is for TCP only".to_owned()),
            (Transport::Udp, Protocol::All) => Match::Maybe("it is for UDP only".to_owned()),
            (Transport::Tcp | Transport::Udp | Transport::Other, _) => Match::No,
        }
    }
}

fn everything(ranges: &[(u16, u16)]) -> bool {
    // Azure writes `*` as well as `0-65535`.
    ranges.is_empty()
        || ranges
            .iter()
            .any(|(low, high)| *low <= 1 && *high == u16::MAX)
}

fn port(ranges: &[(u16, u16)], port: Option<u16>) -> Match {
    match port {
        _ if everything(ranges) => Match::Yes,
        Some(port)
            if ranges
                .iter()
                .any(|(low, high)| (*low..=*high).contains(&port)) =>
        {
            Match::Yes
        }
        Some(_) => Match::No,
        None => Match::Maybe("it is for some ports only".to_owned()),
    }
}

impl Prefix {
    fn is_destination(&self, packet: &Packet, own: &Own) -> Match {
        match self {
            Self::Any => Match::Yes,
            Self::Net(net) if net.contains(&packet.destination) => Match::Yes,
            Self::Net(_) => Match::No,
            Self::Tag(tag) => match tag.to_ascii_lowercase().as_str() {
                "virtualnetwork" if packet.destination_is_public => Match::No,
                "virtualnetwork" => Match::Yes,
                "internet" if packet.destination_is_public => Match::Yes,
                "internet" | "azureloadbalancer" => Match::No,
                _ if packet.destination_is_public => Match::Maybe(format!(
                    "only Azure knows whether {} is in {tag}",
                    packet.destination
                )),
                _ => Match::No,
            },
            Self::Group(group) if !own.application_groups.contains(group) => Match::No,
            Self::Group(_) if own.address == Some(packet.destination) => Match::Yes,
            // Whether a frontend's address counts as the group's member is not established.
            Self::Group(group) => Match::Maybe(format!(
                "{} may or may not count as application security group {}",
                packet.destination,
                group.name()
            )),
        }
    }

    fn is_source(&self, packet: &Packet) -> Match {
        match self {
            Self::Any => Match::Yes,
            Self::Net(net) => is_in(net, packet),
            Self::Tag(tag) => match (tag.to_ascii_lowercase().as_str(), packet.source) {
                ("internet", Source::Internet(_))
                | ("virtualnetwork", Source::VirtualNetwork(_))
                | ("azureloadbalancer", Source::Probe) => Match::Yes,
                // Microsoft's list of service tags counts the host's virtual address as part of the network.
                ("virtualnetwork", Source::Probe) => {
                    Match::Maybe("the probe's address may count as VirtualNetwork".to_owned())
                }
                // Every other tag stands for addresses of services on the Internet.
                ("internet" | "virtualnetwork" | "azureloadbalancer", _)
                | (_, Source::VirtualNetwork(_) | Source::Probe) => Match::No,
                (_, Source::Internet(_)) => {
                    Match::Maybe(format!("only clients in service tag {tag} match it"))
                }
            },
            Self::Group(group) => match packet.source {
                Source::VirtualNetwork(_) => Match::Maybe(format!(
                    "only clients in application security group {} match it",
                    group.name()
                )),
                Source::Internet(_) | Source::Probe => Match::No,
            },
        }
    }
}

fn is_in(net: &IpNet, packet: &Packet) -> Match {
    let source = match packet.source {
        Source::Internet(address) | Source::VirtualNetwork(address) => address,
        Source::Probe if packet.destination.is_ipv4() => Some(AZURE_PROBE_SOURCE),
        // IPv6 probes come from a link-local address.
        Source::Probe => Some(IpAddr::from([0xfe80, 0, 0, 0, 0, 0x1234, 0x5678, 0x9abc])),
    };
    match source {
        _ if net.addr().is_ipv4() != packet.destination.is_ipv4() => Match::No,
        Some(address) if net.contains(&address) => Match::Yes,
        Some(_) => Match::No,
        None if net.prefix_len() == 0 => Match::Yes,
        None if matches!(packet.source, Source::Internet(_)) && is_private(net.addr()) => Match::No,
        None => Match::Maybe(format!("only clients in {net} match it")),
    }
}

/// No client on the Internet has such an address.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIP: &str = "10.0.0.11";
    const FIP: &str = "65.52.0.1";

    fn rule(
        priority: u16,
        name: &str,
        access: Access,
        sources: &[&str],
        destinations: &[&str],
    ) -> SecurityRule {
        let prefixes = |all: &[&str]| all.iter().map(|text| prefix(text)).collect();
        SecurityRule {
            name: name.to_owned(),
            priority,
            access,
            transport: Transport::Any,
            sources: prefixes(sources),
            source_ports: Vec::new(),
            destinations: prefixes(destinations),
            ports: Vec::new(),
            default: priority >= 65000,
        }
    }

    fn prefix(text: &str) -> Prefix {
        match (text, text.strip_prefix("asg:"), text.parse()) {
            ("*", _, _) => Prefix::Any,
            (_, Some(group), _) => Prefix::Group(ArmId::new(group)),
            (_, _, Ok(net)) => Prefix::Net(net),
            _ => Prefix::Tag(text.to_owned()),
        }
    }

    fn group(mut rules: Vec<SecurityRule>) -> SecurityGroup {
        let network = &["VirtualNetwork"][..];
        rules.extend([
            rule(65000, "AllowVnetInBound", Access::Allow, network, network),
            rule(
                65001,
                "AllowAzureLoadBalancerInBound",
                Access::Allow,
                &["AzureLoadBalancer"],
                &["*"],
            ),
            rule(65500, "DenyAllInBound", Access::Deny, &["*"], &["*"]),
        ]);
        SecurityGroup {
            id: ArmId::network("s", "g", "networkSecurityGroups", "nsg"),
            inbound: rules,
        }
    }

    fn packet(source: Source, destination: &str) -> Packet {
        Packet {
            protocol: Protocol::Tcp,
            source,
            destination: destination.parse().unwrap(),
            destination_is_public: destination == FIP,
            port: Some(80),
        }
    }

    fn own() -> Own {
        Own {
            application_groups: vec![ArmId::new("web")],
            address: Some(DIP.parse().unwrap()),
        }
    }

    /// The rule's name, after `!` for a denial and `?` for a doubt.
    fn said(group: &SecurityGroup, packet: &Packet) -> String {
        match group.judge(packet, &own()) {
            Verdict::Allowed { by } => by[0].rule.clone(),
            Verdict::Denied { by } => format!("!{}", by.rule),
            Verdict::Depends { by, .. } => format!("?{}", by.rule),
            Verdict::NoGroup | Verdict::Unread { .. } => "unread".to_owned(),
        }
    }

    const ANYONE: Source = Source::Internet(None);

    #[test]
    fn with_floating_ip_a_rule_for_the_vms_own_address_does_not_match() {
        let dip = group(vec![rule(
            100,
            "dip",
            Access::Allow,
            &["*"],
            &["10.0.0.11/32"],
        )]);
        assert_eq!(said(&dip, &packet(ANYONE, DIP)), "dip");
        assert_eq!(said(&dip, &packet(ANYONE, FIP)), "!DenyAllInBound");
        let fip = group(vec![rule(
            100,
            "fip",
            Access::Allow,
            &["Internet"],
            &["65.52.0.1/32"],
        )]);
        assert_eq!(said(&fip, &packet(ANYONE, FIP)), "fip");
        assert_eq!(said(&fip, &packet(ANYONE, DIP)), "!DenyAllInBound");
    }

    #[test]
    fn the_default_rules_let_in_the_network_and_the_probe_and_nobody_else() {
        let bare = group(Vec::new());
        let inside = Source::VirtualNetwork(None);
        assert_eq!(said(&bare, &packet(inside, "10.0.0.7")), "AllowVnetInBound");
        // A public frontend's address is not part of the network, even for clients that are.
        assert_eq!(said(&bare, &packet(inside, FIP)), "!DenyAllInBound");
        assert_eq!(
            said(&bare, &packet(Source::Probe, DIP)),
            "AllowAzureLoadBalancerInBound"
        );
        assert_eq!(said(&bare, &packet(ANYONE, FIP)), "!DenyAllInBound");
    }

    #[test]
    fn the_first_rule_decides() {
        let deny = rule(90, "deny", Access::Deny, &["*"], &["*"]);
        let allow = rule(100, "allow", Access::Allow, &["*"], &["*"]);
        assert_eq!(
            said(&group(vec![deny, allow]), &packet(ANYONE, FIP)),
            "!deny"
        );
    }

    #[test]
    fn what_matches_some_clients_only_is_a_doubt() {
        let of = |source: &str| group(vec![rule(100, "some", Access::Allow, &[source], &["*"])]);
        assert_eq!(said(&of("203.0.113.0/24"), &packet(ANYONE, FIP)), "?some");
        let known = Source::Internet(Some("203.0.113.9".parse().unwrap()));
        assert_eq!(said(&of("203.0.113.0/24"), &packet(known, FIP)), "some");
        // Nobody on the Internet has an address of that network.
        assert_eq!(
            said(&of("10.0.0.0/8"), &packet(ANYONE, FIP)),
            "!DenyAllInBound"
        );
        assert_eq!(
            said(&of("AzureFrontDoor.Backend"), &packet(ANYONE, FIP)),
            "?some"
        );
        assert_eq!(said(&of("0.0.0.0/0"), &packet(ANYONE, FIP)), "some");
        assert_eq!(said(&of("::/0"), &packet(ANYONE, FIP)), "!DenyAllInBound");
    }

    #[test]
    fn a_doubt_that_changes_nothing_is_none() {
        let some = rule(100, "some", Access::Allow, &["203.0.113.0/24"], &["*"]);
        let all = rule(200, "all", Access::Allow, &["*"], &["*"]);
        assert_eq!(said(&group(vec![some, all]), &packet(ANYONE, FIP)), "all");
    }

    #[test]
    fn an_application_group_counts_for_the_vms_own_address() {
        let of = |name: &str| group(vec![rule(100, "asg", Access::Allow, &["*"], &[name])]);
        assert_eq!(said(&of("asg:web"), &packet(ANYONE, DIP)), "asg");
        assert_eq!(said(&of("asg:web"), &packet(ANYONE, FIP)), "?asg");
        assert_eq!(
            said(&of("asg:other"), &packet(ANYONE, DIP)),
            "!DenyAllInBound"
        );
    }

    #[test]
    fn ports_and_protocols_narrow_a_rule() {
        let mut web = rule(100, "web", Access::Allow, &["*"], &["*"]);
        web.transport = Transport::Tcp;
        web.ports = vec![(80, 81), (443, 443)];
        let web = group(vec![web]);
        assert_eq!(said(&web, &packet(ANYONE, FIP)), "web");
        let other = |change: &dyn Fn(&mut Packet)| {
            let mut other = packet(ANYONE, FIP);
            change(&mut other);
            said(&web, &other)
        };
        assert_eq!(other(&|p| p.port = Some(82)), "!DenyAllInBound");
        assert_eq!(other(&|p| p.protocol = Protocol::Udp), "!DenyAllInBound");
        // An HA-ports rule: what is let through is only a part of it.
        assert_eq!(
            other(&|p| (p.protocol, p.port) = (Protocol::All, None)),
            "?web"
        );
    }

    #[test]
    fn a_group_without_default_rules_was_not_read_in_full() {
        let mut group = group(Vec::new());
        group.inbound.clear();
        assert_eq!(said(&group, &packet(ANYONE, FIP)), "unread");
    }
}
