//! Virtual networks and their subnets.

use serde_json::{Map, Value, json};

use super::address::has_prefix;
use super::document::{Fill, fill, list, object, part, parts, property_text, text, top};
use super::refusal::Refusal;
use super::resource_id::{ResourcePath, last_name, owner, resource_group_id, same};
use super::shown::users_of_subnet;
use super::world::World;

pub(super) const TYPE: &str = "Microsoft.Network/virtualNetworks";

const PROPERTIES: &[(&str, Fill)] = &[
    ("resourceGuid", Fill::ReadOnly),
    ("addressSpace", Fill::Given),
    ("dhcpOptions", Fill::Given),
    ("subnets", Fill::ReadOnly),
    ("virtualNetworkPeerings", Fill::EmptyList),
    ("enableDdosProtection", Fill::False),
];
const SUBNET: &[(&str, Fill)] = &[
    ("addressPrefix", Fill::Given),
    ("addressPrefixes", Fill::Given),
    ("networkSecurityGroup", Fill::Reference),
    ("routeTable", Fill::Reference),
    ("natGateway", Fill::Reference),
    ("ipConfigurations", Fill::ReadOnly),
    ("delegations", Fill::EmptyList),
    ("privateEndpointNetworkPolicies", Fill::Text("Disabled")),
    ("privateLinkServiceNetworkPolicies", Fill::Text("Enabled")),
];

/// Completes and checks the body of a PUT of a network.
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
    let subnets: Vec<Value> = given
        .get("subnets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|subnet| complete_subnet(id, subnet))
        .collect();
    if let Some(bad) = subnets
        .iter()
        .find(|subnet| text(subnet, "name").is_empty() || !has_prefix(subnet))
    {
        // [OPEN] the exact body; a subnet needs a name and a prefix.
        return Err(Refusal::unparsable(
            "InvalidSubnet",
            format!("Subnet {} needs a name and a prefix.", text(bad, "id")),
        ));
    }
    for gone in previous
        .into_iter()
        .flat_map(|previous| parts(previous, "subnets"))
    {
        let id = text(gone, "id");
        if !subnets.iter().any(|subnet| same(text(subnet, "id"), id)) {
            unused(world, id)?;
        }
    }
    let resource_guid = previous.map_or(guid, |previous| property_text(previous, "resourceGuid"));
    let mut properties = Map::new();
    for (name, value) in fill(given, PROPERTIES) {
        // The recordings never show the older name back from newer versions.
        if name == "enableVmProtection" && value == json!(false) {
            continue;
        }
        properties.insert(name.clone(), value);
        match name.as_str() {
            "provisioningState" => {
                properties.insert("resourceGuid".to_owned(), json!(resource_guid));
            }
            "addressSpace" => {
                properties.insert("subnets".to_owned(), json!(subnets));
            }
            _ => {}
        }
    }
    properties.insert("subnets".to_owned(), json!(subnets));
    Ok((top(body, id, last_name(id), TYPE, properties), true))
}

fn complete_subnet(network: &str, subnet: &Value) -> Value {
    let id = format!("{network}/subnets/{}", text(subnet, "name"));
    part(
        subnet,
        &id,
        &format!("{TYPE}/subnets"),
        fill(object(subnet, "properties"), SUBNET),
    )
}

/// The subnet may go: nothing lives in it.
///
/// # Errors
/// `InUseSubnetCannotBeDeleted`, as recorded.
pub(super) fn unused(world: &World, subnet: &str) -> Result<(), Refusal> {
    match users_of_subnet(world, subnet).first() {
        None => Ok(()),
        Some(user) => Err(Refusal::bad(
            "InUseSubnetCannotBeDeleted",
            format!(
                "Subnet {} is in use by {user} and cannot be deleted. In order to delete the subnet, delete all the \
                 resources within the subnet. See aka.ms/deletesubnet.",
                last_name(subnet)
            ),
        )),
    }
}

/// Makes up the subnet (and its network and resource group) if it does not exist.
pub(super) fn ensure_subnet(world: &mut World, subnet: &str, location: &str, prefix: &str) {
    let Some(network) = owner(subnet) else { return };
    let Some(path) = ResourcePath::parse(subnet) else {
        return;
    };
    let well_formed = path.segments.len() == 4 && path.ancestor(1).is_type(TYPE);
    let Some(group) = path.resource_group.as_deref().filter(|_| well_formed) else {
        return;
    };
    super::resource_group::ensure(world, &path.subscription, group, location);
    let name = path.name().to_owned();
    let guid = world.guid();
    let previous = world.document(&network).cloned();
    let mut body = previous.clone().unwrap_or_else(|| {
        json!({"location": location, "properties": {"addressSpace": {"addressPrefixes": []}, "subnets": []}})
    });
    let known = parts(&body, "subnets")
        .iter()
        .position(|known| text(known, "name").eq_ignore_ascii_case(&name));
    let wanted: Option<ipnet::IpNet> = prefix.parse().ok();
    match known {
        Some(at) => {
            let Some(wanted) = wanted else { return };
            let held = super::address::prefixes(&parts(&body, "subnets")[at]);
            // An existing subnet only grows by a family that it lacks.
            if held
                .iter()
                .any(|held| held.addr().is_ipv6() == wanted.addr().is_ipv6())
            {
                return;
            }
            let mut all: Vec<String> = held.iter().map(ToString::to_string).collect();
            all.push(prefix.to_owned());
            let properties = &mut body["properties"]["subnets"][at]["properties"];
            properties["addressPrefixes"] = json!(all);
        }
        None => {
            let subnet = json!({"name": name, "properties": {"addressPrefix": prefix}});
            let mut subnets = parts(&body, "subnets").to_vec();
            subnets.push(subnet);
            body["properties"]["subnets"] = Value::Array(subnets);
        }
    }
    let mut space: Vec<Value> = body
        .pointer("/properties/addressSpace")
        .map(|space| list(space, "addressPrefixes").to_vec())
        .unwrap_or_default();
    if !space.contains(&json!(prefix)) {
        space.push(json!(prefix));
    }
    body["properties"]["addressSpace"]["addressPrefixes"] = Value::Array(space);
    if let Ok((document, _)) = prepare(
        world,
        &network_id(&path, group),
        &body,
        previous.as_ref(),
        &guid,
    ) {
        world.put(&network, document);
    }
}

fn network_id(path: &ResourcePath, group: &str) -> String {
    format!(
        "{}/providers/{TYPE}/{}",
        resource_group_id(&path.subscription, group),
        path.segments[1]
    )
}
