//! The packet fabric: what the load balancers ask of the network between client and guests.
//!
//! In: the ARM documents of load balancers, NICs and public IPs, and the members' health. Out: a
//! [`Fabric`] ([`program()`]), and the nft script that makes the kernel deliver so ([`render()`]).
//! Both are pure; the fabric's agent applies the script as one transaction.

mod guard;
mod program;
mod render;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use guard::{Guard, GuardRule, Place};
pub use program::{World, program};
pub use render::render;

use crate::seed::{Port, Protocol};

/// All that the fabric does with packets to frontends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fabric {
    /// Every frontend's address; what no flow takes is dropped.
    pub frontends: BTreeSet<IpAddr>,
    /// In the order in which they are matched: a flow of one port comes before one of all ports.
    pub flows: Vec<Flow>,
    /// What guests send through an HA-ports rule because a route says so.
    pub routed: Vec<Routed>,
    /// The network security groups in front of NICs.
    pub guards: Vec<Guard>,
    /// The probes of all members, each once.
    pub targets: Vec<ProbeTarget>,
}

/// One load-balancing rule or inbound NAT rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    pub frontend: IpAddr,
    pub ports: FlowPorts,
    /// With floating IP the destination stays the frontend's address; without, it becomes the member's own.
    pub floating: bool,
    /// None keeps the port that the client used.
    pub backend_port: Option<u16>,
    pub distribution: Distribution,
    pub members: Vec<Member>,
}

/// Packets that keep their destination and still go through a rule: its frontend is their next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The sender's own addresses.
    pub sources: Vec<IpAddr>,
    pub prefix: IpNet,
    pub distribution: Distribution,
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowPorts {
    One(Port),
    /// A NAT rule of protocol All for one port.
    Both(u16),
    /// An HA-ports rule: every TCP and UDP port.
    All,
}

/// What a connection's member is chosen by
/// (learn.microsoft.com/azure/load-balancer/distribution-mode-concepts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    FiveTuple,
    SourceIp,
    SourceIpProtocol,
}

/// A NIC behind a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The NIC's number in the inventory: its packet mark.
    pub number: u16,
    /// The member's own address, of the frontend's family.
    pub address: IpAddr,
    pub healthy: bool,
}

/// One health probe of one member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProbeTarget {
    pub address: IpAddr,
    pub port: u16,
    pub kind: ProbeKind,
    pub interval_milliseconds: u64,
}

impl ProbeTarget {
    /// What [`Health`] knows this probe by.
    pub fn key(&self) -> String {
        match &self.kind {
            ProbeKind::Tcp => format!("tcp {} {}", self.address, self.port),
            ProbeKind::Http { path } => format!("http {} {} {path}", self.address, self.port),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Also stands in for Https: the lab's guests hold no certificates.
    Tcp,
    Http {
        path: String,
    },
}

/// The last result of each probe, by [`ProbeTarget::key`].
///
/// A member without a result yet is out: it takes traffic from its first successful probe on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health(pub BTreeMap<String, bool>);

impl Health {
    pub fn is_up(&self, target: &ProbeTarget) -> bool {
        self.0.get(&target.key()).copied().unwrap_or(false)
    }
}

impl Fabric {
    /// The ports on which the guest behind a NIC has to answer for the rules and their probes.
    pub fn ports_of(&self, number: u16, own_addresses: &[IpAddr]) -> BTreeSet<Port> {
        let mut ports = BTreeSet::new();
        for flow in &self.flows {
            if !flow.members.iter().any(|member| member.number == number) {
                continue;
            }
            match flow.ports {
                FlowPorts::One(Port { protocol, port }) => {
                    let port = flow.backend_port.unwrap_or(port);
                    ports.insert(Port { protocol, port });
                }
                FlowPorts::Both(port) => {
                    let port = flow.backend_port.unwrap_or(port);
                    for protocol in [Protocol::Tcp, Protocol::Udp] {
                        ports.insert(Port { protocol, port });
                    }
                }
                // Every port is nobody's port in particular; the configuration's `guest_ports` says which.
                FlowPorts::All => {}
            }
        }
        for target in self
            .targets
            .iter()
            .filter(|it| own_addresses.contains(&it.address))
        {
            ports.insert(Port {
                protocol: Protocol::Tcp,
                port: target.port,
            });
        }
        ports
    }
}
