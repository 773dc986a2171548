//! A load balancer's PUT: the whole resource, completed as the service completes it.
//!
//! Sub-resources left out disappear; membership by network interfaces does not, because it lives
//! on the interfaces (FACTS 1: 86 of 86, and 5 of 5).

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::address;
use super::document::{
    Fill, complete_sku, fill, list, object, only_id, part, parts, property, property_text,
    reference, references, text, to_references, top,
};
use super::load_balancer_check::check;
use super::refusal::Refusal;
use super::resource_id::{canonical, last_name, same};
use super::world::World;

pub(super) const TYPE: &str = "Microsoft.Network/loadBalancers";

/// Sub-resource arrays in the order in which the service prints them.
pub(super) const ARRAYS: [&str; 7] = [
    "frontendIPConfigurations",
    "backendAddressPools",
    "loadBalancingRules",
    "probes",
    "inboundNatRules",
    "outboundRules",
    "inboundNatPools",
];

// Defaults and order of members: FACTS 2, and the key order of the recordings.
const FRONTEND: &[(&str, Fill)] = &[
    ("privateIPAddress", Fill::Given),
    ("privateIPAllocationMethod", Fill::Text("Dynamic")),
    ("publicIPAddress", Fill::Reference),
    ("publicIPPrefix", Fill::Reference),
    ("subnet", Fill::Reference),
    ("loadBalancingRules", Fill::ReadOnly),
    ("inboundNatRules", Fill::ReadOnly),
    ("outboundRules", Fill::ReadOnly),
    ("inboundNatPools", Fill::ReadOnly),
    ("gatewayLoadBalancer", Fill::Reference),
    ("privateIPAddressVersion", Fill::Given),
];
const POOL: &[(&str, Fill)] = &[
    ("drainPeriodInSeconds", Fill::Given),
    ("loadBalancerBackendAddresses", Fill::ReadOnly),
    ("outboundRule", Fill::ReadOnly),
    ("outboundRules", Fill::ReadOnly),
    ("backendIPConfigurations", Fill::ReadOnly),
    ("loadBalancingRules", Fill::ReadOnly),
    ("inboundNatRules", Fill::ReadOnly),
    ("virtualNetwork", Fill::Reference),
    ("tunnelInterfaces", Fill::Given),
];
const ADDRESS: &[(&str, Fill)] = &[
    ("adminState", Fill::Given),
    ("ipAddress", Fill::Given),
    ("virtualNetwork", Fill::Reference),
    ("subnet", Fill::Reference),
    ("loadBalancerFrontendIPConfiguration", Fill::Reference),
    ("networkInterfaceIPConfiguration", Fill::ReadOnly),
    ("inboundNatRulesPortMapping", Fill::ReadOnly),
];
const RULE: &[(&str, Fill)] = &[
    ("frontendIPConfiguration", Fill::Reference),
    ("frontendPort", Fill::Given),
    ("backendPort", Fill::Given),
    ("enableFloatingIP", Fill::False),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("protocol", Fill::Given),
    // Two members that the swagger does not know and every answer holds (FACTS 2).
    ("enableDestinationServiceEndpoint", Fill::False),
    ("enableTcpReset", Fill::False),
    ("allowBackendPortConflict", Fill::False),
    ("loadDistribution", Fill::Text("Default")),
    ("disableOutboundSnat", Fill::Given),
    ("backendAddressPool", Fill::Reference),
    ("backendAddressPools", Fill::References),
    ("probe", Fill::Reference),
];
const PROBE: &[(&str, Fill)] = &[
    ("protocol", Fill::Given),
    ("port", Fill::Given),
    ("requestPath", Fill::Given),
    ("intervalInSeconds", Fill::Number(15)),
    ("numberOfProbes", Fill::Number(2)),
    ("probeThreshold", Fill::Number(1)),
    ("loadBalancingRules", Fill::ReadOnly),
];
const NAT_RULE: &[(&str, Fill)] = &[
    ("frontendIPConfiguration", Fill::Reference),
    // A rule over a port range shows frontendPort 0 (FACTS 2).
    ("frontendPort", Fill::Number(0)),
    ("backendPort", Fill::Given),
    ("enableFloatingIP", Fill::False),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("protocol", Fill::Given),
    ("enableDestinationServiceEndpoint", Fill::False),
    ("enableTcpReset", Fill::False),
    ("allowBackendPortConflict", Fill::False),
    ("backendIPConfiguration", Fill::ReadOnly),
    ("backendAddressPool", Fill::Reference),
    ("frontendPortRangeStart", Fill::Given),
    ("frontendPortRangeEnd", Fill::Given),
];
const NAT_POOL: &[(&str, Fill)] = &[
    ("frontendPortRangeStart", Fill::Given),
    ("frontendPortRangeEnd", Fill::Given),
    ("backendPort", Fill::Given),
    ("protocol", Fill::Given),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("enableFloatingIP", Fill::False),
    ("enableDestinationServiceEndpoint", Fill::False),
    ("enableTcpReset", Fill::False),
    ("allowBackendPortConflict", Fill::False),
    ("frontendIPConfiguration", Fill::Reference),
];
const OUTBOUND: &[(&str, Fill)] = &[
    ("allocatedOutboundPorts", Fill::Number(1024)),
    ("protocol", Fill::Given),
    ("enableTcpReset", Fill::False),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("allocationPolicy", Fill::Given),
    ("backendAddressPool", Fill::Reference),
    ("frontendIPConfigurations", Fill::References),
];

