//! From ARM documents to flows.
//!
//! It reads what the emulator would answer to a GET and trusts nothing in it: what is missing or of
//! the wrong shape makes no flow, as Azure would not deliver for it either.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::{
    Distribution, Fabric, Flow, FlowPorts, Health, Member, ProbeKind, ProbeTarget, Routed,
};
use crate::seed::{Port, Protocol, Route};

/// Azure's shortest probe interval is 5 s. The lab probes more often, so that nobody has to wait.
const LONGEST_PROBE_INTERVAL_MILLISECONDS: u64 = 500;

/// What a fabric is made from.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    pub load_balancers: &'a [Value],
    pub network_interfaces: &'a [Value],
    pub public_ips: &'a [Value],
    pub virtual_networks: &'a [Value],
    pub security_groups: &'a [Value],
    /// The NICs that lead to a running guest: ARM id in lower case, number in the inventory.
    pub numbers: &'a BTreeMap<String, u16>,
    pub health: &'a Health,
    /// Each route with the addresses of the guest that sends by it.
    pub routes: &'a [(Vec<IpAddr>, Route)],
}

/// Works out what the fabric has to do.
pub fn program(world: &World<'_>) -> Fabric {
    let mut fabric = Fabric::default();
    for load_balancer in world.load_balancers {
        let balancer = Balancer {
            id: lowercase(load_balancer, "/id"),
            document: load_balancer,
            world,
        };
        fabric.frontends.extend(
            balancer
                .children("frontendIPConfigurations")
                .filter_map(|frontend| balancer.address(frontend)),
        );
        for rule in balancer.children("loadBalancingRules") {
            fabric
                .flows
                .extend(balancer.rule(rule, &mut fabric.targets));
        }
        for rule in balancer.children("inboundNatRules") {
            fabric.flows.extend(balancer.nat_rule(rule));
        }
    }
    fabric.targets.sort();
    fabric.targets.dedup();
    // Stable: specific ports win over HA ports, otherwise Azure's order stays.
    fabric.flows.sort_by_key(|flow| match flow.ports {
        FlowPorts::One(_) => 0,
        FlowPorts::Both(_) => 1,
        FlowPorts::All => 2,
    });
    fabric.guards = super::guard::guards(world);
    fabric.routed = world
        .routes
        .iter()
        .filter_map(|(sources, route)| routed(&fabric.flows, sources, route))
        .collect();
    fabric
}

/// Only an HA-ports rule takes packets for other destinations than its frontend
/// (learn.microsoft.com/azure/load-balancer/load-balancer-ha-ports-overview).
fn routed(flows: &[Flow], sources: &[IpAddr], route: &Route) -> Option<Routed> {
    let takes = |flow: &&Flow| flow.frontend == route.next_hop && flow.ports == FlowPorts::All;
    let flow = flows.iter().find(takes)?;
    let same_family = |address: &&IpAddr| address.is_ipv4() == route.next_hop.is_ipv4();
    Some(Routed {
        sources: sources.iter().filter(same_family).copied().collect(),
        prefix: route.prefix,
        distribution: flow.distribution,
        members: flow.members.clone(),
    })
}

struct Balancer<'a> {
    id: String,
    document: &'a Value,
    world: &'a World<'a>,
}

/// A member before its health is known.
struct Candidate {
    number: u16,
    address: IpAddr,
    /// Azure's `adminState`: Up and Down override the probe.
    admin_state: Option<bool>,
}

impl<'a> Balancer<'a> {
    fn children(&self, collection: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        items(self.document, &format!("/properties/{collection}"))
    }

