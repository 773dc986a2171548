//! Addresses: private ones out of subnets, public ones out of documentation ranges.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde_json::Value;

use super::document::{list, object, parts, property_text, reference, text};
use super::load_balancer;
use super::network_interface;
use super::refusal::{Refusal, dangling};
use super::resource_id::{owner, same};
use super::shown::descend;
use super::world::World;

/// Azure keeps the first four addresses of a subnet for itself.
const RESERVED: u32 = 4;
/// Public addresses come from TEST-NET-2, so that no packet of a lab ever means a real host.
const PUBLIC_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 0);
const PUBLIC_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);

/// The subnet's document.
pub(super) fn subnet<'a>(world: &'a World, id: &str) -> Option<&'a Value> {
    let network = world.document(&owner(id)?)?;
    let name = super::resource_id::last_name(id).to_owned();
    descend(network, &["subnets".to_owned(), name])
}

/// The subnet's prefixes.
pub(super) fn prefixes(subnet: &Value) -> Vec<IpNet> {
    let one = property_text(subnet, "addressPrefix");
    let many = subnet
        .get("properties")
        .map_or(&[] as &[Value], |properties| {
            list(properties, "addressPrefixes")
        });
    let many = many.iter().filter_map(Value::as_str);
    std::iter::once(one)
        .chain(many)
        .filter_map(|prefix| prefix.parse().ok())
        .collect()
}

/// The private address of an ip configuration or frontend: the given one if it is static and free,
/// else the one it had, else the lowest free one.
///
/// # Errors
/// ARM's refusals for a missing subnet, an address outside it, one that is taken, or a full subnet.
pub(super) fn place(
    world: &World,
    id: &str,
    part: &Value,
    subnet_id: &str,
    old: Option<&str>,
    taken: &BTreeSet<IpAddr>,
) -> Result<IpAddr, Refusal> {
    let Some(subnet) = subnet(world, subnet_id) else {
        return Err(dangling(subnet_id, id));
    };
    let prefixes = prefixes(subnet);
    let v6 = property_text(part, "privateIPAddressVersion").eq_ignore_ascii_case("IPv6");
    let mut used = used(world, subnet_id, id);
    used.extend(taken.iter().map(|address| (*address, String::new())));
    let fixed = property_text(part, "privateIPAllocationMethod").eq_ignore_ascii_case("Static");
    let given: Option<IpAddr> = property_text(part, "privateIPAddress").parse().ok();
    if let Some(address) = given.filter(|_| fixed) {
        if !prefixes.iter().any(|prefix| prefix.contains(&address)) {
            // Wording after the recorded PrivateIPAddressNotInAnySubnet; the code is from memory [INF].
            return Err(Refusal::bad(
                "PrivateIPAddressNotInSubnet",
                format!(
                    "Private static IP address {address} does not belong to the range of subnet {subnet_id}."
                ),
            ));
        }
        if let Some((_, user)) = used.iter().find(|(other, _)| *other == address) {
            return Err(Refusal::bad(
                "PrivateIPAddressIsAllocated",
                format!(
                    "IP configuration {id} is using the private IP address {address} which is already allocated to resource {user}."
                ),
            ));
        }
        return Ok(address);
    }
    let is_free = |address: &IpAddr| !used.iter().any(|(other, _)| other == address);
    let kept = old
        .and_then(|old| old.parse().ok())
        .filter(|address: &IpAddr| address.is_ipv6() == v6 && is_free(address));
    if let Some(address) = kept {
        return Ok(address);
    }
    // An interface may ask for a dynamic address by name; Azure's clients send the old one back.
    let wished = given.filter(|address| address.is_ipv6() == v6 && is_free(address));
    if let Some(address) =
        wished.filter(|address| prefixes.iter().any(|prefix| prefix.contains(address)))
    {
        return Ok(address);
    }
    let candidates = prefixes
        .iter()
        .filter(|prefix| prefix.addr().is_ipv6() == v6)
        .flat_map(hosts);
    candidates.into_iter().find(is_free).ok_or_else(|| {
        // Code from memory of the service [INF].
        Refusal::bad(
            "SubnetIsFull",
            format!("Subnet {subnet_id} does not have enough capacity for 1 IP addresses."),
        )
    })
}

/// The addresses of a prefix that a subnet gives out, lowest first; a /64 is cut to its first 64 k.
fn hosts(prefix: &IpNet) -> Box<dyn Iterator<Item = IpAddr>> {
    match prefix {
        IpNet::V4(net) => {
            let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
            let first = first.saturating_add(RESERVED);
            Box::new((first..last).map(|bits| IpAddr::V4(Ipv4Addr::from(bits))))
        }
        IpNet::V6(net) => {
            let first = u128::from(net.network());
            let most = (u128::MAX >> net.prefix_len().min(127)).min(0xffff);
            let first_host = first + u128::from(RESERVED);
            Box::new(
                (first_host..=first.saturating_add(most))
                    .map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
            )
        }
    }
}

