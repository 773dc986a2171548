//! The attributes of what we model: one table for decoding HCL, for the wire, for diffs and for the reference page.
//!
//! Names are Azure's own words in snake_case. Defaults are what Azure fills in when a PUT leaves the property out
//! (counted over real PUT answers), so that a default that Azure adds never shows as a difference.

mod load_balancer;
mod public_ip;
mod rules;

pub use load_balancer::LOAD_BALANCER;
pub use public_ip::{PUBLIC_IP, PUBLIC_IP_PREFIX};

use load_balancer::{BACKEND_POOL, FRONTEND, PROBE};
use rules::{INBOUND_NAT_RULE, OUTBOUND_RULE, RULE};

/// The sub-resources of a load balancer.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    Frontend,
    BackendPool,
    Probe,
    Rule,
    InboundNatRule,
    OutboundRule,
}

impl ItemKind {
    pub const ALL: [Self; 6] = [
        Self::Frontend,
        Self::BackendPool,
        Self::Probe,
        Self::Rule,
        Self::InboundNatRule,
        Self::OutboundRule,
    ];

    /// The word of the configuration language.
    pub fn word(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::BackendPool => "backend_pool",
            Self::Probe => "probe",
            Self::Rule => "rule",
            Self::InboundNatRule => "inbound_nat_rule",
            Self::OutboundRule => "outbound_rule",
        }
    }

    /// The array below the load balancer's `properties`, which is also the type segment of the id.
    pub fn arm(self) -> &'static str {
        match self {
            Self::Frontend => "frontendIPConfigurations",
            Self::BackendPool => "backendAddressPools",
            Self::Probe => "probes",
            Self::Rule => "loadBalancingRules",
            Self::InboundNatRule => "inboundNatRules",
            Self::OutboundRule => "outboundRules",
        }
    }

    pub fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::Frontend => FRONTEND,
            Self::BackendPool => BACKEND_POOL,
            Self::Probe => PROBE,
            Self::Rule => RULE,
            Self::InboundNatRule => INBOUND_NAT_RULE,
            Self::OutboundRule => OUTBOUND_RULE,
        }
    }

    pub fn attribute(self, name: &str) -> Option<&'static Attribute> {
        self.attributes().iter().find(|a| a.name == name)
    }
}

/// What kind of value an attribute takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Bool,
    /// A whole number within these bounds.
    Int(i64, i64),
    Text,
    /// One of these words; Azure compares them without case.
    Choice(&'static [&'static str]),
    /// A list of texts without an order.
    Texts,
    /// The ARM id of another resource or sub-resource.
    Id(Target),
    Ids(Target),
    /// String to string.
    Tags,
    /// Members of a pool by their addresses: name to address, followed by the id of a virtual network where the pool
    /// itself has none.
    Addresses,
}

/// What a reference may point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A sub-resource of the same load balancer; a string names it.
    Item(ItemKind),
    PublicIp,
    /// By `public_ip_prefix.NAME`, by `data.public_ip_prefix.NAME` where it is someone else's, or by its id.
    PublicIpPrefix,
    /// Something that is not managed here, by its full ARM id.
    Foreign,
}

/// The value that Azure fills in where a PUT says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It must be written.
    Required,
    /// Nothing there is nothing there.
    Absent,
    /// What exists is kept when the configuration says nothing.
    Kept,
    Bool(bool),
    Int(i64),
    Text(&'static str),
}

/// Whether Azure can change it in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    Update,
    Replace,
}

/// One attribute: its names, its kind, its default.
#[derive(Debug)]
pub struct Attribute {
    pub name: &'static str,
    /// Path in the ARM document, from the (sub-)resource's own object.
    pub arm: &'static str,
    /// What azurerm calls it, the newest name first.
    pub azurerm: &'static [&'static str],
    pub shape: Shape,
    pub default: Fallback,
    pub on_change: OnChange,
    pub about: &'static str,
}

const fn attribute(
    name: &'static str,
    arm: &'static str,
    azurerm: &'static [&'static str],
    shape: Shape,
    default: Fallback,
    about: &'static str,
) -> Attribute {
    Attribute {
        name,
        arm,
        azurerm,
        shape,
        default,
        on_change: OnChange::Update,
        about,
    }
}

const fn replacing(mut attribute: Attribute) -> Attribute {
    attribute.on_change = OnChange::Replace;
    attribute
}
