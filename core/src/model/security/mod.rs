//! Network security groups: what Azure lets through to a network interface, judged rule by rule.
//!
//! A packet meets the subnet's group first and then the network interface's; each that is there must let it through.
//! With floating IP the group sees the **frontend's** address as destination, without it the VM's own.
//! Source: <https://learn.microsoft.com/azure/virtual-network/network-security-group-how-it-works>; cloud-provider-azure
//! writes its rules by the same distinction.

mod guard;
mod judge;

pub use guard::Guard;

use super::{ArmId, Protocol};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// The inbound half of a network security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    pub id: ArmId,
    /// By priority, the default rules at the end. The first that matches decides.
    pub inbound: Vec<SecurityRule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityRule {
    pub name: String,
    pub priority: u16,
    pub access: Access,
    pub transport: Transport,
    pub sources: Vec<Prefix>,
    /// Inclusive ranges; empty is any. Clients choose their own ports, so that a narrow range meets only some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_ports: Vec<(u16, u16)>,
    pub destinations: Vec<Prefix>,
    /// Inclusive ranges; empty is any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<(u16, u16)>,
    /// Azure's own, which every group has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Any,
    Tcp,
    Udp,
    /// ICMP, ESP, AH: nothing that a load balancer carries.
    Other,
}

/// One source or destination of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefix {
    Any,
    Net(IpNet),
    /// A service tag: `VirtualNetwork`, `AzureLoadBalancer`, `Internet`, and many that only Azure can resolve.
    Tag(String),
    /// An application security group.
    Group(ArmId),
}

/// A subnet, as far as it guards what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: ArmId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group: Option<ArmId>,
}

/// A new connection (or datagram) as the groups see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub protocol: Protocol,
    pub source: Source,
    /// With floating IP the frontend's address, else the VM's own. Probes always go to the VM's own.
    pub destination: IpAddr,
    /// A public frontend's address is not part of the virtual network, whatever the rule behind it.
    pub destination_is_public: bool,
    /// The backend port; `None` is every port.
    pub port: Option<u16>,
}

/// Where a packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client outside; `None` is any of them.
    Internet(Option<IpAddr>),
    /// A client in the virtual network or in what is connected to it; `None` is any of them.
    VirtualNetwork(Option<IpAddr>),
    /// Azure's health probe, 168.63.129.16.
    Probe,
}

/// A rule, for people: `DenyAllInBound of nsg-web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct By {
    pub group: ArmId,
    pub rule: String,
    pub default: bool,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = if self.default { "default rule" } else { "rule" };
        write!(
            f,
            "{own} {} of network security group {}",
            self.rule,
            self.group.name()
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every group that is there lets it through; one rule for each, the subnet's first.
    Allowed {
        by: Vec<By>,
    },
    Denied {
        by: By,
    },
    /// This rule may or may not match, and the rest would decide otherwise.
    Depends {
        by: By,
        why: String,
    },
    /// Neither the subnet nor the network interface has a group. Standard load balancers and public IP addresses then let
    /// nothing in from the Internet.
    NoGroup,
    /// A group could not be read, and no other denies it.
    Unread {
        why: String,
    },
}
