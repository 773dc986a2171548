//! The table of the Microsoft page, from the configuration: where each rule's packets arrive inside the guests.

use super::addresses::{PublicAddresses, frontend_address};
use crate::config::Desired;
use crate::model::guest::Interface;
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, ItemKind, Kind, LoadBalancer, Protocol, Rule};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// One rule as a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRow {
    pub load_balancer: Addr,
    pub rule: String,
    pub frontend: String,
    /// `None` while nobody knows it yet.
    pub frontend_address: Option<std::net::IpAddr>,
    pub protocol: Protocol,
    /// `None` is every port.
    pub port: Option<u16>,
    pub floating_ip: bool,
    pub destinations: Vec<MapDestination>,
    pub guests: Vec<String>,
}

/// Where packets arrive inside a guest: for a floating rule one destination that all guests share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapDestination {
    pub address: Option<std::net::IpAddr>,
    pub port: Option<u16>,
    pub same_address_as_frontend: bool,
    pub same_port_as_frontend: bool,
    /// The guests that take it there.
    pub guests: Vec<String>,
}

/// Each declared rule and where its packets arrive.
pub fn map(desired: &Desired, observed: Option<&Observed>) -> Vec<MapRow> {
    let public = PublicAddresses::new(desired, observed);
    let mut rows = Vec::new();
    for (addr, wanted) in &desired.load_balancers {
        let existing = observed
            .and_then(|o| o.load_balancers.get(&wanted.id))
            .and_then(Observation::present);
        let load_balancer = wanted.over(existing);
        for item in wanted.items.iter().filter(|i| i.kind == ItemKind::Rule) {
            if let Some(item) = load_balancer.item(ItemKind::Rule, &item.name) {
                rows.extend(row(
                    addr,
                    &load_balancer,
                    &Rule { item },
                    desired,
                    observed,
                    &public,
                ));
            }
        }
    }
    for (label, data) in &desired.data_load_balancers {
        let existing = observed
            .and_then(|o| o.load_balancers.get(&data.id))
            .and_then(Observation::present);
        let load_balancer = data.expected.over(existing);
        let addr = Addr::new(Kind::LoadBalancer, label.clone());
        for rule in load_balancer.rules() {
            rows.extend(row(
                &addr,
                &load_balancer,
                &rule,
                desired,
                observed,
                &public,
            ));
        }
    }
    rows
}

fn row(
    addr: &Addr,
    load_balancer: &LoadBalancer,
    rule: &Rule<'_>,
    desired: &Desired,
    observed: Option<&Observed>,
    public: &PublicAddresses,
) -> Option<MapRow> {
    let frontend = rule.frontend()?;
    let protocol = rule.protocol()?;
    let every = protocol == Protocol::All;
    let address = frontend_address(load_balancer, frontend.name(), public).and_then(|w| w.known());
    let members: Vec<(&Addr, &Interface)> = desired
        .guests
        .iter()
        .flat_map(|(guest, wanted)| {
            wanted
                .interfaces
                .iter()
                .map(move |interface| (guest, interface))
        })
        .filter(|(_, interface)| {
            rule.pools()
                .any(|pool| interface.backend_pools.contains(&pool))
        })
        .collect();
    let guests: Vec<String> = members
        .iter()
        .map(|(guest, _)| guest.name().to_owned())
        .collect();
    let port = (!every).then(|| rule.backend_port());
    let destination = |address: Option<IpAddr>, guests: Vec<String>| MapDestination {
        address,
        port,
        same_address_as_frontend: rule.floating(),
        same_port_as_frontend: every || rule.frontend_port() == rule.backend_port(),
        guests,
    };
    let destinations = if rule.floating() {
        vec![destination(address, guests.clone())]
    } else {
        members
            .iter()
            .map(|(guest, interface)| {
                destination(
                    own_address(interface, observed),
                    vec![guest.name().to_owned()],
                )
            })
            .collect()
    };
    Some(MapRow {
        load_balancer: addr.clone(),
        rule: rule.name().to_owned(),
        frontend: frontend.name().to_owned(),
        frontend_address: address,
        protocol,
        port: (!every).then(|| rule.frontend_port()),
        floating_ip: rule.floating(),
        destinations,
        guests,
    })
}

fn own_address(interface: &Interface, observed: Option<&Observed>) -> Option<IpAddr> {
    let nic = observed?.network_interfaces.get(&interface.id)?.present()?;
    let wanted = &interface.ip_configuration;
    nic.ip_configurations
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))?
        .1
        .private_address
}

/// The ports on which each lab guest answers: what its rules deliver to, and what probes ask for.
pub fn lab_listeners(desired: &Desired) -> BTreeMap<Addr, BTreeSet<(Protocol, u16)>> {
    let mut all: BTreeMap<Addr, BTreeSet<(Protocol, u16)>> = BTreeMap::new();
    for (addr, guest) in &desired.guests {
        let ports = all.entry(addr.clone()).or_default();
        let pools: BTreeSet<&ArmId> = guest
            .interfaces
            .iter()
            .flat_map(|i| &i.backend_pools)
            .collect();
        for wanted in desired.load_balancers.values() {
            let load_balancer = wanted.over(None);
            for rule in load_balancer
                .rules()
                .filter(|r| r.pools().any(|p| pools.contains(&p)))
            {
                match rule.protocol() {
                    Some(Protocol::All) => {
                        let settings = wanted.item(ItemKind::Rule, rule.name());
                        ports.extend(settings.into_iter().flat_map(|i| &i.guest.ports).copied());
                    }
                    Some(protocol) => {
                        ports.insert((protocol, rule.backend_port()));
                    }
                    None => {}
                }
                let probe = rule
                    .probe()
                    .and_then(|id| load_balancer.by_id(ItemKind::Probe, id.as_str()));
                let port = probe
                    .and_then(|p| p.int("port"))
                    .and_then(|p| u16::try_from(p).ok());
                ports.extend(port.map(|p| (Protocol::Tcp, p)));
            }
        }
    }
    all
}
