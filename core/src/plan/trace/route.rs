//! From the destination to the members: frontend → rule → pool → network interface → guest.

use super::member::{Candidate, Way, member};
use super::{Basis, Route, TraceQuestion};
use crate::config::{DataLoadBalancer, DesiredLoadBalancer};
use crate::model::guest::Interface;
use crate::model::observed::{Observation, Observed};
use crate::model::{
    Addr, ArmId, IpConfiguration, Item, ItemKind, Kind, LoadBalancer, PoolAddress, Protocol, Rule,
};
use crate::plan::addresses::{PublicAddresses, frontend_address};
use crate::plan::load_balancer::owned;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

/// The load balancers of the world that is traced.
pub(super) struct World<'a> {
    question: &'a TraceQuestion<'a>,
    public: &'a PublicAddresses,
    load_balancers: BTreeMap<ArmId, LoadBalancer>,
}

/// Who declares a load balancer here.
#[derive(Clone, Copy)]
enum Owner<'a> {
    Declared(&'a Addr, &'a DesiredLoadBalancer),
    Data(&'a str, &'a DataLoadBalancer),
    Nobody,
}

impl<'a> World<'a> {
    pub(super) fn new(question: &'a TraceQuestion<'a>, public: &'a PublicAddresses) -> Self {
        let mut load_balancers: BTreeMap<ArmId, LoadBalancer> = question
            .observed
            .load_balancers
            .iter()
            .filter_map(|(id, found)| Some((id.clone(), found.present()?.clone())))
            .collect();
        if question.basis == Basis::Desired {
            for (addr, wanted) in &question.desired.load_balancers {
                let mut after = wanted.over(load_balancers.get(&wanted.id));
                for (kind, name) in owned(question.prior, addr) {
                    if wanted.item(kind, &name).is_none() {
                        after.remove(kind, &name);
                    }
                }
                load_balancers.insert(wanted.id.clone(), after);
            }
            for data in question.desired.data_load_balancers.values() {
                let after = data.expected.over(load_balancers.get(&data.id));
                load_balancers.insert(data.id.clone(), after);
            }
        }
        Self {
            question,
            public,
            load_balancers,
        }
    }

