//! Network security groups and their rules, read by clients for findings.

use serde_json::{Map, Value, json};

use super::document::{Fill, fill, object, part, parts, property_text, text, top};
use super::refusal::Refusal;
use super::resource_id::last_name;
use super::shown::show;
use super::world::World;

pub(super) const TYPE: &str = "Microsoft.Network/networkSecurityGroups";

// Order and defaults: recordings.
const RULE: &[(&str, Fill)] = &[
    ("description", Fill::Given),
    ("protocol", Fill::Given),
    ("sourcePortRange", Fill::Given),
    ("destinationPortRange", Fill::Given),
    ("sourceAddressPrefix", Fill::Given),
    ("destinationAddressPrefix", Fill::Given),
    ("access", Fill::Given),
    ("priority", Fill::Given),
    ("direction", Fill::Given),
    ("sourcePortRanges", Fill::EmptyList),
    ("destinationPortRanges", Fill::EmptyList),
    ("sourceAddressPrefixes", Fill::EmptyList),
    ("destinationAddressPrefixes", Fill::EmptyList),
];

/// The six rules that every group has: name, description, source, destination, access, priority,
/// direction (recordings).
const DEFAULT: [(&str, &str, &str, &str, &str, u16, &str); 6] = [
    (
        "AllowVnetInBound",
        "Allow inbound traffic from all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        "Allow",
        65000,
        "Inbound",
    ),
    (
        "AllowAzureLoadBalancerInBound",
        "Allow inbound traffic from azure load balancer",
        "AzureLoadBalancer",
        "*",
        "Allow",
        65001,
        "Inbound",
    ),
    (
        "DenyAllInBound",
        "Deny all inbound traffic",
        "*",
        "*",
        "Deny",
        65500,
        "Inbound",
    ),
    (
        "AllowVnetOutBound",
        "Allow outbound traffic from all VMs to all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        "Allow",
        65000,
        "Outbound",
    ),
    (
        "AllowInternetOutBound",
        "Allow outbound traffic from all VMs to Internet",
        "*",
        "Internet",
        "Allow",
        65001,
        "Outbound",
    ),
    (
        "DenyAllOutBound",
        "Deny all outbound traffic",
        "*",
        "*",
        "Deny",
        65500,
        "Outbound",
    ),
];

/// Completes the body of a PUT.
///
/// # Errors
/// ARM's refusal; none known beyond the shape.
pub(super) fn prepare(
    id: &str,
    body: &Value,
    previous: Option<&Value>,
    guid: &str,
) -> Result<(Value, bool), Refusal> {
    let rules: Vec<Value> = parts(body, "securityRules")
        .iter()
        .map(|rule| complete_rule(id, "securityRules", rule))
        .collect();
    let defaults: Vec<Value> = DEFAULT.iter().map(|rule| default_rule(id, rule)).collect();
    let mut properties = Map::new();
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    let resource_guid = previous.map_or(guid, |previous| property_text(previous, "resourceGuid"));
    properties.insert("resourceGuid".to_owned(), json!(resource_guid));
    properties.insert("securityRules".to_owned(), json!(rules));
    properties.insert("defaultSecurityRules".to_owned(), json!(defaults));
    let read_only = ["networkInterfaces", "subnets"];
    for (name, value) in object(body, "properties") {
        if !properties.contains_key(name) && !read_only.contains(&name.as_str()) && !value.is_null()
        {
            properties.insert(name.clone(), value.clone());
        }
    }
    Ok((top(body, id, last_name(id), TYPE, properties), true))
}

fn complete_rule(group: &str, array: &str, rule: &Value) -> Value {
    let id = format!("{group}/{array}/{}", text(rule, "name"));
    let mut properties = fill(object(rule, "properties"), RULE);
    // The service writes these words its own way, whatever case they came in (recordings).
    for (name, words) in [
        ("access", ["Allow", "Deny"]),
        ("direction", ["Inbound", "Outbound"]),
    ] {
        let given = properties
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if let Some(word) = words
            .into_iter()
            .find(|word| word.eq_ignore_ascii_case(given))
        {
            properties.insert(name.to_owned(), json!(word));
        }
    }
    part(rule, &id, &format!("{TYPE}/{array}"), properties)
}

fn default_rule(group: &str, rule: &(&str, &str, &str, &str, &str, u16, &str)) -> Value {
    let (name, description, source, destination, access, priority, direction) = rule;
    let properties = json!({
        "description": description, "protocol": "*", "sourcePortRange": "*", "destinationPortRange": "*",
        "sourceAddressPrefix": source, "destinationAddressPrefix": destination,
        "access": access, "priority": priority, "direction": direction,
    });
    complete_rule(
        group,
        "defaultSecurityRules",
        &json!({"name": name, "properties": properties}),
    )
}

/// The group may go: nothing is secured by it.
///
/// # Errors
/// `InUseNetworkSecurityGroupCannotBeDeleted`, as recorded.
pub(super) fn unused(world: &World, id: &str) -> Result<(), Refusal> {
    let Some(resource) = world.resource(id) else {
        return Ok(());
    };
    let shown = show(world, resource, "9999");
    let mut users = super::document::references(&shown, "networkInterfaces");
    users.extend(super::document::references(&shown, "subnets"));
    if users.is_empty() {
        return Ok(());
    }
    Err(Refusal::bad(
        "InUseNetworkSecurityGroupCannotBeDeleted",
        format!(
            "Network security group {} cannot be deleted because it is in use by the following resources: {}. In order \
             to delete the Network security group, remove the association with the resource(s). To learn how to do this, \
             see aka.ms/deletensg.",
            text(&resource.document, "id"),
            users.join(", ")
        ),
    ))
}
