//! Public IP addresses.

use serde_json::{Map, Value, json};

use super::document::{
    Fill, complete_sku, fill, object, parts, plain_location, property, property_text, reference,
    text, top,
};
use super::refusal::{Refusal, dangling};
use super::resource_id::{canonical, last_name};
use super::world::World;
use super::{address, network_interface, shown};

pub(super) const TYPE: &str = "Microsoft.Network/publicIPAddresses";

const PROPERTIES: &[(&str, Fill)] = &[
    ("resourceGuid", Fill::ReadOnly),
    ("ipAddress", Fill::ReadOnly),
    ("publicIPAddressVersion", Fill::Text("IPv4")),
    ("publicIPAllocationMethod", Fill::Text("Dynamic")),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("dnsSettings", Fill::Given),
    ("ipTags", Fill::EmptyList),
    ("ipConfiguration", Fill::ReadOnly),
    ("publicIPPrefix", Fill::Reference),
    ("ddosSettings", Fill::Given),
];

/// Completes and checks the body of a PUT.
///
/// # Errors
/// ARM's refusal.
pub(super) fn prepare(
    world: &World,
    id: &str,
    body: &Value,
    previous: Option<&Value>,
    guid: &str,
) -> Result<(Value, bool), Refusal> {
    let given = object(body, "properties");
    let filled = fill(given, PROPERTIES);
    let mut properties = Map::new();
    let resource_guid = previous.map_or(guid, |previous| property_text(previous, "resourceGuid"));
    for (name, value) in filled {
        properties.insert(name.clone(), value);
        if name == "provisioningState" {
            properties.insert("resourceGuid".to_owned(), json!(resource_guid));
        }
    }
    let mut document = top(body, id, last_name(id), TYPE, Map::new());
    let inherited = previous
        .and_then(|previous| previous.pointer("/sku/name")?.as_str())
        .unwrap_or("Basic");
    complete_sku(&mut document, inherited);
    let sku = |name: &str| {
        document
            .pointer(&format!("/sku/{name}"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let standard = sku("name").eq_ignore_ascii_case("Standard");
    if sku("tier").eq_ignore_ascii_case("Global") && !standard {
        return Err(Refusal::bad(
            "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
            format!(
                "Global publicIP addresses are only supported for standard SKU public IP addresses. Public IP address \
                 {id} is not standard SKU."
            ),
        ));
    }
    let method = properties
        .get("publicIPAllocationMethod")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if standard && method.eq_ignore_ascii_case("Dynamic") {
        // Code and wording from memory of the service [INF].
        return Err(Refusal::bad(
            "StandardSkuPublicIPAddressesMustBeStatic",
            format!("Standard sku publicIp {id} must have AllocationMethod set to Static."),
        ));
    }
    if let Some(prefix) = properties
        .get("publicIPPrefix")
        .and_then(|prefix| prefix.get("id")?.as_str())
        && world.document(prefix).is_none()
        // An address loaded without its prefix keeps the reference it came with.
        && previous.and_then(|previous| reference(previous, "publicIPPrefix")) != Some(prefix)
    {
        return Err(dangling(prefix, id));
    }
    if standard {
        // Shown for Standard only (recordings).
        properties
            .entry("ddosSettings")
            .or_insert(json!({"protectionMode": "VirtualNetworkInherited"}));
    }
    let location = plain_location(text(&document, "location"));
    if let Some(dns) = properties
        .get_mut("dnsSettings")
        .and_then(Value::as_object_mut)
        && let Some(label) = dns.get("domainNameLabel").and_then(Value::as_str)
    {
        let name = format!("{label}.{location}.cloudapp.azure.com");
        dns.insert("fqdn".to_owned(), json!(name));
    }
    // An address once given stays, unless the allocation changes.
    let kept = previous.filter(|previous| {
        property_text(previous, "publicIPAllocationMethod").eq_ignore_ascii_case(&method)
    });
    if let Some(address) = kept.and_then(|previous| property(previous, "ipAddress")) {
        properties.insert("ipAddress".to_owned(), address.clone());
    }
    // What was loaded with it and is not of this world stays.
    for name in [
        "ipConfiguration",
        "natGateway",
        "servicePublicIPAddress",
        "linkedPublicIPAddress",
    ] {
        if let Some(kept) = previous.and_then(|previous| property(previous, name)) {
            properties.insert(name.to_owned(), kept.clone());
        }
    }
    document["properties"] = Value::Object(properties);
    // Recordings: `Updating` when created (16 of 16) or given another allocation or name, else
    // `Succeeded` (.NET, two repeated PUTs).
    let same = |name: &str| {
        previous.and_then(|previous| property(previous, name)) == property(&document, name)
    };
    let takes_time =
        !(previous.is_some() && same("publicIPAllocationMethod") && same("dnsSettings"));
    Ok((document, takes_time))
}

/// Gives a static address once the PUT's operation is done; a dynamic one waits for its use.
///
/// Recordings: `ipAddress` is absent from the PUT's answer and there in the GET after it.
pub(super) fn allocate(world: &mut World, id: &str, before: Option<&Value>) {
    let Some(document) = world.document(id) else {
        return;
    };
    if text(document, "type").eq_ignore_ascii_case(TYPE) {
        if property_text(document, "publicIPAllocationMethod").eq_ignore_ascii_case("Static") {
            give(world, id);
        }
        return;
    }
    let mut balancers = network_interface::balancers_of(document);
    balancers.extend(
        before
            .map(network_interface::balancers_of)
            .unwrap_or_default(),
    );
    allocate_used(world, id);
    balancers
        .iter()
        .for_each(|balancer| allocate_used(world, balancer));
}

/// A dynamic public IP has an address while something answers on it: a machine behind the
/// interface, or a member behind the load balancer. Recordings (.NET): none before the first
/// interface joined, none after the last one left.
fn allocate_used(world: &mut World, user: &str) {
    let Some(document) = world.document(user) else {
        return;
    };
    let members = |pool: &Value| !shown::members_of(world, text(pool, "id")).is_empty();
    let in_use = reference(document, "virtualMachine").is_some()
        || parts(document, "backendAddressPools").iter().any(members);
    let used: Vec<String> = ["ipConfigurations", "frontendIPConfigurations"]
        .into_iter()
        .flat_map(|array| parts(document, array))
        .filter_map(|part| reference(part, "publicIPAddress"))
        .map(str::to_owned)
        .collect();
    for id in used {
        if in_use {
            give(world, &id);
        } else {
            take_back(world, &id);
        }
    }
}

fn take_back(world: &mut World, id: &str) {
    let resource = world.resources.get_mut(&canonical(id));
    let properties =
        resource.and_then(|resource| resource.document.get_mut("properties")?.as_object_mut());
    let Some(properties) = properties else { return };
    let dynamic = properties
        .get("publicIPAllocationMethod")
        .and_then(Value::as_str)
        == Some("Dynamic");
    if dynamic && properties.shift_remove("ipAddress").is_some() {
        world.revision += 1;
    }
}

/// Gives the public IP an address if it has none.
pub(super) fn give(world: &mut World, id: &str) {
    let Some(document) = world.document(id) else {
        return;
    };
    if property(document, "ipAddress").is_some() {
        return;
    }
    let v6 = property_text(document, "publicIPAddressVersion").eq_ignore_ascii_case("IPv6");
    let prefix = reference(document, "publicIPPrefix").and_then(|prefix| world.document(prefix));
    let prefix = prefix.and_then(|prefix| property_text(prefix, "ipPrefix").parse().ok());
    let Some(address) = address::public(world, id, v6, prefix) else {
        return;
    };
    if let Some(resource) = world.resources.get_mut(&canonical(id)) {
        insert_address(&mut resource.document, &address.to_string());
        world.revision += 1;
    }
}

/// An existing public IP takes the address that is preferred for it.
pub(super) fn move_to_preferred(world: &mut World, id: &str) {
    let id = canonical(id);
    let Some(address) = world.preferred.get(&id).copied() else {
        return;
    };
    let Some(resource) = world.resources.get_mut(&id) else {
        return;
    };
    let v6 =
        property_text(&resource.document, "publicIPAddressVersion").eq_ignore_ascii_case("IPv6");
    let holds = property_text(&resource.document, "ipAddress");
    if v6 == address.is_ipv6() && !holds.is_empty() && holds != address.to_string() {
        resource.document["properties"]["ipAddress"] = json!(address.to_string());
        world.touch(&id);
    }
}

/// Puts the address behind `resourceGuid`, where the service prints it.
fn insert_address(document: &mut Value, address: &str) {
    let mut properties = Map::new();
    for (name, value) in object(document, "properties") {
        properties.insert(name.clone(), value.clone());
        if name == "resourceGuid" {
            properties.insert("ipAddress".to_owned(), json!(address));
        }
    }
    properties.entry("ipAddress").or_insert(json!(address));
    document["properties"] = Value::Object(properties);
}