    pub(super) fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        for load_balancer in self.load_balancers.values() {
            for (kind, item) in rules(load_balancer) {
                let rule = Rule { item };
                if self.takes(load_balancer, &rule) {
                    routes.extend(self.route(load_balancer, kind, &rule));
                }
            }
        }
        // A rule for this very port goes before an HA-ports rule on the same frontend.
        let exact = routes.iter().any(|(every, _)| !every);
        routes
            .into_iter()
            .filter(|(every, _)| !(exact && *every))
            .map(|(_, route)| route)
            .collect()
    }

    fn address_of(&self, load_balancer: &LoadBalancer, rule: &Rule<'_>) -> Option<IpAddr> {
        frontend_address(load_balancer, rule.frontend()?.name(), self.public)?.known()
    }

    fn takes(&self, load_balancer: &LoadBalancer, rule: &Rule<'_>) -> bool {
        let destination = &self.question.destination;
        let port = destination.socket.port();
        let of_port = match rule.protocol() {
            Some(Protocol::All) => true,
            Some(protocol) => {
                protocol == destination.protocol
                    && frontend_ports(rule.item).is_some_and(|ports| ports.contains(&port))
            }
            None => false,
        };
        of_port && self.address_of(load_balancer, rule) == Some(destination.socket.ip())
    }

    fn owner(&self, load_balancer: &LoadBalancer) -> Owner<'a> {
        let desired = self.question.desired;
        let declared = desired
            .load_balancers
            .iter()
            .find(|(_, wanted)| wanted.id == load_balancer.id)
            .map(|(addr, wanted)| Owner::Declared(addr, wanted));
        let data = || {
            desired
                .data_load_balancers
                .iter()
                .find(|(_, data)| data.id == load_balancer.id)
                .map(|(label, data)| Owner::Data(label, data))
        };
        declared.or_else(data).unwrap_or(Owner::Nobody)
    }

    fn route(
        &self,
        load_balancer: &LoadBalancer,
        kind: ItemKind,
        rule: &Rule<'_>,
    ) -> Option<(bool, Route)> {
        let protocol = rule.protocol()?;
        let every = protocol == Protocol::All;
        let frontend = rule.frontend()?;
        let owner = self.owner(load_balancer);
        let (addr, mode, ours) = match owner {
            Owner::Declared(addr, wanted) => (
                Some(addr.clone()),
                wanted
                    .item(ItemKind::Frontend, frontend.name())
                    .map(|item| item.guest.mode),
                wanted.item(kind, rule.name()).is_some(),
            ),
            Owner::Data(label, data) => (
                Some(Addr::new(Kind::LoadBalancer, label)),
                data.guest_modes
                    .get(&frontend.name().to_ascii_lowercase())
                    .copied(),
                true,
            ),
            Owner::Nobody => (None, None, false),
        };
        let mode = mode.unwrap_or_default();
        let pools: Vec<ArmId> = match kind {
            ItemKind::InboundNatRule => rule
                .item
                .text("backend_pool")
                .map(ArmId::new)
                .into_iter()
                .collect(),
            _ => rule.pools().collect(),
        };
        let probe = rule
            .probe()
            .and_then(|id| load_balancer.by_id(ItemKind::Probe, id.as_str()));
        let way = Way {
            question: self.question,
            floating: rule.floating(),
            mode,
            ours,
            membership_is_foreign: matches!(owner, Owner::Data(..)),
            public: frontend_is_public(load_balancer, frontend.name()),
            backend_port: if every {
                self.question.destination.socket.port()
            } else {
                rule.backend_port()
            },
            probe,
        };
        let mut candidates = self.candidates(load_balancer, kind, rule, &pools);
        candidates.sort_by(|a, b| a.name.cmp(&b.name));
        let mut members: Vec<_> = candidates.iter().map(|c| member(&way, c)).collect();
        super::member::settle_cluster(mode, &mut members);
        Some((
            every,
            Route {
                load_balancer: load_balancer.id.clone(),
                addr,
                frontend: frontend.name().to_owned(),
                rule: rule.name().to_owned(),
                inbound_nat: kind == ItemKind::InboundNatRule,
                floating_ip: rule.floating(),
                pools: pools.iter().map(|p| p.name().to_owned()).collect(),
                mode,
                members,
            },
        ))
    }

    /// Who is in the pools, and who should be.
    fn candidates(
        &self,
        load_balancer: &LoadBalancer,
        kind: ItemKind,
        rule: &Rule<'_>,
        pools: &[ArmId],
    ) -> Vec<Candidate<'a>> {
        let mut found: BTreeMap<ArmId, Candidate<'a>> = BTreeMap::new();
        let joined = pools
            .iter()
            .flat_map(|pool| load_balancer.members_of(pool.name()))
            .chain(
                (kind == ItemKind::InboundNatRule)
                    .then(|| load_balancer.nat_targets.get(rule.name()))
                    .flatten(),
            );
        for id in joined {
            let candidate = self.candidate(id);
            found.insert(
                id.clone(),
                Candidate {
                    joined: true,
                    ..candidate
                },
            );
        }
        for (addr, guest) in &self.question.desired.guests {
            for interface in &guest.interfaces {
                if interface
                    .backend_pools
                    .iter()
                    .any(|pool| pools.contains(pool))
                {
                    let id = interface.ip_configuration_id();
                    let candidate = found
                        .entry(id)
                        .or_insert_with(|| self.of_guest(addr, interface));
                    candidate.wanted = true;
                    candidate.joined |= self.question.basis == Basis::Desired;
                }
            }
        }
        let mut all: Vec<Candidate<'a>> = found.into_values().collect();
        all.extend(self.by_address(load_balancer, pools));
        all
    }

    fn candidate(&self, ip_configuration: &ArmId) -> Candidate<'a> {
        let guests = &self.question.desired.guests;
        let of_guest = guests.iter().find_map(|(addr, guest)| {
            let interface = guest
                .interfaces
                .iter()
                .find(|i| i.ip_configuration_id() == *ip_configuration)?;
            Some(self.of_guest(addr, interface))
        });
        of_guest.unwrap_or_else(|| {
            let nic = ip_configuration.parent();
            Candidate {
                name: nic
                    .as_ref()
                    .map_or(ip_configuration.as_str(), ArmId::name)
                    .to_owned(),
                guest: None,
                by: place_of(ip_configuration),
                ip_configuration: Some(ip_configuration.clone()),
                own_address: None,
                secondary: false,
                wanted: false,
                joined: false,
                others: 0,
            }
        })
    }

    fn of_guest(&self, addr: &'a Addr, interface: &Interface) -> Candidate<'a> {
        let configuration = ip_configuration(interface, self.question.observed);
        Candidate {
            name: addr.name().to_owned(),
            guest: Some(addr),
            by: place_of(&interface.ip_configuration_id()),
            ip_configuration: Some(interface.ip_configuration_id()),
            own_address: configuration.and_then(|c| c.private_address),
            secondary: configuration.is_some_and(IpConfiguration::is_secondary),
            wanted: false,
            joined: false,
            others: self
                .question
                .desired
                .guests
                .get(addr)
                .map_or(0, |g| g.interfaces.len() - 1),
        }
    }

    /// Members of a pool of addresses: a guest where one of its NICs has the address.
    fn by_address(&self, load_balancer: &LoadBalancer, pools: &[ArmId]) -> Vec<Candidate<'a>> {
        let mut all = Vec::new();
        let addresses = pools
            .iter()
            .filter_map(|pool| load_balancer.item(ItemKind::BackendPool, pool.name()))
            .flat_map(Item::addresses);
        for PoolAddress { name, address, .. } in addresses {
            let address = Some(address);
            let guest = self
                .question
                .desired
                .guests
                .iter()
                .find_map(|(addr, guest)| {
                    let holds = |interface: &&Interface| {
                        let found = ip_configuration(interface, self.question.observed);
                        found.and_then(|c| c.private_address) == address
                    };
                    Some((addr, guest.interfaces.iter().find(holds)?))
                });
            let base = match guest {
                Some((addr, interface)) => self.of_guest(addr, interface),
                None => Candidate {
                    name: name.to_owned(),
                    guest: None,
                    by: String::new(),
                    ip_configuration: None,
                    own_address: address,
                    secondary: false,
                    wanted: false,
                    joined: true,
                    others: 0,
                },
            };
            all.push(Candidate {
                by: format!("address {name:?}"),
                joined: true,
                ..base
            });
        }
        all
    }

    /// What is on this address, or which addresses there are.
    pub(super) fn near(&self) -> Vec<String> {
        let mut same = Vec::new();
        let mut others = Vec::new();
        for load_balancer in self.load_balancers.values() {
            for (kind, item) in rules(load_balancer) {
                let rule = Rule { item };
                let Some(address) = self.address_of(load_balancer, &rule) else {
                    continue;
                };
                let word = if kind == ItemKind::InboundNatRule {
                    "inbound NAT rule"
                } else {
                    "rule"
                };
                let text = format!("{word} {:?} takes {}", item.name, flow(address, &rule));
                if address == self.question.destination.socket.ip() {
                    same.push(text);
                } else {
                    others.push(text);
                }
            }
        }
        let mut near = if same.is_empty() { others } else { same };
        near.sort();
        near
    }

    pub(super) fn unread(&self) -> Vec<String> {
        let of = |id: &ArmId, why: &str| format!("{} could not be read: {why}", id.name());
        let load_balancers =
            self.question
                .observed
                .load_balancers
                .iter()
                .filter_map(|(id, found)| match found {
                    Observation::Unreadable { why } => Some(of(id, why)),
                    Observation::Present(_) | Observation::Absent => None,
                });
        let addresses = self
            .question
            .observed
            .public_ips
            .iter()
            .filter_map(|(id, found)| match found {
                Observation::Unreadable { why } => Some(of(id, why)),
                Observation::Present(_) | Observation::Absent => None,
            });
        load_balancers.chain(addresses).collect()
    }
}

