//! Public IP addresses.

use super::Fallback::{Kept, Required};
use super::Shape::{Choice, Int, Tags, Text, Texts};
use super::{Attribute, Fallback, attribute, replacing};

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
