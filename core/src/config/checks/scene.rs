//! What checks look at: the desired sub-resources, read once, with their references followed.

use crate::config::desired::{DesiredItem, DesiredLoadBalancer};
use crate::config::{Desired, DesiredGuest, GuestMode};
use crate::model::guest::Interface;
use crate::model::{Addr, ArmId, Attr, ItemKind, Protocol, Span};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Everything that is declared, with the members of each pool.
pub(super) struct Scene<'a> {
    pub desired: &'a Desired,
    pub balancers: Vec<Balancer<'a>>,
    /// Folded pool id → who joins it.
    pub members: BTreeMap<String, Vec<Member<'a>>>,
}

/// One IP configuration of a guest that joins a pool.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub addr: &'a Addr,
    pub guest: &'a DesiredGuest,
    pub interface: &'a Interface,
}

pub(super) struct Balancer<'a> {
    pub addr: &'a Addr,
    pub wanted: &'a DesiredLoadBalancer,
    pub frontends: Vec<Frontend<'a>>,
    pub pools: Vec<&'a DesiredItem>,
    pub probes: Vec<&'a DesiredItem>,
    pub rules: Vec<Rule<'a>>,
    pub nat_rules: Vec<NatRule<'a>>,
    pub outbound_rules: Vec<OutboundRule<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

pub(super) struct Frontend<'a> {
    pub item: &'a DesiredItem,
    /// Folded.
    pub id: String,
    pub internal: bool,
    /// Neither is known of one that names no place, which is said elsewhere.
    pub public: bool,
    /// Unknown where the public IP address is not declared here.
    pub family: Option<Family>,
}

pub(super) struct Rule<'a> {
    pub item: &'a DesiredItem,
    /// Folded id; the frontend may be one that is not declared here.
    pub frontend_id: String,
    /// Index into the load balancer's frontends.
    frontend: Option<usize>,
    /// Folded ids.
    pub pools: Vec<String>,
    pub probe: Option<&'a DesiredItem>,
    pub protocol: Protocol,
    pub frontend_port: i64,
    pub backend_port: i64,
    pub floating: bool,
}

pub(super) struct NatRule<'a> {
    pub item: &'a DesiredItem,
    pub frontend_id: String,
    /// Of a range.
    pub pool: Option<String>,
    pub protocol: Protocol,
    /// One port or a range.
    pub ports: Option<(i64, i64)>,
    pub backend_port: i64,
    pub floating: bool,
}

pub(super) struct OutboundRule<'a> {
    pub item: &'a DesiredItem,
    pub frontend_ids: Vec<String>,
    pub pool: String,
    pub protocol: Protocol,
}

impl<'a> Scene<'a> {
    pub(super) fn of(desired: &'a Desired) -> Self {
        let mut members: BTreeMap<String, Vec<Member<'a>>> = BTreeMap::new();
        for (addr, guest) in &desired.guests {
            for interface in &guest.interfaces {
                for pool in &interface.backend_pools {
                    let member = Member {
                        addr,
                        guest,
                        interface,
                    };
                    members.entry(pool.folded()).or_default().push(member);
                }
            }
        }
        Self {
            desired,
            balancers: desired
                .load_balancers
                .iter()
                .map(|(addr, wanted)| Balancer::of(addr, wanted, desired))
                .collect(),
            members,
        }
    }

