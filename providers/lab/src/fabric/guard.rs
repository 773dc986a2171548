//! Network security groups: which new connections reach a NIC.
//!
//! A packet meets the subnet's group first and then the NIC's; each must let it through, and the first rule that matches
//! decides (learn.microsoft.com/azure/virtual-network/network-security-group-how-it-works). With floating IP a group sees the
//! frontend's address as destination. Without any group nothing is refused here, although Azure then lets nothing in from the
//! Internet: the lab gives the subnets that it makes up a group that allows everything.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::program::{World, items, lowercase};
use crate::seed::Protocol;

/// The groups in front of one NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The NIC's number in the inventory.
    pub number: u16,
    /// The NIC's own addresses, to which probes go.
    pub addresses: Vec<IpAddr>,
    /// The subnet's, then the NIC's.
    pub groups: Vec<Vec<GuardRule>>,
}

/// One inbound rule, in order of priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardRule {
    pub allow: bool,
    /// None is any.
    pub protocol: Option<Protocol>,
    pub sources: Vec<Place>,
    pub destinations: Vec<Place>,
    /// Inclusive; empty is any.
    pub ports: Vec<(u16, u16)>,
}

/// One source or destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Any,
    Net(IpNet),
    /// The networks that the lab counts as the virtual network's.
    VirtualNetwork,
    /// What is not in the virtual network.
    Internet,
    /// Where probes come from.
    LoadBalancer,
    /// Nothing that the lab knows.
    Nowhere,
}

pub(super) fn guards(world: &World<'_>) -> Vec<Guard> {
    let mut guards: Vec<Guard> = world
        .network_interfaces
        .iter()
        .filter_map(|nic| guard(world, nic))
        .filter(|guard| !guard.groups.is_empty())
        .collect();
    guards.sort_by_key(|guard| guard.number);
    guards
}

fn guard(world: &World<'_>, nic: &Value) -> Option<Guard> {
    let number = *world.numbers.get(&lowercase(nic, "/id"))?;
    let configurations: Vec<&Value> = items(nic, "/properties/ipConfigurations").collect();
    let subnet = configurations
        .iter()
        .map(|it| lowercase(it, "/properties/subnet/id"))
        .find(|id| !id.is_empty())
        .and_then(|id| subnet(world, &id));
    let of_subnet = subnet.map(|it| lowercase(it, "/properties/networkSecurityGroup/id"));
    let own = lowercase(nic, "/properties/networkSecurityGroup/id");
    let groups = of_subnet
        .into_iter()
        .chain([own])
        .filter_map(|id| group(world, &id))
        .collect();
    let addresses = configurations
        .iter()
        .filter_map(|it| it.pointer("/properties/privateIPAddress")?.as_str())
        .filter_map(|text| text.parse().ok())
        .collect();
    Some(Guard {
        number,
        addresses,
        groups,
    })
}

fn subnet<'a>(world: &World<'a>, id: &str) -> Option<&'a Value> {
    let (network, _) = id.split_once("/subnets/")?;
    let mut networks = world.virtual_networks.iter();
    let network = networks.find(|it| lowercase(it, "/id") == network)?;
    items(network, "/properties/subnets").find(|it| lowercase(it, "/id") == id)
}

fn group(world: &World<'_>, id: &str) -> Option<Vec<GuardRule>> {
    let mut groups = world.security_groups.iter();
    let group = groups.find(|it| !id.is_empty() && lowercase(it, "/id") == id)?;
    let mut rules: Vec<(u64, GuardRule)> = items(group, "/properties/securityRules")
        .chain(items(group, "/properties/defaultSecurityRules"))
        .filter(|rule| lowercase(rule, "/properties/direction") == "inbound")
        .filter_map(|rule| {
            let priority = rule.pointer("/properties/priority")?.as_u64()?;
            Some((priority, guard_rule(rule)?))
        })
        .collect();
    rules.sort_by_key(|(priority, _)| *priority);
    Some(rules.into_iter().map(|(_, rule)| rule).collect())
}

fn guard_rule(rule: &Value) -> Option<GuardRule> {
    let protocol = match lowercase(rule, "/properties/protocol").as_str() {
        "*" => None,
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        // ICMP and the like: nothing that a load balancer carries.
        _ => return None,
    };
    Some(GuardRule {
        allow: lowercase(rule, "/properties/access") == "allow",
        protocol,
        sources: places(rule, "source"),
        destinations: places(rule, "destination"),
        ports: words(rule, "destinationPortRange")
            .iter()
            .filter_map(|text| range(text))
            .collect(),
    })
}

/// The one value of an attribute, and those of its plural.
fn words(rule: &Value, name: &str) -> Vec<String> {
    let one = lowercase(rule, &format!("/properties/{name}"));
    items(rule, &format!("/properties/{name}s"))
        .filter_map(Value::as_str)
        .map(str::to_ascii_lowercase)
        .chain((!one.is_empty()).then_some(one))
        .collect()
}