    /// The child that a reference (`{"id": …}`) points to.
    fn child(&self, collection: &str, reference: &Value) -> Option<&'a Value> {
        let wanted = lowercase(reference, "/id");
        let prefix = format!("{}/{}/", self.id, collection.to_ascii_lowercase());
        self.children(collection).find(|child| {
            let name = lowercase(child, "/name");
            !name.is_empty() && wanted == format!("{prefix}{name}")
        })
    }

    fn address(&self, frontend: &Value) -> Option<IpAddr> {
        let own = frontend
            .pointer("/properties/privateIPAddress")
            .and_then(Value::as_str);
        if let Some(address) = own.and_then(|text| text.parse().ok()) {
            return Some(address);
        }
        let public = lowercase(frontend, "/properties/publicIPAddress/id");
        let document = self
            .world
            .public_ips
            .iter()
            .find(|it| lowercase(it, "/id") == public)?;
        document
            .pointer("/properties/ipAddress")?
            .as_str()?
            .parse()
            .ok()
    }

    fn frontend_of(&self, rule: &Value) -> Option<IpAddr> {
        let reference = rule.pointer("/properties/frontendIPConfiguration")?;
        self.address(self.child("frontendIPConfigurations", reference)?)
    }

    fn rule(&self, rule: &Value, targets: &mut Vec<ProbeTarget>) -> Option<Flow> {
        let frontend = self.frontend_of(rule)?;
        let ports = flow_ports(rule)?;
        let properties = rule.get("properties")?;
        let single = properties.get("backendAddressPool").into_iter();
        let mut pools: Vec<String> = single
            .chain(items(properties, "/backendAddressPools"))
            .map(|pool| lowercase(pool, "/id"))
            .filter(|id| !id.is_empty())
            .collect();
        pools.sort();
        pools.dedup();
        let probe = properties
            .get("probe")
            .and_then(|reference| self.child("probes", reference));
        let mut members = Vec::new();
        for candidate in self.candidates(&pools, frontend) {
            let target = probe.and_then(|probe| probe_target(probe, candidate.address));
            let probed = target
                .as_ref()
                .is_none_or(|target| self.world.health.is_up(target));
            targets.extend(target);
            members.push(Member {
                number: candidate.number,
                address: candidate.address,
                healthy: candidate.admin_state.unwrap_or(probed),
            });
        }
        Some(Flow {
            frontend,
            ports,
            floating: flag(properties, "enableFloatingIP"),
            backend_port: changed_port(properties, ports),
            distribution: distribution(properties),
            members,
        })
    }

    /// The NICs of the pools, of the frontend's address family: Azure pairs only equals.
    fn candidates(&self, pools: &[String], frontend: IpAddr) -> Vec<Candidate> {
        let mut candidates = BTreeMap::new();
        for (number, configuration) in self.ip_configurations() {
            let joined = items(configuration, "/properties/loadBalancerBackendAddressPools")
                .any(|pool| pools.contains(&lowercase(pool, "/id")));
            if let Some(address) = private_address(configuration)
                && joined
                && address.is_ipv4() == frontend.is_ipv4()
            {
                candidates.entry(number).or_insert(Candidate {
                    number,
                    address,
                    admin_state: None,
                });
            }
        }
        for pool in self.children("backendAddressPools") {
            let id = format!(
                "{}/backendaddresspools/{}",
                self.id,
                lowercase(pool, "/name")
            );
            if !pools.contains(&id) {
                continue;
            }
            for entry in items(pool, "/properties/loadBalancerBackendAddresses") {
                self.pool_entry(entry, frontend, &mut candidates);
            }
        }
        candidates.into_values().collect()
    }

    /// A member that the pool names itself, by address; or more about one that joined by its NIC.
    fn pool_entry(
        &self,
        entry: &Value,
        frontend: IpAddr,
        candidates: &mut BTreeMap<u16, Candidate>,
    ) {
        let by_reference = lowercase(entry, "/properties/networkInterfaceIPConfiguration/id");
        let by_address: Option<IpAddr> = entry
            .pointer("/properties/ipAddress")
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok());
        let found = self.ip_configurations().find(|(_, configuration)| {
            let address = private_address(configuration);
            (by_address.is_some() && by_address == address)
                || (!by_reference.is_empty() && lowercase(configuration, "/id") == by_reference)
        });
        let Some((number, configuration)) = found else {
            return;
        };
        let Some(address) = private_address(configuration) else {
            return;
        };
        if address.is_ipv4() != frontend.is_ipv4() {
            return;
        }
        let admin_state = match lowercase(entry, "/properties/adminState").as_str() {
            "up" => Some(true),
            "down" => Some(false),
            _ => None,
        };
        candidates
            .entry(number)
            .or_insert(Candidate {
                number,
                address,
                admin_state: None,
            })
            .admin_state = admin_state;
    }

    fn nat_rule(&self, rule: &Value) -> Vec<Flow> {
        let parts = (self.frontend_of(rule), rule.get("properties"));
        let (Some(frontend), Some(properties)) = parts else {
            return Vec::new();
        };
        let flow = |ports: FlowPorts, candidate: &Candidate| Flow {
            frontend,
            ports,
            floating: flag(properties, "enableFloatingIP"),
            backend_port: changed_port(properties, ports),
            distribution: Distribution::FiveTuple,
            members: vec![Member {
                number: candidate.number,
                address: candidate.address,
                // Azure does not probe for inbound NAT rules.
                healthy: true,
            }],
        };
        if let Some(pool) = properties.get("backendAddressPool") {
            let Some(first) = port(properties, "frontendPortRangeStart") else {
                return Vec::new();
            };
            let last = port(properties, "frontendPortRangeEnd").unwrap_or(first);
            // Which member gets which port Azure decides by itself; the lab counts up.
            let members = self.candidates(&[lowercase(pool, "/id")], frontend);
            return (first..=last)
                .zip(&members)
                .filter_map(|(port, member)| Some(flow(ports_for(properties, port)?, member)))
                .collect();
        }
        let Some(ports) = flow_ports(rule) else {
            return Vec::new();
        };
        let rule_id = format!("{}/inboundnatrules/{}", self.id, lowercase(rule, "/name"));
        let backend = lowercase(properties, "/backendIPConfiguration/id");
        self.ip_configurations()
            .filter(|(_, configuration)| {
                (!backend.is_empty() && lowercase(configuration, "/id") == backend)
                    || items(configuration, "/properties/loadBalancerInboundNatRules")
                        .any(|reference| lowercase(reference, "/id") == rule_id)
            })
            .filter_map(|(number, configuration)| {
                let address = private_address(configuration)?;
                (address.is_ipv4() == frontend.is_ipv4()).then_some(Candidate {
                    number,
                    address,
                    admin_state: None,
                })
            })
            .take(1)
            .map(|candidate| flow(ports, &candidate))
            .collect()
    }

    /// The IP configurations of all NICs that lead to a guest.
    fn ip_configurations(&self) -> impl Iterator<Item = (u16, &'a Value)> + use<'a> {
        let world = self.world;
        world.network_interfaces.iter().flat_map(|nic| {
            let number = world.numbers.get(&lowercase(nic, "/id")).copied();
            items(nic, "/properties/ipConfigurations")
                .filter_map(move |configuration| Some((number?, configuration)))
        })
    }
}

