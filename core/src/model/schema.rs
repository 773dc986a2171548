//! The attributes of what we model: one table for decoding HCL, for the wire, for diffs and for the reference page.
//!
//! Names are Azure's own words in snake_case. Defaults are what Azure fills in when a PUT leaves the property out
//! (counted over real PUT answers), so that a default that Azure adds never shows as a difference.

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
    /// Someone else's prefix, by `data.public_ip_prefix.NAME` or its id.
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

use Fallback::{Absent, Kept, Required};
use Shape::{Bool, Choice, Id, Ids, Int, Tags, Text, Texts};

pub static LOAD_BALANCER: &[Attribute] = &[
    replacing(attribute(
        "location",
        "location",
        &["location"],
        Text,
        Required,
        "The Azure region.",
    )),
    replacing(attribute(
        "sku",
        "sku.name",
        &["sku"],
        Choice(&["Standard", "Basic", "Gateway"]),
        Kept,
        "Standard for everything new.",
    )),
    replacing(attribute(
        "sku_tier",
        "sku.tier",
        &["sku_tier"],
        Choice(&["Regional", "Global"]),
        Kept,
        "Regional, unless it is a cross-region load balancer.",
    )),
    attribute(
        "tags",
        "tags",
        &["tags"],
        Tags,
        Kept,
        "Tags of the resource.",
    ),
];

pub static PUBLIC_IP: &[Attribute] = &[
    replacing(attribute(
        "location",
        "location",
        &["location"],
        Text,
        Required,
        "The Azure region.",
    )),
    replacing(attribute(
        "sku",
        "sku.name",
        &["sku"],
        Choice(&["Standard", "Basic"]),
        Kept,
        "It must be the load balancer's.",
    )),
    attribute(
        "tags",
        "tags",
        &["tags"],
        Tags,
        Kept,
        "Tags of the resource.",
    ),
    replacing(attribute(
        "zones",
        "zones",
        &["zones"],
        Texts,
        Kept,
        "Availability zones.",
    )),
    replacing(attribute(
        "version",
        "properties.publicIPAddressVersion",
        &["ip_version"],
        Choice(&["IPv4", "IPv6"]),
        Fallback::Text("IPv4"),
        "Address family.",
    )),
    attribute(
        "allocation_method",
        "properties.publicIPAllocationMethod",
        &["allocation_method"],
        Choice(&["Static", "Dynamic"]),
        Fallback::Text("Static"),
        "Standard addresses are Static.",
    ),
    attribute(
        "idle_timeout_in_minutes",
        "properties.idleTimeoutInMinutes",
        &["idle_timeout_in_minutes"],
        Int(4, 30),
        Fallback::Int(4),
        "Idle timeout of the address itself.",
    ),
];

static FRONTEND: &[Attribute] = &[
    attribute(
        "public_ip",
        "properties.publicIPAddress.id",
        &["public_ip_address_id"],
        Id(Target::PublicIp),
        Absent,
        "The public IP address it stands on.",
    ),
    attribute(
        "public_ip_prefix",
        "properties.publicIPPrefix.id",
        &["public_ip_prefix_id"],
        Id(Target::PublicIpPrefix),
        Absent,
        "The prefix it takes addresses from (outbound only).",
    ),
    attribute(
        "subnet",
        "properties.subnet.id",
        &["subnet_id"],
        Id(Target::Foreign),
        Absent,
        "The subnet of an internal frontend.",
    ),
    attribute(
        "private_ip_address",
        "properties.privateIPAddress",
        &["private_ip_address"],
        Text,
        Absent,
        "The address of an internal frontend; left out, Azure picks one.",
    ),
    attribute(
        "private_ip_allocation",
        "properties.privateIPAllocationMethod",
        &["private_ip_address_allocation"],
        Choice(&["Dynamic", "Static"]),
        Fallback::Text("Dynamic"),
        "Static where `private_ip_address` is given.",
    ),
    replacing(attribute(
        "private_ip_address_version",
        "properties.privateIPAddressVersion",
        &["private_ip_address_version"],
        Choice(&["IPv4", "IPv6"]),
        Fallback::Text("IPv4"),
        "Address family of an internal frontend.",
    )),
    replacing(attribute(
        "zones",
        "zones",
        &["zones"],
        Texts,
        Kept,
        "Availability zones of an internal frontend.",
    )),
];