fn places(rule: &Value, side: &str) -> Vec<Place> {
    let groups = items(
        rule,
        &format!("/properties/{side}ApplicationSecurityGroups"),
    );
    words(rule, &format!("{side}AddressPrefix"))
        .iter()
        .map(|text| place(text))
        .chain(groups.map(|_| Place::Nowhere))
        .collect()
}

fn place(text: &str) -> Place {
    match text {
        "*" | "0.0.0.0/0" | "::/0" => Place::Any,
        "virtualnetwork" => Place::VirtualNetwork,
        "internet" => Place::Internet,
        "azureloadbalancer" => Place::LoadBalancer,
        _ => match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
            (Ok(net), _) => Place::Net(net),
            (Err(_), Ok(address)) => Place::Net(address.into()),
            (Err(_), Err(_)) => Place::Nowhere,
        },
    }
}

/// `80`, `8000-8080`; `*` is every port, which no range says.
fn range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some((low.parse().ok()?, high.parse().ok()?))
}

/// What the lab counts as the virtual network.
const PRIVATE: [(&str, &str); 2] = [
    ("ip", "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"),
    ("ip6", "fd00::/8"),
];

/// Where probes come from.
const PROBES: [(&str, &str); 2] = [("ip", "168.63.129.16"), ("ip6", "fe80::1234:5678:9abc")];

/// The chains of all guards.
pub(super) fn render(guards: &[Guard], bridge: &str) -> String {
    let mut script = String::new();
    for guard in guards {
        for (index, group) in guard.groups.iter().enumerate() {
            script += &format!("chain {} {{\n", chain(guard, index));
            for rule in group {
                script += &rule_lines(rule);
            }
            script += "drop\n}\n";
        }
    }
    let jumps = |guard: &Guard, selector: &str| -> String {
        (0..guard.groups.len())
            .map(|index| format!("{selector} jump {}\n", chain(guard, index)))
            .collect()
    };
    script += "chain guard {\ntype filter hook forward priority 0; policy accept;\nct state != new accept\n";
    for guard in guards {
        script += &jumps(
            guard,
            &format!("oifname \"{bridge}\" meta mark {}", guard.number),
        );
    }
    script += "}\nchain guard_probes {\ntype filter hook output priority 0; policy accept;\nct state != new accept\n";
    for guard in guards {
        for address in &guard.addresses {
            let family = if address.is_ipv4() { "ip" } else { "ip6" };
            let selector = format!("oifname \"{bridge}\" {family} daddr {address}");
            script += &jumps(guard, &selector);
        }
    }
    script + "}\n"
}

fn chain(guard: &Guard, index: usize) -> String {
    format!("group_{}_{index}", guard.number)
}

/// One line for each family and pair of places; `return` goes on to the next group.
fn rule_lines(rule: &GuardRule) -> String {
    let verdict = if rule.allow { "return" } else { "drop" };
    let protocol = match rule.protocol {
        None => String::new(),
        Some(protocol) => format!("meta l4proto {} ", protocol.as_str()),
    };
    let ports: Vec<String> = rule
        .ports
        .iter()
        .map(|(low, high)| format!("{low}-{high}"))
        .collect();
    let ports = if ports.is_empty() {
        String::new()
    } else {
        format!(
            "meta l4proto {{ tcp, udp }} th dport {{ {} }} ",
            ports.join(", ")
        )
    };
    let mut lines = String::new();
    for source in &rule.sources {
        for destination in &rule.destinations {
            for family in ["ip", "ip6"] {
                let sides =
                    selector(source, "saddr", family).zip(selector(destination, "daddr", family));
                if let Some((source, destination)) = sides {
                    lines += &format!("{source}{destination}{protocol}{ports}{verdict}\n");
                }
            }
        }
    }
    lines
}

/// `None` where the place has nothing of this family.
fn selector(place: &Place, side: &str, family: &str) -> Option<String> {
    let of = |table: [(&str, &str); 2]| {
        let found = table.into_iter().find(|(known, _)| *known == family)?;
        Some(found.1.to_owned())
    };
    Some(match place {
        Place::Any => format!(
            "meta nfproto {} ",
            if family == "ip" { "ipv4" } else { "ipv6" }
        ),
        Place::Net(net) if net.addr().is_ipv4() == (family == "ip") => {
            format!("{family} {side} {net} ")
        }
        Place::Net(_) | Place::Nowhere => return None,
        Place::VirtualNetwork => format!("{family} {side} {{ {} }} ", of(PRIVATE)?),
        Place::Internet => format!("{family} {side} != {{ {} }} ", of(PRIVATE)?),
        Place::LoadBalancer => format!("{family} {side} {} ", of(PROBES)?),
    })
}