pub(super) fn items<'a>(
    document: &'a Value,
    pointer: &str,
) -> impl Iterator<Item = &'a Value> + use<'a> {
    document
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// ARM ids and enum values compare without case.
pub(super) fn lowercase(document: &Value, pointer: &str) -> String {
    document
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_ascii_lowercase()
}

fn flag(properties: &Value, name: &str) -> bool {
    properties
        .get(name)
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

fn port(properties: &Value, name: &str) -> Option<u16> {
    properties
        .get(name)
        .and_then(Value::as_u64)
        .and_then(|it| u16::try_from(it).ok())
}

fn private_address(configuration: &Value) -> Option<IpAddr> {
    configuration
        .pointer("/properties/privateIPAddress")?
        .as_str()?
        .parse()
        .ok()
}

fn flow_ports(rule: &Value) -> Option<FlowPorts> {
    let properties = rule.get("properties")?;
    ports_for(properties, port(properties, "frontendPort")?)
}

fn ports_for(properties: &Value, port: u16) -> Option<FlowPorts> {
    let one = |protocol| FlowPorts::One(Port { protocol, port });
    match (lowercase(properties, "/protocol").as_str(), port) {
        ("all", 0) => Some(FlowPorts::All),
        ("all", _) => Some(FlowPorts::Both(port)),
        ("tcp", 1..) => Some(one(Protocol::Tcp)),
        ("udp", 1..) => Some(one(Protocol::Udp)),
        _ => None,
    }
}

fn changed_port(properties: &Value, ports: FlowPorts) -> Option<u16> {
    let backend = port(properties, "backendPort").filter(|port| *port != 0)?;
    match ports {
        FlowPorts::One(Port { port, .. }) | FlowPorts::Both(port) => {
            (backend != port).then_some(backend)
        }
        FlowPorts::All => None,
    }
}

fn distribution(properties: &Value) -> Distribution {
    match lowercase(properties, "/loadDistribution").as_str() {
        "sourceip" => Distribution::SourceIp,
        "sourceipprotocol" => Distribution::SourceIpProtocol,
        _ => Distribution::FiveTuple,
    }
}

/// The probe goes to the member's own address, also with floating IP
/// (learn.microsoft.com/azure/load-balancer/load-balancer-multivip-overview).
fn probe_target(probe: &Value, address: IpAddr) -> Option<ProbeTarget> {
    let properties = probe.get("properties")?;
    let kind = match lowercase(properties, "/protocol").as_str() {
        "http" => ProbeKind::Http {
            path: properties
                .get("requestPath")
                .and_then(Value::as_str)
                .unwrap_or("/")
                .to_owned(),
        },
        _ => ProbeKind::Tcp,
    };
    let asked = properties
        .get("intervalInSeconds")
        .and_then(Value::as_u64)
        .unwrap_or(15);
    Some(ProbeTarget {
        address,
        port: port(properties, "port").filter(|port| *port != 0)?,
        kind,
        interval_milliseconds: asked
            .saturating_mul(1000)
            .clamp(1, LONGEST_PROBE_INTERVAL_MILLISECONDS),
    })
}
