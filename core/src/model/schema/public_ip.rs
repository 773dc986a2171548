//! Public IP addresses, and blocks of them.

use super::Fallback::{Kept, Required};
use super::Shape::{Choice, Id, Int, Tags, Text, Texts};
use super::{Attribute, Fallback, Target, attribute, replacing};

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
    replacing(attribute(
        "public_ip_prefix",
        "properties.publicIPPrefix.id",
        &["public_ip_prefix_id"],
        Id(Target::PublicIpPrefix),
        Kept,
        "The prefix that it takes its address from.",
    )),
];

pub static PUBLIC_IP_PREFIX: &[Attribute] = &[
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
        Choice(&["Standard"]),
        Kept,
        "Standard for everything new.",
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
    replacing(attribute(
        "prefix_length",
        "properties.prefixLength",
        &["prefix_length"],
        Int(21, 127),
        Required,
        "28 is 16 addresses, 31 is 2; of IPv6 addresses 124 and 127.",
    )),
];