    pub(super) fn members_of(&self, pool: &str) -> &[Member<'a>] {
        self.members
            .get(pool)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

impl<'a> Balancer<'a> {
    fn of(addr: &'a Addr, wanted: &'a DesiredLoadBalancer, desired: &'a Desired) -> Self {
        let families: BTreeMap<String, Family> = desired
            .public_ips
            .values()
            .map(|public| {
                let version = public.attributes.get("version").and_then(Attr::as_text);
                (public.id.folded(), family_of(version))
            })
            .collect();
        let of_kind = |kind| wanted.items.iter().filter(move |item| item.kind == kind);
        let frontends: Vec<Frontend<'a>> = of_kind(ItemKind::Frontend)
            .map(|item| Frontend::of(item, wanted, &families))
            .collect();
        let index: BTreeMap<&str, usize> = frontends
            .iter()
            .enumerate()
            .map(|(at, frontend)| (frontend.id.as_str(), at))
            .collect();
        let probes: Vec<&DesiredItem> = of_kind(ItemKind::Probe).collect();
        let probe_index: BTreeMap<String, &DesiredItem> = probes
            .iter()
            .map(|item| (wanted.id_of(item).folded(), *item))
            .collect();
        let rules = of_kind(ItemKind::Rule)
            .filter_map(|item| {
                let frontend_id = id(item, "frontend")?;
                Some(Rule {
                    item,
                    frontend: index.get(frontend_id.as_str()).copied(),
                    frontend_id,
                    pools: ids(item, "backend_pools"),
                    probe: id(item, "probe").and_then(|id| probe_index.get(&id).copied()),
                    protocol: protocol(item)?,
                    frontend_port: int(item, "frontend_port")?,
                    backend_port: int(item, "backend_port")?,
                    floating: flag(item, "floating_ip"),
                })
            })
            .collect();
        Self {
            addr,
            wanted,
            pools: of_kind(ItemKind::BackendPool).collect(),
            probes,
            rules,
            nat_rules: of_kind(ItemKind::InboundNatRule)
                .filter_map(NatRule::of)
                .collect(),
            outbound_rules: of_kind(ItemKind::OutboundRule)
                .filter_map(|item| {
                    Some(OutboundRule {
                        item,
                        frontend_ids: ids(item, "frontends"),
                        pool: id(item, "backend_pool")?,
                        protocol: protocol(item)?,
                    })
                })
                .collect(),
            frontends,
        }
    }

    pub(super) fn frontend_of(&self, rule: &Rule<'a>) -> Option<&Frontend<'a>> {
        self.frontends.get(rule.frontend?)
    }

    pub(super) fn mode_of(&self, rule: &Rule<'a>) -> GuestMode {
        self.frontend_of(rule)
            .map(|frontend| frontend.item.guest.mode)
            .unwrap_or_default()
    }

    /// Public or internal: Azure does not allow both in one load balancer. Unknown where it declares no frontend.
    pub(super) fn internal(&self) -> Option<bool> {
        self.frontends.first().map(|frontend| frontend.internal)
    }

    /// Where a finding on one of its items is: `load_balancer.web.rule.green`.
    pub(super) fn address(&self, item: &DesiredItem) -> String {
        format!("{}.{}", self.addr, item.address)
    }
}

impl<'a> Frontend<'a> {
    fn of(
        item: &'a DesiredItem,
        wanted: &DesiredLoadBalancer,
        families: &BTreeMap<String, Family>,
    ) -> Self {
        let internal = item.attributes.contains_key("subnet");
        let address = text(item, "private_ip_address").and_then(|a| a.parse::<IpAddr>().ok());
        let family = match (internal, text(item, "private_ip_address_version"), address) {
            (true, Some(version), _) => Some(family_of(Some(version))),
            (true, None, Some(address)) => Some(if address.is_ipv4() {
                Family::Ipv4
            } else {
                Family::Ipv6
            }),
            (true, None, None) => Some(Family::Ipv4),
            (false, _, _) => id(item, "public_ip").and_then(|id| families.get(&id).copied()),
        };
        Self {
            item,
            id: wanted.id_of(item).folded(),
            internal,
            public: ["public_ip", "public_ip_prefix"]
                .iter()
                .any(|name| item.attributes.contains_key(*name)),
            family,
        }
    }

    /// Azure chooses the address.
    pub(super) fn dynamic(&self) -> bool {
        self.internal
            && !text(self.item, "private_ip_allocation")
                .is_some_and(|method| method.eq_ignore_ascii_case("Static"))
    }
}

impl<'a> NatRule<'a> {
    fn of(item: &'a DesiredItem) -> Option<Self> {
        let range =
            int(item, "frontend_port_range_start").zip(int(item, "frontend_port_range_end"));
        Some(Self {
            item,
            frontend_id: id(item, "frontend")?,
            pool: id(item, "backend_pool"),
            protocol: protocol(item)?,
            ports: range.or_else(|| int(item, "frontend_port").map(|port| (port, port))),
            backend_port: int(item, "backend_port")?,
            floating: flag(item, "floating_ip"),
        })
    }
}

impl DesiredLoadBalancer {
    pub(super) fn id_of(&self, item: &DesiredItem) -> ArmId {
        self.id.child(item.kind.arm(), &item.name)
    }
}

fn family_of(version: Option<&str>) -> Family {
    if version.is_some_and(|v| v.eq_ignore_ascii_case("IPv6")) {
        Family::Ipv6
    } else {
        Family::Ipv4
    }
}

pub(super) fn text<'i>(item: &'i DesiredItem, name: &str) -> Option<&'i str> {
    item.attributes.get(name).and_then(Attr::as_text)
}

pub(super) fn int(item: &DesiredItem, name: &str) -> Option<i64> {
    item.attributes.get(name).and_then(Attr::as_int)
}

pub(super) fn flag(item: &DesiredItem, name: &str) -> bool {
    item.attributes.get(name) == Some(&Attr::Bool(true))
}

fn protocol(item: &DesiredItem) -> Option<Protocol> {
    text(item, "protocol").and_then(Protocol::parse)
}

fn id(item: &DesiredItem, name: &str) -> Option<String> {
    text(item, name).map(|id| ArmId::new(id).folded())
}

fn ids(item: &DesiredItem, name: &str) -> Vec<String> {
    let list = item.attributes.get(name).map(Attr::as_list);
    list.unwrap_or_default()
        .iter()
        .map(|id| ArmId::new(id).folded())
        .collect()
}

/// The last part of an id.
pub(super) fn name_of(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// The value of an attribute where it was written, else the block's header.
pub(super) fn place(item: &DesiredItem, attribute: &str) -> Span {
    item.attribute_spans
        .get(attribute)
        .unwrap_or(&item.span)
        .clone()
}
