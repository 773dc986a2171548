//! What goes away with something that goes away.

use serde_json::Value;

use super::document::{parts, text};
use super::load_balancer;
use super::network_interface;
use super::resource_id::canonical;
use super::scale_set;
use super::virtual_machine;
use super::world::World;

/// Removes a resource for good, with its own children and the references by interfaces.
pub(super) fn forget(world: &mut World, id: &str) {
    let id = canonical(id);
    let Some(resource) = world.resources.remove(&id) else {
        return;
    };
    world.revision += 1;
    let kind = text(&resource.document, "type");
    let children = format!("{id}/");
    if kind.eq_ignore_ascii_case(load_balancer::TYPE) {
        // [OPEN] whether Azure lets a load balancer go while interfaces are in its pools; the lab
        // allows it and takes the interfaces out.
        leave_everywhere(world, |target| canonical(target).starts_with(&children));
    }
    if kind.eq_ignore_ascii_case(network_interface::TYPE) {
        for balancer in network_interface::balancers_of(&resource.document) {
            world.touch(&balancer);
        }
    }
    if [scale_set::TYPE, scale_set::INSTANCE]
        .iter()
        .any(|of| of.eq_ignore_ascii_case(kind))
    {
        scale_set::leave(world, &id);
    }
    if kind.eq_ignore_ascii_case(virtual_machine::TYPE) {
        virtual_machine::release_interfaces(world, &id);
        world
            .resources
            .retain(|other, _| !other.starts_with(&children));
    }
}

/// After a load balancer's PUT: interfaces leave the pools and NAT rules that it dropped.
///
/// [OPEN] whether Azure refuses to drop a pool that still has members; clients that let the
/// interfaces leave first are right either way.
pub(super) fn leave_dropped(world: &mut World, previous: &Value, document: &Value) {
    let held = |document: &Value| -> Vec<String> {
        let arrays = ["backendAddressPools", "inboundNatRules"].into_iter();
        arrays
            .flat_map(|array| parts(document, array))
            .map(|part| canonical(text(part, "id")))
            .collect()
    };
    let kept = held(document);
    let dropped: Vec<String> = held(previous)
        .into_iter()
        .filter(|id| !kept.contains(id))
        .collect();
    if !dropped.is_empty() {
        leave_everywhere(world, |target| dropped.contains(&canonical(target)));
    }
}

fn leave_everywhere(world: &mut World, gone: impl Fn(&str) -> bool) {
    let interfaces: Vec<String> = world
        .of_type(network_interface::TYPE)
        .iter()
        .map(|(id, _)| (*id).to_owned())
        .collect();
    for interface in interfaces {
        let left = world
            .resources
            .get_mut(&interface)
            .is_some_and(|resource| network_interface::leave(&mut resource.document, &gone));
        if left {
            world.touch(&interface);
        }
    }
}
