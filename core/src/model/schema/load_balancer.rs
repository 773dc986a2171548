//! The load balancer itself, its frontends, pools and probes.

use super::Fallback::{Absent, Kept, Required};
use super::Shape::{Choice, Id, Int, Tags, Text, Texts};
use super::{Attribute, Fallback, Shape, Target, attribute, replacing};

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

pub(super) static FRONTEND: &[Attribute] = &[
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

pub(super) static BACKEND_POOL: &[Attribute] = &[
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

pub(super) static PROBE: &[Attribute] = &[
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
