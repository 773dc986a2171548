//! What a reader sees of a resource: etag, state, and the references by others filled in.

use serde_json::{Value, json};

use super::api_version;
use super::document::{parts, reference, references, stamp, text, to_references};
use super::load_balancer::{self, address_of_member};
use super::network_interface;
use super::resource_id::{canonical, owner, same};
use super::world::{Resource, World};

/// The ip configurations (ids) of network interfaces that are in the pool, interfaces in order of
/// creation.
pub(super) fn members_of(world: &World, pool: &str) -> Vec<String> {
    configurations(world, |configuration| {
        references(configuration, "loadBalancerBackendAddressPools")
            .iter()
            .any(|id| same(id, pool))
    })
}

/// The ip configurations and frontends that hold the public IP.
pub(super) fn users_of_public_ip(world: &World, public: &str) -> Vec<String> {
    let holds =
        |part: &Value| reference(part, "publicIPAddress").is_some_and(|id| same(id, public));
    let mut users = configurations(world, holds);
    users.extend(frontends(world, holds));
    users
}

/// The ip configurations and frontends that live in the subnet.
pub(super) fn users_of_subnet(world: &World, subnet: &str) -> Vec<String> {
    let lives = |part: &Value| reference(part, "subnet").is_some_and(|id| same(id, subnet));
    let mut users = configurations(world, lives);
    users.extend(frontends(world, lives));
    users
}

fn configurations(world: &World, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let interfaces = world.of_type(network_interface::TYPE);
    let all = interfaces
        .iter()
        .flat_map(|(_, resource)| parts(&resource.document, "ipConfigurations"));
    all.filter(|part| wanted(part))
        .map(|part| text(part, "id").to_owned())
        .collect()
}

fn frontends(world: &World, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let balancers = world.of_type(load_balancer::TYPE);
    let all = balancers
        .iter()
        .flat_map(|(_, resource)| parts(&resource.document, "frontendIPConfigurations"));
    all.filter(|part| wanted(part))
        .map(|part| text(part, "id").to_owned())
        .collect()
}

/// The resource as GET prints it under the given api-version.
pub(super) fn show(world: &World, resource: &Resource, version: &str) -> Value {
    let mut document = resource.document.clone();
    match text(&document, "type").to_ascii_lowercase().as_str() {
        "microsoft.network/loadbalancers" => show_members(world, &mut document),
        "microsoft.network/publicipaddresses" => show_holder(world, &mut document),
        "microsoft.network/publicipprefixes" => show_prefix_users(world, &mut document),
        "microsoft.network/virtualnetworks" => show_subnet_users(world, &mut document),
        "microsoft.network/networksecuritygroups" => show_secured(world, &mut document),
        _ => {}
    }
    stamp(&mut document, &resource.etag, resource.state.word());
    api_version::cut(&mut document, version);
    document
}

fn show_members(world: &World, document: &mut Value) {
    let basic = document.pointer("/sku/name").and_then(Value::as_str) == Some("Basic");
    let nat_users: Vec<(String, Vec<String>)> = {
        let interfaces = world.of_type(network_interface::TYPE);
        let all = interfaces
            .iter()
            .flat_map(|(_, resource)| parts(&resource.document, "ipConfigurations"));
        let ids = |part: &Value| {
            references(part, "loadBalancerInboundNatRules")
                .into_iter()
                .map(canonical)
                .collect::<Vec<_>>()
        };
        all.map(|part| (text(part, "id").to_owned(), ids(part)))
            .filter(|(_, rules)| !rules.is_empty())
            .collect()
    };
    let Some(properties) = document.get_mut("properties") else {
        return;
    };
    for pool in properties
        .get_mut("backendAddressPools")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let id = text(pool, "id").to_owned();
        let mut members: Vec<String> = references(pool, "backendIPConfigurations")
            .into_iter()
            .map(str::to_owned)
            .collect();
        for member in members_of(world, &id) {
            if !members.iter().any(|known| same(known, &member)) {
                members.push(member);
            }
        }
        if let Some(addresses) = pool
            .pointer_mut("/properties/loadBalancerBackendAddresses")
            .and_then(Value::as_array_mut)
        {
            addresses.retain(|address| {
                let member = reference(address, "networkInterfaceIPConfiguration");
                member.is_none_or(|member| members.iter().any(|known| same(known, member)))
            });
        }
        if members.is_empty() {
            continue;
        }
        pool["properties"]["backendIPConfigurations"] =
            to_references(members.iter().map(String::as_str));
        // Standard pools also list their members as addresses (recordings; FACTS 2, DANGER).
        if !basic {
            let mut addresses: Vec<Value> = parts(pool, "loadBalancerBackendAddresses").to_vec();
            for member in &members {
                let known = |address: &Value| {
                    reference(address, "networkInterfaceIPConfiguration")
                        .is_some_and(|id| same(id, member))
                };
                if !addresses.iter().any(known) {
                    addresses.push(address_of_member(&id, &name_of(member), member));
                }
            }
            pool["properties"]["loadBalancerBackendAddresses"] = Value::Array(addresses);
        }
    }
    for rule in properties
        .get_mut("inboundNatRules")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let id = canonical(text(rule, "id"));
        if let Some((user, _)) = nat_users.iter().find(|(_, rules)| rules.contains(&id)) {
            rule["properties"]["backendIPConfiguration"] = json!({"id": user});
        }
    }
}