/// A PUT body completed and found valid.
#[derive(Debug)]
pub(super) struct Prepared {
    pub document: Value,
    pub takes_time: bool,
}

/// Completes and checks the body of a PUT of `id`.
///
/// # Errors
/// ARM's refusal, when the service would refuse the body.
pub(super) fn prepare(
    world: &World,
    id: &str,
    body: &Value,
    previous: Option<&Value>,
    guid: &str,
) -> Result<Prepared, Refusal> {
    shape(body, previous)?;
    let mut document = complete(id, body, previous, guid);
    check(world, &document, previous)?;
    let takes_time = takes_time(world, &document, previous);
    place_frontends(world, &mut document, previous)?;
    Ok(Prepared {
        document,
        takes_time,
    })
}

/// The body must be of the swagger's shape: objects, arrays of named objects.
fn shape(body: &Value, previous: Option<&Value>) -> Result<(), Refusal> {
    let members = body
        .as_object()
        .ok_or_else(|| malformed("the body is not an object"))?;
    if members
        .get("properties")
        .is_some_and(|properties| !properties.is_object() && !properties.is_null())
    {
        return Err(malformed("properties is not an object"));
    }
    for array in ARRAYS {
        let Some(items) = property(body, array) else {
            continue;
        };
        let items = items
            .as_array()
            .ok_or_else(|| malformed(&format!("{array} is not a list")))?;
        let mut names = BTreeSet::new();
        for item in items {
            if item
                .get("properties")
                .is_some_and(|inner| !inner.is_object() && !inner.is_null())
            {
                return Err(malformed(&format!(
                    "properties of an item of {array} is not an object"
                )));
            }
            let name = text(item, "name");
            if name.is_empty() {
                return Err(malformed(&format!("an item of {array} has no name")));
            }
            // A PUT of a child passes the stored siblings through here; those are no echo.
            let stored =
                previous.and_then(|previous| part_named(previous, array, name)) == Some(item);
            if let Some(echoed) =
                echoed_member(item).filter(|_| array == "backendAddressPools" && !stored)
            {
                let member =
                    reference(echoed, "networkInterfaceIPConfiguration").unwrap_or_default();
                return Err(Refusal::unparsable(
                    "DuplicateIpConfigurationReferenceOnBackendAddressPool",
                    format!(
                        "Found duplicate ipConfiguration reference {member} on backend pool addresses of {}.",
                        text(item, "name")
                    ),
                ));
            }
            if !names.insert(name.to_ascii_lowercase()) {
                // Code from memory of the service, not from the recordings [INF].
                return Err(Refusal::unparsable(
                    "DuplicateResourceName",
                    format!("Resource {TYPE} has two child resources with the same name ({name})."),
                ));
            }
        }
    }
    Ok(())
}

fn malformed(what: &str) -> Refusal {
    Refusal::gateway(
        400,
        "InvalidRequestContent",
        format!("The request content was invalid and could not be deserialized: '{what}'."),
    )
}