static BACKEND_POOL: &[Attribute] = &[
    attribute(
        "virtual_network",
        "properties.virtualNetwork.id",
        &["virtual_network_id"],
        Id(Target::Foreign),
        Kept,
        "The network of a pool whose members are addresses.",
    ),
    attribute(
        "addresses",
        "properties.loadBalancerBackendAddresses",
        &["azurerm_lb_backend_address_pool_address"],
        Shape::Addresses,
        Kept,
        "Members by their addresses, each in an `address` block.",
    ),
];

static PROBE: &[Attribute] = &[
    attribute(
        "protocol",
        "properties.protocol",
        &["protocol"],
        Choice(&["Tcp", "Http", "Https"]),
        Required,
        "How Azure asks.",
    ),
    attribute(
        "port",
        "properties.port",
        &["port"],
        Int(1, 65535),
        Required,
        "Port on the VM's own address.",
    ),
    attribute(
        "request_path",
        "properties.requestPath",
        &["request_path"],
        Text,
        Absent,
        "Path of an Http or Https probe.",
    ),
    attribute(
        "interval_in_seconds",
        "properties.intervalInSeconds",
        &["interval_in_seconds"],
        Int(5, 2147483646),
        Fallback::Int(15),
        "Time between two probes.",
    ),
    attribute(
        "number_of_probes",
        "properties.numberOfProbes",
        &["number_of_probes"],
        Int(1, 2147483646),
        Fallback::Int(2),
        "Not honoured by Azure; use `probe_threshold`.",
    ),
    attribute(
        "probe_threshold",
        "properties.probeThreshold",
        &["probe_threshold"],
        Int(1, 100),
        Fallback::Int(1),
        "Results in a row that change a member's health.",
    ),
    attribute(
        "no_healthy_backends_behavior",
        "properties.noHealthyBackendsBehavior",
        &[],
        Choice(&["AllProbedDown", "AllProbedUp"]),
        Fallback::Text("AllProbedDown"),
        "What happens to new connections while no member answers: dropped, or sent to all.",
    ),
];

static RULE: &[Attribute] = &[
    attribute(
        "frontend",
        "properties.frontendIPConfiguration.id",
        &["frontend_ip_configuration_name"],
        Id(Target::Item(ItemKind::Frontend)),
        Required,
        "Where clients arrive.",
    ),
    attribute(
        "backend_pools",
        "properties.backendAddressPools",
        &["backend_address_pool_ids", "backend_address_pool_id"],
        Ids(Target::Item(ItemKind::BackendPool)),
        Absent,
        "Who serves.",
    ),
    attribute(
        "probe",
        "properties.probe.id",
        &["probe_id"],
        Id(Target::Item(ItemKind::Probe)),
        Absent,
        "Who is healthy.",
    ),
    attribute(
        "protocol",
        "properties.protocol",
        &["protocol"],
        Choice(&["Tcp", "Udp", "All"]),
        Required,
        "All is an HA-ports rule.",
    ),
    attribute(
        "frontend_port",
        "properties.frontendPort",
        &["frontend_port"],
        Int(0, 65534),
        Required,
        "Port that clients use; 0 with protocol All.",
    ),
    attribute(
        "backend_port",
        "properties.backendPort",
        &["backend_port"],
        Int(0, 65535),
        Required,
        "Port inside the guest; 0 with protocol All.",
    ),
    attribute(
        "floating_ip",
        "properties.enableFloatingIP",
        &["floating_ip_enabled", "enable_floating_ip"],
        Bool,
        Fallback::Bool(false),
        "Deliver with the frontend's address as destination.",
    ),
    attribute(
        "idle_timeout_in_minutes",
        "properties.idleTimeoutInMinutes",
        &["idle_timeout_in_minutes"],
        Int(4, 100),
        Fallback::Int(4),
        "How long an idle TCP flow is remembered.",
    ),
    attribute(
        "enable_tcp_reset",
        "properties.enableTcpReset",
        &["tcp_reset_enabled", "enable_tcp_reset"],
        Bool,
        Fallback::Bool(false),
        "Send TCP reset on idle timeout.",
    ),
    attribute(
        "load_distribution",
        "properties.loadDistribution",
        &["load_distribution"],
        Choice(&["Default", "SourceIP", "SourceIPProtocol"]),
        Fallback::Text("Default"),
        "Which tuple chooses the member.",
    ),
    attribute(
        "disable_outbound_snat",
        "properties.disableOutboundSnat",
        &["disable_outbound_snat"],
        Bool,
        Fallback::Bool(false),
        "Do not use this frontend for the members' outbound connections.",
    ),
];