/// Addresses in use in the subnet by others than `except`.
fn used(world: &World, subnet_id: &str, except: &str) -> Vec<(IpAddr, String)> {
    let holders = [
        (network_interface::TYPE, "ipConfigurations"),
        (load_balancer::TYPE, "frontendIPConfigurations"),
    ];
    let mut used = Vec::new();
    for (resource_type, array) in holders {
        for (_, resource) in world.of_type(resource_type) {
            for part in parts(&resource.document, array) {
                let here = reference(part, "subnet").is_some_and(|subnet| same(subnet, subnet_id));
                if here && !same(text(part, "id"), except) {
                    let address = property_text(part, "privateIPAddress").parse();
                    used.extend(
                        address
                            .ok()
                            .map(|address| (address, text(part, "id").to_owned())),
                    );
                }
            }
        }
    }
    used
}

/// An address for a public IP: the preferred one, one out of its prefix, else the lowest free one.
pub(super) fn public(world: &World, id: &str, v6: bool, prefix: Option<IpNet>) -> Option<IpAddr> {
    let preferred = world
        .preferred
        .get(&super::resource_id::canonical(id))
        .copied();
    if let Some(address) = preferred.filter(|address| address.is_ipv6() == v6) {
        return Some(address);
    }
    let mut used: BTreeSet<IpAddr> = world
        .of_type("Microsoft.Network/publicIPAddresses")
        .iter()
        .filter_map(|(_, resource)| property_text(&resource.document, "ipAddress").parse().ok())
        .collect();
    used.extend(world.preferred.values());
    let free = |address: &IpAddr| !used.contains(address);
    if let Some(prefix) = prefix {
        return prefix_addresses(&prefix).find(free);
    }
    let reserved: Vec<IpNet> = world
        .of_type("Microsoft.Network/publicIPPrefixes")
        .iter()
        .filter_map(|(_, resource)| property_text(&resource.document, "ipPrefix").parse().ok())
        .collect();
    let outside = |address: &IpAddr| !reserved.iter().any(|prefix| prefix.contains(address));
    let range: Box<dyn Iterator<Item = IpAddr>> = if v6 {
        let base = u128::from(PUBLIC_V6);
        Box::new((1..=0xffff_u128).map(move |at| IpAddr::V6(Ipv6Addr::from(base + at))))
    } else {
        // After .254 the range goes on into the benchmark network 198.18.0.0/15.
        let base = u32::from(PUBLIC_V4);
        let more = u32::from(Ipv4Addr::new(198, 18, 0, 0));
        Box::new(
            (1..=254)
                .map(move |at| base + at)
                .chain((1..=0xffff).map(move |at| more + at))
                .map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
        )
    };
    range
        .into_iter()
        .find(|address| free(address) && outside(address))
}

/// All addresses of a small prefix: a public IP prefix gives out every one.
fn prefix_addresses(prefix: &IpNet) -> Box<dyn Iterator<Item = IpAddr>> {
    match *prefix {
        IpNet::V4(net) => {
            let range = u32::from(net.network())..=u32::from(net.broadcast());
            Box::new(range.map(|bits| IpAddr::V4(Ipv4Addr::from(bits))))
        }
        IpNet::V6(net) => {
            let range = u128::from(net.network())..=u128::from(net.broadcast());
            Box::new(
                range
                    .take(0xffff)
                    .map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
            )
        }
    }
}

/// A prefix of the wanted length that overlaps no other.
pub(super) fn public_prefix(world: &World, length: u8, v6: bool) -> Option<IpNet> {
    let others: Vec<IpNet> = world
        .of_type("Microsoft.Network/publicIPPrefixes")
        .iter()
        .filter_map(|(_, resource)| property_text(&resource.document, "ipPrefix").parse().ok())
        .collect();
    // TEST-NET-3, and a documentation range apart from that of single addresses.
    let whole: IpNet = if v6 {
        "2001:db8:1::/112".parse().ok()?
    } else {
        "203.0.113.0/24".parse().ok()?
    };
    let mut candidates: Box<dyn Iterator<Item = IpNet>> = match whole {
        IpNet::V4(net) => Box::new(net.subnets(length).ok()?.map(IpNet::V4)),
        IpNet::V6(net) => Box::new(net.subnets(length).ok()?.map(IpNet::V6)),
    };
    let apart = |candidate: &IpNet| {
        !others
            .iter()
            .any(|other| other.contains(candidate) || candidate.contains(other))
    };
    candidates.find(apart)
}

/// Whether an object of `properties` gives any prefix at all.
pub(super) fn has_prefix(subnet: &Value) -> bool {
    let properties = object(subnet, "properties");
    properties.contains_key("addressPrefix") || properties.contains_key("addressPrefixes")
}