/// Fills in what the service fills in.
pub(super) fn complete(id: &str, body: &Value, previous: Option<&Value>, guid: &str) -> Value {
    let given = object(body, "properties");
    let sku = body.pointer("/sku/name").and_then(Value::as_str);
    let sku = sku
        .or_else(|| previous?.pointer("/sku/name")?.as_str())
        .unwrap_or("Basic")
        .to_owned();
    let basic = sku.eq_ignore_ascii_case("Basic");
    let resource_guid = previous.map_or(guid, |previous| property_text(previous, "resourceGuid"));
    let mut properties = Map::new();
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties.insert("resourceGuid".to_owned(), json!(resource_guid));
    for array in ARRAYS {
        // Azure's own error text says that a body without `inboundNatRules` leaves them alone when
        // there are NAT pools (FACTS 1). Any other missing array counts as empty [OPEN].
        let keeps = array == "inboundNatRules"
            && !given.contains_key(array)
            && previous.is_some_and(|previous| !parts(previous, "inboundNatPools").is_empty());
        let source = if keeps {
            previous.unwrap_or(body)
        } else {
            body
        };
        let items: Vec<Value> = parts(source, array)
            .iter()
            .map(|item| complete_part(id, array, item, previous, basic))
            .collect();
        if !(array == "outboundRules" && basic && items.is_empty()) {
            properties.insert(array.to_owned(), Value::Array(items));
        }
    }
    for (name, value) in given {
        if !properties.contains_key(name) && !value.is_null() && !ARRAYS.contains(&name.as_str()) {
            properties.insert(name.clone(), value.clone());
        }
    }
    refer_back(&mut properties);
    let mut document = top(body, id, last_name(id), TYPE, properties);
    document["sku"] = json!({"name": sku, "tier": body.pointer("/sku/tier").or_else(|| previous?.pointer("/sku/tier"))});
    if document["sku"]["tier"].is_null() {
        document["sku"] = json!({"name": sku});
    }
    complete_sku(&mut document, "Basic");
    document
}

fn complete_part(
    id: &str,
    array: &str,
    item: &Value,
    previous: Option<&Value>,
    basic: bool,
) -> Value {
    let name = text(item, "name");
    let part_id = format!("{id}/{array}/{name}");
    let given = object(item, "properties");
    let table = match array {
        "frontendIPConfigurations" => FRONTEND,
        "backendAddressPools" => POOL,
        "loadBalancingRules" => RULE,
        "probes" => PROBE,
        "inboundNatRules" => NAT_RULE,
        "outboundRules" => OUTBOUND,
        _ => NAT_POOL,
    };
    let mut properties = fill(given, table);
    match array {
        "frontendIPConfigurations" => {
            // On public frontends only some versions show it: see `api_version::cut`. One that was
            // loaded so stays so.
            let public =
                |properties: &Map<String, Value>| properties.contains_key("publicIPAddress");
            let before = previous.and_then(|previous| part_named(previous, array, name));
            let before = before.map(|before| object(before, "properties"));
            let shown = before.filter(|before| public(before));
            let shown = shown.and_then(|before| before.get("privateIPAddressVersion"));
            if !public(&properties) {
                properties
                    .entry("privateIPAddressVersion")
                    .or_insert(json!("IPv4"));
            } else if let Some(shown) = shown {
                properties.insert("privateIPAddressVersion".to_owned(), shown.clone());
            } else {
                properties.shift_remove("privateIPAddressVersion");
            }
            // What is not in a subnet has no private address, whatever the request says.
            if !properties.contains_key("subnet") {
                properties.shift_remove("privateIPAddress");
            }
        }
        "backendAddressPools" => {
            let before = previous.and_then(|previous| part_named(previous, array, name));
            let mut addresses = list_of_addresses(&part_id, given, basic);
            // Entries that stand for members are the service's, and keep their names.
            let members = before.map_or(&[] as &[Value], |before| {
                parts(before, "loadBalancerBackendAddresses")
            });
            let members = members
                .iter()
                .filter(|entry| reference(entry, "networkInterfaceIPConfiguration").is_some());
            for member in members {
                addresses.get_or_insert_default().push(member.clone());
            }
            let tunnels = properties
                .get_mut("tunnelInterfaces")
                .and_then(Value::as_array_mut);
            for tunnel in tunnels
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
            {
                // Shown as 0 when not given (recordings).
                tunnel.entry("port").or_insert(json!(0));
            }
            if let Some(addresses) = addresses {
                properties.insert(
                    "loadBalancerBackendAddresses".to_owned(),
                    Value::Array(addresses),
                );
            }
            // Members that are no network interfaces of this world (scale sets) stay as loaded.
            if let Some(kept) =
                before.and_then(|before| property(before, "backendIPConfigurations"))
            {
                properties.insert("backendIPConfigurations".to_owned(), kept.clone());
            }
        }
        "loadBalancingRules" => {
            echo_pools(&mut properties);
            // Standard shows it always, Basic never unless set (recordings).
            if !basic {
                properties
                    .entry("disableOutboundSnat")
                    .or_insert(json!(false));
            }
        }
        "inboundNatRules" => {
            let before = previous.and_then(|previous| part_named(previous, array, name));
            if let Some(kept) = before.and_then(|before| property(before, "backendIPConfiguration"))
            {
                properties.insert("backendIPConfiguration".to_owned(), kept.clone());
            }
        }
        _ => {}
    }
    part(item, &part_id, &format!("{TYPE}/{array}"), properties)
}