/// A stable guid-like name for a member's address entry, from its id (FNV-1a, twice).
fn name_of(member: &str) -> String {
    let hash = |seed: u64| {
        canonical(member).bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        })
    };
    let wide =
        (u128::from(hash(0xCBF2_9CE4_8422_2325)) << 64) | u128::from(hash(0x8422_2325_CBF2_9CE4));
    uuid::Builder::from_random_bytes(wide.to_be_bytes())
        .into_uuid()
        .to_string()
}

fn show_holder(world: &World, document: &mut Value) {
    let holder = users_of_public_ip(world, text(document, "id"))
        .into_iter()
        .next();
    // A loaded reference counts as long as its owner is not of this world, which would know better.
    let loaded = reference(document, "ipConfiguration").and_then(owner);
    if loaded.is_some_and(|owner| world.document(&owner).is_some())
        && let Some(properties) = document
            .get_mut("properties")
            .and_then(Value::as_object_mut)
    {
        properties.shift_remove("ipConfiguration");
    }
    if let Some(holder) = holder {
        document["properties"]["ipConfiguration"] = json!({"id": holder});
    }
}

fn show_prefix_users(world: &World, document: &mut Value) {
    let id = text(document, "id").to_owned();
    let addresses = world.of_type("Microsoft.Network/publicIPAddresses");
    let users = addresses.iter().map(|(_, resource)| &resource.document);
    let users: Vec<&str> = users
        .filter(|address| {
            reference(address, "publicIPPrefix").is_some_and(|prefix| same(prefix, &id))
        })
        .map(|address| text(address, "id"))
        .collect();
    if !users.is_empty() {
        document["properties"]["publicIPAddresses"] = to_references(users);
    }
    let balancer = frontends(world, |part| {
        reference(part, "publicIPPrefix").is_some_and(|prefix| same(prefix, &id))
    });
    if let Some(frontend) = balancer.first() {
        document["properties"]["loadBalancerFrontendIpConfiguration"] = json!({"id": frontend});
    }
}

fn show_subnet_users(world: &World, document: &mut Value) {
    let subnets = document
        .pointer_mut("/properties/subnets")
        .and_then(Value::as_array_mut);
    for subnet in subnets.into_iter().flatten() {
        let users = users_of_subnet(world, text(subnet, "id"));
        if !users.is_empty() {
            subnet["properties"]["ipConfigurations"] =
                to_references(users.iter().map(String::as_str));
        }
    }
}

fn show_secured(world: &World, document: &mut Value) {
    let id = text(document, "id").to_owned();
    let secured = |part: &Value| {
        reference(part, "networkSecurityGroup").is_some_and(|group| same(group, &id))
    };
    let interfaces = world.of_type(network_interface::TYPE);
    let interfaces: Vec<&str> = interfaces
        .iter()
        .map(|(_, resource)| &resource.document)
        .filter(|document| secured(document))
        .map(|document| text(document, "id"))
        .collect();
    let networks = world.of_type("Microsoft.Network/virtualNetworks");
    let subnets: Vec<&str> = networks
        .iter()
        .flat_map(|(_, resource)| parts(&resource.document, "subnets"))
        .filter(|subnet| secured(subnet))
        .map(|subnet| text(subnet, "id"))
        .collect();
    for (name, ids) in [("networkInterfaces", interfaces), ("subnets", subnets)] {
        if !ids.is_empty() {
            document["properties"][name] = to_references(ids);
        }
    }
}

/// The sub-resource of a shown document under `types/names` pairs, or its list when the path ends
/// in a type.
pub(super) fn descend<'a>(document: &'a Value, segments: &[String]) -> Option<&'a Value> {
    let mut here = document;
    let mut segments = segments.iter();
    while let Some(array) = segments.next() {
        let properties = here.get("properties")?.as_object()?;
        let items = properties
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(array))
            .map(|(_, items)| items)?;
        let Some(name) = segments.next() else {
            return Some(items);
        };
        here = items
            .as_array()?
            .iter()
            .find(|item| text(item, "name").eq_ignore_ascii_case(name))?;
    }
    Some(here)
}
