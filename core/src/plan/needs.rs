//! What a guest must hold, derived from the rules that reach it: nobody writes it twice.

use super::addresses::{PublicAddresses, frontend_address};
use crate::config::{DesiredLoadBalancer, GuestMode, GuestSettings};
use crate::model::guest::{AZURE_PROBE_SOURCE, EntryKey, Opening};
use crate::model::{ArmId, ItemKind, LoadBalancer, Protocol, Rule, Where};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// One ip configuration of a guest and the pools it is in.
#[derive(Clone, Debug)]
pub struct Member {
    /// The VM's own address (DIP), where it could be read.
    pub own_address: Option<IpAddr>,
    pub pools: BTreeSet<ArmId>,
}

/// What the rules demand of one guest.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Entry → the names of the rules it is for.
    pub entries: BTreeMap<EntryKey, BTreeSet<String>>,
    /// Where applications have to listen.
    pub services: Vec<Service>,
    /// Destinations of HA-ports rules, which may use any port.
    pub every_port: BTreeSet<Where>,
}

/// Packets of one rule as they arrive inside one guest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    pub rule: String,
    pub load_balancer: ArmId,
    pub protocol: Protocol,
    pub destination: Where,
    /// `None` is every port.
    pub port: Option<u16>,
    pub floating: bool,
    pub mode: GuestMode,
    pub frontend: Option<Where>,
    pub frontend_port: Option<u16>,
    pub probe: Option<Probe>,
}

/// Who Azure asks whether the member is healthy: always the VM's own address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    pub name: String,
    pub destination: IpAddr,
    pub port: u16,
}

/// Which rules count, and what is known of them beyond Azure's own properties.
pub trait Selects {
    /// The settings of the rule's frontend and of the rule; `None` leaves the rule out.
    fn settings(&self, rule: &Rule<'_>) -> Option<(GuestMode, GuestSettings)>;
}

/// Only what the configuration declares: what guests shall gain.
#[derive(Debug)]
pub struct Declared<'a>(pub &'a DesiredLoadBalancer);

impl Selects for Declared<'_> {
    fn settings(&self, rule: &Rule<'_>) -> Option<(GuestMode, GuestSettings)> {
        let item = self.0.item(ItemKind::Rule, rule.name())?;
        let mode = rule
            .frontend()
            .and_then(|id| self.0.item(ItemKind::Frontend, id.name()))
            .map(|frontend| frontend.guest.mode)
            .unwrap_or_default();
        Some((mode, item.guest.clone()))
    }
}

/// Every rule that the configuration does not declare, taken at its strongest: what guests must not lose.
#[derive(Debug)]
pub struct Undeclared<'a>(pub Option<&'a DesiredLoadBalancer>);

impl Selects for Undeclared<'_> {
    fn settings(&self, rule: &Rule<'_>) -> Option<(GuestMode, GuestSettings)> {
        let declared = self
            .0
            .is_some_and(|lb| lb.item(ItemKind::Rule, rule.name()).is_some());
        (!declared).then(|| (GuestMode::Loopback, GuestSettings::default()))
    }
}

/// What the selected rules of a load balancer demand of a member.
pub fn needs(
    load_balancer: &LoadBalancer,
    public: &PublicAddresses,
    member: &Member,
    select: &dyn Selects,
) -> Needs {
    let mut needs = Needs::default();
    for rule in load_balancer.rules() {
        let reaches = rule.pools().any(|pool| member.pools.contains(&pool));
        let (Some((mode, settings)), Some(protocol), true) =
            (select.settings(&rule), rule.protocol(), reaches)
        else {
            continue;
        };
        if mode == GuestMode::None {
            continue;
        }
        let frontend = rule
            .frontend()
            .and_then(|id| frontend_address(load_balancer, id.name(), public));
        let destination = if rule.floating() {
            frontend.clone()
        } else {
            member.own_address.map(Where::Known)
        };
        let Some(destination) = destination else {
            continue;
        };
        let probe = probe_of(load_balancer, &rule, member);
        let because = rule.name().to_owned();
        if rule.floating() && mode == GuestMode::Loopback {
            needs.demand(EntryKey::Address(destination.clone()), &because);
        }
        let ports: Vec<(Protocol, Option<u16>)> = match protocol {
            Protocol::All => settings
                .ports
                .iter()
                .map(|(p, port)| (*p, Some(*port)))
                .collect(),
            Protocol::Tcp | Protocol::Udp => vec![(protocol, Some(rule.backend_port()))],
        };
        if protocol == Protocol::All {
            needs.every_port.insert(destination.clone());
        }
        for (protocol, port) in ports {
            needs.demand(
                EntryKey::Firewall(Opening {
                    protocol,
                    destination: destination.clone(),
                    port,
                    source: None,
                }),
                &because,
            );
            needs.services.push(Service {
                rule: because.clone(),
                load_balancer: load_balancer.id.clone(),
                protocol,
                destination: destination.clone(),
                port,
                floating: rule.floating(),
                mode,
                frontend: frontend.clone(),
                frontend_port: (rule.protocol() != Some(Protocol::All))
                    .then(|| rule.frontend_port()),
                probe: probe.clone(),
            });
        }
        if let Some(probe) = &probe {
            needs.demand(probe_opening(probe), &because);
        }
    }
    needs
}

/// The hole for a probe: from Azure's probe address to the VM's own.
pub fn probe_opening(probe: &Probe) -> EntryKey {
    EntryKey::Firewall(Opening {
        protocol: Protocol::Tcp,
        destination: Where::Known(probe.destination),
        port: Some(probe.port),
        source: probe.destination.is_ipv4().then_some(AZURE_PROBE_SOURCE),
    })
}

fn probe_of(load_balancer: &LoadBalancer, rule: &Rule<'_>, member: &Member) -> Option<Probe> {
    let item = load_balancer.by_id(ItemKind::Probe, rule.probe()?.as_str())?;
    Some(Probe {
        name: item.name.clone(),
        destination: member.own_address?,
        port: item.int("port").and_then(|p| u16::try_from(p).ok())?,
    })
}

impl Needs {
    fn demand(&mut self, key: EntryKey, because: &str) {
        self.entries
            .entry(key)
            .or_default()
            .insert(because.to_owned());
    }

    /// Whether any of the rules uses this entry.
    pub fn uses(&self, key: &EntryKey) -> bool {
        let through_ha = match key {
            EntryKey::Firewall(opening) => self.every_port.contains(&opening.destination),
            EntryKey::Address(_) => false,
        };
        through_ha || self.entries.contains_key(key)
    }

    pub fn merge(&mut self, other: Self) {
        for (key, because) in other.entries {
            self.entries.entry(key).or_default().extend(because);
        }
        self.services.extend(other.services);
        self.every_port.extend(other.every_port);
    }
}