/// Newer api-versions echo the pool of a rule both in the singular and in the plural (FACTS 2);
/// with two pools (Gateway) only in the plural (recordings).
fn echo_pools(properties: &mut Map<String, Value>) {
    let mut pools: Vec<Value> = properties
        .get("backendAddressPools")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if pools.is_empty() {
        pools.extend(properties.get("backendAddressPool").cloned());
    }
    properties.shift_remove("backendAddressPool");
    properties.shift_remove("backendAddressPools");
    if let [only] = pools.as_slice() {
        properties.insert("backendAddressPool".to_owned(), only.clone());
    }
    if !pools.is_empty() {
        properties.insert("backendAddressPools".to_owned(), Value::Array(pools));
    }
    if let Some(probe) = properties.shift_remove("probe") {
        properties.insert("probe".to_owned(), probe);
    }
}

fn list_of_addresses(pool_id: &str, given: &Map<String, Value>, basic: bool) -> Option<Vec<Value>> {
    let addresses = match given.get("loadBalancerBackendAddresses") {
        Some(Value::Array(addresses)) => addresses.as_slice(),
        _ if basic => return None,
        _ => &[],
    };
    let array = "loadBalancerBackendAddresses";
    let complete = |address: &Value| {
        let properties = fill(object(address, "properties"), ADDRESS);
        let id = format!("{pool_id}/{array}/{}", text(address, "name"));
        part(
            address,
            &id,
            &format!("{TYPE}/backendAddressPools/{array}"),
            properties,
        )
    };
    let own = |address: &&Value| reference(address, "networkInterfaceIPConfiguration").is_none();
    Some(addresses.iter().filter(own).map(complete).collect())
}

/// The part of that name in one of the document's arrays.
fn part_named<'a>(document: &'a Value, array: &str, name: &str) -> Option<&'a Value> {
    parts(document, array)
        .iter()
        .find(|part| text(part, "name").eq_ignore_ascii_case(name))
}

/// Fills in the back-reference arrays of frontends, pools and probes.
fn refer_back(properties: &mut Map<String, Value>) {
    // By canonical target: which rules refer to it, array by array (1,500 rules stay cheap).
    let mut referrers: std::collections::HashMap<String, Vec<(&str, String)>> =
        std::collections::HashMap::new();
    for array in [
        "loadBalancingRules",
        "inboundNatRules",
        "outboundRules",
        "inboundNatPools",
    ] {
        for item in properties
            .get(array)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            for target in targets(item) {
                referrers
                    .entry(canonical(&target))
                    .or_default()
                    .push((array, text(item, "id").to_owned()));
            }
        }
    }
    for array in ["frontendIPConfigurations", "backendAddressPools", "probes"] {
        for item in properties
            .get_mut(array)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let Some(found) = referrers.get(&canonical(text(item, "id"))) else {
                continue;
            };
            for array in [
                "loadBalancingRules",
                "inboundNatRules",
                "outboundRules",
                "inboundNatPools",
            ] {
                let ids: Vec<&str> = found
                    .iter()
                    .filter(|(from, _)| *from == array)
                    .map(|(_, id)| id.as_str())
                    .collect();
                if !ids.is_empty() {
                    item["properties"][array] = to_references(ids);
                }
            }
        }
    }
}

/// Everything within the load balancer that a rule refers to.
pub(super) fn targets(item: &Value) -> Vec<String> {
    let single = ["frontendIPConfiguration", "backendAddressPool", "probe"];
    let single = single.into_iter().filter_map(|name| reference(item, name));
    let plural = ["frontendIPConfigurations", "backendAddressPools"];
    let plural = plural.into_iter().flat_map(|name| references(item, name));
    let mut targets: Vec<String> = single.chain(plural).map(str::to_owned).collect();
    targets.sort();
    targets.dedup();
    targets
}