static INBOUND_NAT_RULE: &[Attribute] = &[
    attribute(
        "frontend",
        "properties.frontendIPConfiguration.id",
        &["frontend_ip_configuration_name"],
        Id(Target::Item(ItemKind::Frontend)),
        Required,
        "Where clients arrive.",
    ),
    attribute(
        "backend_pool",
        "properties.backendAddressPool.id",
        &["backend_address_pool_id"],
        Id(Target::Item(ItemKind::BackendPool)),
        Absent,
        "Pool of a range of ports.",
    ),
    attribute(
        "protocol",
        "properties.protocol",
        &["protocol"],
        Choice(&["Tcp", "Udp", "All"]),
        Required,
        "Protocol.",
    ),
    attribute(
        "frontend_port",
        "properties.frontendPort",
        &["frontend_port"],
        Int(0, 65534),
        Absent,
        "Port of a rule for one VM.",
    ),
    attribute(
        "frontend_port_range_start",
        "properties.frontendPortRangeStart",
        &["frontend_port_start"],
        Int(1, 65534),
        Absent,
        "First port of a range.",
    ),
    attribute(
        "frontend_port_range_end",
        "properties.frontendPortRangeEnd",
        &["frontend_port_end"],
        Int(1, 65534),
        Absent,
        "Last port of a range.",
    ),
    attribute(
        "backend_port",
        "properties.backendPort",
        &["backend_port"],
        Int(0, 65535),
        Required,
        "Port inside the guest.",
    ),
    attribute(
        "floating_ip",
        "properties.enableFloatingIP",
        &["floating_ip_enabled", "enable_floating_ip"],
        Bool,
        Fallback::Bool(false),
        "Deliver with the frontend's address as destination.",
    ),
    attribute(
        "idle_timeout_in_minutes",
        "properties.idleTimeoutInMinutes",
        &["idle_timeout_in_minutes"],
        Int(4, 30),
        Fallback::Int(4),
        "How long an idle TCP flow is remembered.",
    ),
    attribute(
        "enable_tcp_reset",
        "properties.enableTcpReset",
        &["tcp_reset_enabled", "enable_tcp_reset"],
        Bool,
        Fallback::Bool(false),
        "Send TCP reset on idle timeout.",
    ),
];

static OUTBOUND_RULE: &[Attribute] = &[
    attribute(
        "frontends",
        "properties.frontendIPConfigurations",
        &["frontend_ip_configuration"],
        Ids(Target::Item(ItemKind::Frontend)),
        Required,
        "Addresses that the members use outbound.",
    ),
    attribute(
        "backend_pool",
        "properties.backendAddressPool.id",
        &["backend_address_pool_id"],
        Id(Target::Item(ItemKind::BackendPool)),
        Required,
        "Who uses them.",
    ),
    attribute(
        "protocol",
        "properties.protocol",
        &["protocol"],
        Choice(&["Tcp", "Udp", "All"]),
        Required,
        "Protocol.",
    ),
    attribute(
        "allocated_outbound_ports",
        "properties.allocatedOutboundPorts",
        &["allocated_outbound_ports"],
        Int(0, 64000),
        Fallback::Int(1024),
        "SNAT ports per member; 0 lets Azure choose.",
    ),
    attribute(
        "idle_timeout_in_minutes",
        "properties.idleTimeoutInMinutes",
        &["idle_timeout_in_minutes"],
        Int(4, 100),
        Fallback::Int(4),
        "How long an idle TCP flow is remembered.",
    ),
    attribute(
        "enable_tcp_reset",
        "properties.enableTcpReset",
        &["tcp_reset_enabled", "enable_tcp_reset"],
        Bool,
        Fallback::Bool(false),
        "Send TCP reset on idle timeout.",
    ),
];
