//! Virtual machines, as far as run command and discovery need them.

use serde_json::{Map, Value, json};

use super::document::{list, object, property, text, top};
use super::resource_id::{canonical, last_name};
use super::world::World;

pub(super) const TYPE: &str = "Microsoft.Compute/virtualMachines";

/// Where the lab keeps what only the instance view tells.
const POWER: &str = "x-lab-power";

/// `start`, `powerOff`, `deallocate` and `restart`: the power state in which they leave the machine.
#[must_use]
pub(super) fn power_after(action: &str) -> Option<&'static str> {
    match action.to_ascii_lowercase().as_str() {
        "start" | "restart" => Some("running"),
        "poweroff" => Some("stopped"),
        "deallocate" => Some("deallocated"),
        _ => None,
    }
}

/// The machine in another power state.
#[must_use]
pub(super) fn with_power(document: &Value, power: &str) -> Value {
    let mut document = document.clone();
    document["properties"][POWER] = json!(power);
    document
}

/// The machine as Azure shows it.
pub(super) fn hide_power(shown: &mut Value) {
    if let Some(properties) = shown.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_remove(POWER);
    }
}

/// Completes a virtual machine's body; the emulator runs none, so nothing is checked.
pub(super) fn complete(
    resource_type: &str,
    id: &str,
    body: &Value,
    previous: Option<&Value>,
    guid: &str,
) -> Value {
    let mut properties = Map::new();
    let vm_id = previous
        .and_then(|previous| property(previous, "vmId"))
        .cloned();
    properties.insert("vmId".to_owned(), vm_id.unwrap_or(json!(guid)));
    for (name, value) in object(body, "properties") {
        if !["vmId", "provisioningState", "instanceView"].contains(&name.as_str()) {
            properties.insert(name.clone(), value.clone());
        }
    }
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    let mut document = top(body, id, last_name(id), resource_type, properties);
    // Microsoft.Compute has no etags in these versions (recordings).
    if let Some(members) = document.as_object_mut() {
        members.shift_remove("etag");
    }
    document
}

/// The document of a machine with the given interfaces.
pub(super) fn describe(name: &str, os: &str, interfaces: &[String], location: &str) -> Value {
    let interfaces: Vec<Value> = interfaces.iter().map(|id| json!({"id": id})).collect();
    json!({
        "location": location,
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_DS1_v2"},
            "storageProfile": {"osDisk": {"osType": os, "name": format!("{name}_disk1"), "createOption": "FromImage"}},
            "osProfile": {"computerName": name},
            "networkProfile": {"networkInterfaces": interfaces},
        },
    })
}

/// `$expand=instanceView`: running, agent ready.
pub(super) fn instance_view(document: &Value) -> Value {
    let status = |code: &str, display: &str| json!({"code": code, "level": "Info", "displayStatus": display});
    let power = match property(document, POWER).and_then(Value::as_str) {
        Some(power) => power.to_owned(),
        None => "running".to_owned(),
    };
    json!({
        "computerName": text(document, "name"),
        "vmAgent": {"vmAgentVersion": "2.9.0.4", "statuses": [status("ProvisioningState/succeeded", "Ready")]},
        "statuses": [
            status("ProvisioningState/succeeded", "Provisioning succeeded"),
            status(&format!("PowerState/{power}"), &format!("VM {power}")),
        ],
    })
}

/// Whether the machine runs Windows.
pub(super) fn is_windows(document: &Value) -> bool {
    let os = document
        .pointer("/properties/storageProfile/osDisk/osType")
        .and_then(Value::as_str);
    os.is_some_and(|os| os.eq_ignore_ascii_case("Windows"))
}

/// Tells the machine's interfaces whose they are.
pub(super) fn hold_interfaces(world: &mut World, document: &Value) {
    let id = text(document, "id").to_owned();
    release_interfaces(world, &canonical(&id));
    let profile = document
        .pointer("/properties/networkProfile")
        .cloned()
        .unwrap_or_default();
    for (at, interface) in list(&profile, "networkInterfaces").iter().enumerate() {
        let Some(interface) = interface.get("id").and_then(Value::as_str) else {
            continue;
        };
        let bits = world.draw().to_be_bytes();
        let address = format!("00-0D-3A-{:02X}-{:02X}-{:02X}", bits[0], bits[1], bits[2]);
        if let Some(resource) = world.resources.get_mut(&canonical(interface))
            && let Some(properties) = resource
                .document
                .get_mut("properties")
                .and_then(Value::as_object_mut)
        {
            properties.entry("macAddress").or_insert(json!(address));
            properties.insert("primary".to_owned(), json!(at == 0));
            properties.insert("virtualMachine".to_owned(), json!({"id": id}));
        }
    }
    world.revision += 1;
}

/// The machine's interfaces are nobody's again.
pub(super) fn release_interfaces(world: &mut World, machine: &str) {
    for resource in world.resources.values_mut() {
        let held = resource
            .document
            .pointer("/properties/virtualMachine/id")
            .and_then(Value::as_str);
        if held.is_some_and(|held| canonical(held) == machine)
            && let Some(properties) = resource
                .document
                .get_mut("properties")
                .and_then(Value::as_object_mut)
        {
            properties.shift_remove("virtualMachine");
            properties.shift_remove("primary");
        }
    }
}