/// Whether the PUT answers `Updating` (FACTS 1: always with members, in the Global tier and the
/// Gateway sku; recordings: also with IP-based members, and for new private or prefix frontends).
fn takes_time(world: &World, document: &Value, previous: Option<&Value>) -> bool {
    let sku = |name: &str| {
        document
            .pointer(&format!("/sku/{name}"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if sku("name").eq_ignore_ascii_case("Gateway") || sku("tier").eq_ignore_ascii_case("Global") {
        return true;
    }
    let address_members = |document: &Value| {
        let pools = parts(document, "backendAddressPools");
        pools
            .iter()
            .any(|pool| !parts(pool, "loadBalancerBackendAddresses").is_empty())
    };
    let has_members = parts(document, "backendAddressPools").iter().any(|pool| {
        property(pool, "backendIPConfigurations").is_some()
            || !super::shown::members_of(world, text(pool, "id")).is_empty()
    });
    let allocates = parts(document, "frontendIPConfigurations")
        .iter()
        .any(|frontend| {
            let known = previous.and_then(|previous| {
                let frontends = parts(previous, "frontendIPConfigurations");
                frontends
                    .iter()
                    .find(|candidate| same(text(candidate, "id"), text(frontend, "id")))
            });
            let place = |frontend: &Value| {
                let place =
                    reference(frontend, "subnet").or_else(|| reference(frontend, "publicIPPrefix"));
                place.map(str::to_ascii_lowercase)
            };
            place(frontend).is_some() && known.and_then(place) != place(frontend)
        });
    has_members || allocates || address_members(document) || previous.is_some_and(address_members)
}

/// Gives internal frontends their address.
fn place_frontends(
    world: &World,
    document: &mut Value,
    previous: Option<&Value>,
) -> Result<(), Refusal> {
    let mut taken: BTreeSet<IpAddr> = BTreeSet::new();
    let Some(frontends) = document
        .pointer_mut("/properties/frontendIPConfigurations")
        .and_then(Value::as_array_mut)
    else {
        return Ok(());
    };
    for frontend in frontends.iter_mut() {
        let Some(subnet) = reference(frontend, "subnet").map(str::to_owned) else {
            continue;
        };
        let id = text(frontend, "id").to_owned();
        let old = previous.and_then(|previous| {
            let frontends = parts(previous, "frontendIPConfigurations");
            let old = frontends
                .iter()
                .find(|candidate| same(text(candidate, "id"), &id))?;
            (reference(old, "subnet").is_some_and(|old| same(old, &subnet)))
                .then(|| property_text(old, "privateIPAddress").to_owned())
        });
        let address = address::place(world, &id, frontend, &subnet, old.as_deref(), &taken)?;
        taken.insert(address);
        let mut properties = Map::new();
        // The address stands before the allocation method.
        for (name, value) in object(frontend, "properties") {
            if name == "privateIPAllocationMethod" {
                properties.insert("privateIPAddress".to_owned(), json!(address.to_string()));
            }
            if name != "privateIPAddress" {
                properties.insert(name.clone(), value.clone());
            }
        }
        frontend["properties"] = Value::Object(properties);
    }
    Ok(())
}

/// The load balancer's body as a PUT would send it, for a PUT or DELETE of one child.
pub(super) fn with_child(
    document: &Value,
    array: &str,
    name: &str,
    child: Option<&Value>,
) -> Value {
    let mut body = document.clone();
    let mut items: Vec<Value> = parts(&body, array).to_vec();
    let at = items
        .iter()
        .position(|item| text(item, "name").eq_ignore_ascii_case(name));
    match (at, child) {
        (Some(at), Some(child)) => items[at] = child.clone(),
        (None, Some(child)) => items.push(child.clone()),
        (Some(at), None) => {
            items.remove(at);
        }
        (None, None) => {}
    }
    body["properties"][array] = Value::Array(items);
    body
}

/// The pools that a rule serves.
pub(super) fn pools_of(rule: &Value) -> Vec<String> {
    let mut pools = references(rule, "backendAddressPools");
    pools.extend(reference(rule, "backendAddressPool").filter(|_| pools.is_empty()));
    pools.into_iter().map(str::to_owned).collect()
}

/// Whether any frontend is public: what makes a load balancer "public" towards its members.
pub(super) fn is_public(document: &Value) -> bool {
    parts(document, "frontendIPConfigurations")
        .iter()
        .any(|frontend| reference(frontend, "subnet").is_none())
}

/// Membership of an ip configuration, as `loadBalancerBackendAddresses` of a Standard pool shows it.
pub(super) fn address_of_member(pool_id: &str, name: &str, member: &str) -> Value {
    let array = "loadBalancerBackendAddresses";
    json!({
        "name": name,
        "id": format!("{pool_id}/{array}/{name}"),
        "etag": "",
        "properties": {"provisioningState": "Succeeded", "networkInterfaceIPConfiguration": only_id(&json!({"id": member}))},
        "type": format!("{TYPE}/backendAddressPools/{array}"),
    })
}

/// Entries of a pool that a client must not send back (FACTS 2, DANGER).
pub(super) fn echoed_member(pool: &Value) -> Option<&Value> {
    let properties = pool.get("properties")?;
    list(properties, "loadBalancerBackendAddresses")
        .iter()
        .find(|address| reference(address, "networkInterfaceIPConfiguration").is_some())
}
