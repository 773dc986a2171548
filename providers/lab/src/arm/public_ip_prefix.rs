//! Public IP prefixes.

use serde_json::{Map, Value, json};

use super::address;
use super::document::{
    Fill, complete_sku, fill, object, property, property_number, property_text, text, top,
};
use super::refusal::Refusal;
use super::resource_id::{canonical, last_name};
use super::world::World;

pub(super) const TYPE: &str = "Microsoft.Network/publicIPPrefixes";

const PROPERTIES: &[(&str, Fill)] = &[
    ("resourceGuid", Fill::ReadOnly),
    ("prefixLength", Fill::Given),
    ("publicIPAddressVersion", Fill::Text("IPv4")),
    ("ipPrefix", Fill::ReadOnly),
    ("ipTags", Fill::EmptyList),
    ("publicIPAddresses", Fill::ReadOnly),
    ("loadBalancerFrontendIpConfiguration", Fill::ReadOnly),
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
    let filled = fill(object(body, "properties"), PROPERTIES);
    let mut properties = Map::new();
    let resource_guid = previous.map_or(guid, |previous| property_text(previous, "resourceGuid"));
    for (name, value) in filled {
        properties.insert(name.clone(), value);
        if name == "provisioningState" {
            properties.insert("resourceGuid".to_owned(), json!(resource_guid));
        }
    }
    let mut document = top(body, id, last_name(id), TYPE, properties);
    complete_sku(&mut document, "Standard");
    let v6 = property_text(&document, "publicIPAddressVersion").eq_ignore_ascii_case("IPv6");
    let length =
        property_number(&document, "prefixLength").and_then(|length| u8::try_from(length).ok());
    if let Some(kept) = previous.and_then(|previous| property(previous, "ipPrefix")) {
        document["properties"]["ipPrefix"] = kept.clone();
    } else if length
        .and_then(|length| address::public_prefix(world, length, v6))
        .is_none()
    {
        // [OPEN] the service's code for a prefix length that it does not offer.
        return Err(Refusal::bad(
            "InvalidPrefixLength",
            format!("{} cannot have this prefixLength.", text(&document, "id")),
        ));
    }
    // What was loaded with it and is not of this world stays.
    for name in ["publicIPAddresses", "loadBalancerFrontendIpConfiguration"] {
        if let Some(kept) = previous.and_then(|previous| property(previous, name)) {
            document["properties"][name] = kept.clone();
        }
    }
    // Recordings: `Updating` when created (6 of 6), `Succeeded` when only tags change.
    Ok((document, previous.is_none()))
}

/// Gives the prefix once the PUT's operation is done (recordings: absent from the PUT's answer).
pub(super) fn allocate(world: &mut World, id: &str) {
    let document = world.document(id);
    let Some(document) = document.filter(|document| text(document, "type") == TYPE) else {
        return;
    };
    if property(document, "ipPrefix").is_some() {
        return;
    }
    let v6 = property_text(document, "publicIPAddressVersion").eq_ignore_ascii_case("IPv6");
    let length = property_number(document, "prefixLength");
    let length = length.and_then(|length| u8::try_from(length).ok());
    let Some(prefix) = length.and_then(|length| address::public_prefix(world, length, v6)) else {
        return;
    };
    if let Some(resource) = world.resources.get_mut(&canonical(id)) {
        resource.document["properties"]["ipPrefix"] = json!(prefix.to_string());
    }
}
