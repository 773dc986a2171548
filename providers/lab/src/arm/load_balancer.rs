//! A load balancer's PUT: the whole resource, completed as the service completes it.
//!
//! Sub-resources left out disappear; membership by network interfaces does not, because it lives
//! on the interfaces (FACTS 1: 86 of 86, and 5 of 5).

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::address;
use super::document::{
    complete_sku, list, object, only_id, parts, property, property_text, reference, references,
    text, top,
};
use super::load_balancer_check::check;
use super::load_balancer_parts::{complete_part, part_named, refer_back};
use super::refusal::Refusal;
use super::resource_id::{last_name, same};
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