fn frontend_is_public(load_balancer: &LoadBalancer, name: &str) -> bool {
    let frontend = load_balancer.item(ItemKind::Frontend, name);
    frontend.is_some_and(|item| item.text("public_ip").is_some())
}

fn rules(load_balancer: &LoadBalancer) -> impl Iterator<Item = (ItemKind, &Item)> {
    [ItemKind::Rule, ItemKind::InboundNatRule]
        .into_iter()
        .flat_map(|kind| load_balancer.of_kind(kind).map(move |item| (kind, item)))
}

fn port_of(item: &Item, name: &str) -> Option<u16> {
    item.int(name).and_then(|port| u16::try_from(port).ok())
}

/// One port, or the range of an inbound NAT rule that leads to a pool.
fn frontend_ports(item: &Item) -> Option<RangeInclusive<u16>> {
    let start = port_of(item, "frontend_port_range_start");
    match start.zip(port_of(item, "frontend_port_range_end")) {
        Some((start, end)) => Some(start..=end),
        None => port_of(item, "frontend_port").map(|port| port..=port),
    }
}

fn flow(address: IpAddr, rule: &Rule<'_>) -> String {
    let ports = frontend_ports(rule.item);
    match (rule.protocol(), ports) {
        (None | Some(Protocol::All), _) | (_, None) => format!("every port of {address}"),
        (Some(protocol), Some(ports)) => {
            let socket = SocketAddr::new(address, *ports.start());
            if ports.start() == ports.end() {
                format!("{socket}/{protocol}")
            } else {
                format!("{socket}-{}/{protocol}", ports.end())
            }
        }
    }
}

/// `vm1-nic/ipconfig1`
fn place_of(ip_configuration: &ArmId) -> String {
    let nic = ip_configuration.parent();
    let nic = nic.as_ref().map_or("", ArmId::name);
    format!("{nic}/{}", ip_configuration.name())
}

fn ip_configuration<'o>(
    interface: &Interface,
    observed: &'o Observed,
) -> Option<&'o IpConfiguration> {
    let nic = observed.network_interfaces.get(&interface.id)?.present()?;
    let wanted = &interface.ip_configuration;
    nic.ip_configurations
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, configuration)| configuration)
}
