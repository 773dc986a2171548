//! Resource groups.

use serde_json::{Value, json};

use super::document::{plain_location, text};
use super::refusal::Refusal;
use super::resource_id::{canonical, resource_group_id};
use super::world::World;

pub(super) const TYPE: &str = "Microsoft.Resources/resourceGroups";

/// The group's document as the service builds it.
pub(super) fn complete(subscription: &str, name: &str, body: &Value) -> Value {
    let mut document = json!({
        "id": resource_group_id(subscription, name),
        "name": name,
        "type": TYPE,
        "location": plain_location(text(body, "location")),
    });
    for member in ["managedBy", "tags"] {
        if let Some(value) = body.get(member).filter(|value| !value.is_null()) {
            document[member] = value.clone();
        }
    }
    document["properties"] = json!({"provisioningState": "Succeeded"});
    document
}

/// Makes the group up if it does not exist.
pub(super) fn ensure(world: &mut World, subscription: &str, name: &str, location: &str) {
    let id = resource_group_id(subscription, name);
    if world.document(&id).is_none() {
        let location = if location.is_empty() {
            "westeurope"
        } else {
            location
        };
        let document = complete(subscription, name, &json!({"location": location}));
        world.put(&id, document);
    }
}

/// The group exists.
///
/// # Errors
/// `ResourceGroupNotFound`, as recorded.
pub(super) fn require<'a>(
    world: &'a World,
    subscription: &str,
    name: &str,
) -> Result<&'a Value, Refusal> {
    world
        .document(&resource_group_id(subscription, name))
        .ok_or_else(|| {
            Refusal::gateway(
                404,
                "ResourceGroupNotFound",
                format!("Resource group '{name}' could not be found."),
            )
        })
}

/// The canonical ids of everything in the group.
pub(super) fn contents(world: &World, subscription: &str, name: &str) -> Vec<String> {
    let prefix = format!(
        "{}/providers/",
        canonical(&resource_group_id(subscription, name))
    );
    world
        .resources
        .keys()
        .filter(|id| id.starts_with(&prefix))
        .cloned()
        .collect()
}
