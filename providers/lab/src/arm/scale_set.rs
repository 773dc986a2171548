//! Scale sets and their instances, as far as an instance runs commands, tells its power state and has network interfaces.
//!
//! Azure makes the instances of a set itself; here whoever sets the scene PUTs them. Their interfaces come with them and are
//! read-only, as in Azure (azure-rest-api-specs, vmssNetworkInterface.json has no PUT).

use serde_json::{Value, json};

use super::document::{list, parts, text};
use super::network_interface;
use super::refusal::Refusal;
use super::resource_id::{ResourcePath, canonical};
use super::world::World;
use super::write::make_up_subnets;

pub(super) const TYPE: &str = "Microsoft.Compute/virtualMachineScaleSets";
pub(super) const INSTANCE: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines";
pub(super) const INTERFACE: &str =
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces";
pub(super) const RUN_COMMAND: &str =
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommands";

/// Whether the id is of an instance's interface.
pub(super) fn is_interface(id: &str) -> bool {
    ResourcePath::parse(id).is_some_and(|path| path.is_type(INTERFACE) && path.names_resource())
}

/// Instance `3` of `web` calls itself `web_3`.
pub(super) fn name_instance(document: &mut Value) {
    let id = text(document, "id").to_owned();
    let Some(path) = ResourcePath::parse(&id) else {
        return;
    };
    let set = path.ancestor(1);
    document["name"] = json!(format!("{}_{}", set.name(), path.name()));
    document["instanceId"] = json!(path.name());
}

/// Makes the interfaces that an instance's network profile describes, and tells the instance's body their ids.
///
/// # Errors
/// ARM's refusal of one of them.
pub(super) fn make_interfaces(
    world: &mut World,
    instance: &str,
    body: &mut Value,
) -> Result<(), Refusal> {
    let profile = body
        .pointer("/properties/networkProfileConfiguration")
        .cloned()
        .unwrap_or_default();
    let mut made = Vec::new();
    for (at, configuration) in list(&profile, "networkInterfaceConfigurations")
        .iter()
        .enumerate()
    {
        let id = format!(
            "{instance}/networkInterfaces/{}",
            text(configuration, "name")
        );
        let described = json!({
            "location": text(body, "location"),
            "properties": {"ipConfigurations": parts(configuration, "ipConfigurations")},
        });
        if world.settings.auto_create {
            make_up_subnets(world, &described);
        }
        let previous = world.document(&id).cloned();
        let guid = world.guid();
        let (mut document, _) =
            network_interface::prepare(world, &id, &described, previous.as_ref(), &guid)?;
        document["properties"]["virtualMachine"] = json!({"id": instance});
        document["properties"]["primary"] = json!(at == 0);
        let balancers = network_interface::balancers_of(&document);
        world.put(&id, document);
        balancers.iter().for_each(|balancer| world.touch(balancer));
        made.push(json!({"id": id}));
    }
    if !made.is_empty() {
        body["properties"]["networkProfile"] = json!({"networkInterfaces": made});
    }
    Ok(())
}

/// The interfaces go with their instance, and the instances with their set.
pub(super) fn leave(world: &mut World, gone: &str) {
    let below = format!("{}/", canonical(gone));
    let ids = world.resources.keys().filter(|id| id.starts_with(&below));
    for id in ids.cloned().collect::<Vec<_>>() {
        let document = world
            .resources
            .remove(&id)
            .map(|resource| resource.document);
        let balancers = document.iter().flat_map(network_interface::balancers_of);
        for balancer in balancers.collect::<Vec<_>>() {
            world.touch(&balancer);
        }
    }
}
