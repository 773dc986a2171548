//! What Azure says and does not let one write. It is dropped on reading: echoed back, some of it is refused
//! (terraform-provider-azurerm issue 7691: the addresses of a NIC-based pool), and none of it is ours to keep.
//! The names are those that the 2024-01-01 API description marks read-only, and the `id`, `type` and `etag` of parts.

use super::Body;
use plimsoll_core::model::ItemKind;
use serde_json::Value;

/// Takes the read-only data out of the resource itself.
pub(super) fn strip_resource(document: &mut Body) {
    for key in ["id", "name", "type", "etag"] {
        document.shift_remove(key);
    }
    strip_properties(document, &["provisioningState", "resourceGuid"]);
}

/// Takes the read-only data out of one named part of a resource, whatever its kind.
pub(super) fn strip_part(document: &mut Body) {
    for key in ["id", "type", "etag"] {
        document.shift_remove(key);
    }
    strip_properties(document, &["provisioningState"]);
}

/// The back-references that Azure adds to a sub-resource of a load balancer.
pub(super) fn back_references(kind: ItemKind) -> &'static [&'static str] {
    match kind {
        ItemKind::Frontend => &[
            "inboundNatRules",
            "inboundNatPools",
            "outboundRules",
            "loadBalancingRules",
        ],
        ItemKind::BackendPool => &[
            "backendIPConfigurations",
            "loadBalancingRules",
            "outboundRule",
            "outboundRules",
            "inboundNatRules",
        ],
        ItemKind::Probe => &["loadBalancingRules"],
        ItemKind::InboundNatRule => &["backendIPConfiguration"],
        ItemKind::Rule | ItemKind::OutboundRule => &[],
    }
}

/// Removes these properties, and `properties` itself when nothing is left in it.
pub(super) fn strip_properties(document: &mut Body, names: &[&str]) {
    let Some(properties) = document
        .get_mut("properties")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for name in names {
        properties.shift_remove(*name);
    }
    if properties.is_empty() {
        document.shift_remove("properties");
    }
}

/// Does the same to every object in the array of that name below `properties`.
pub(super) fn for_each_part(document: &mut Body, array: &str, mut change: impl FnMut(&mut Body)) {
    let parts = document
        .get_mut("properties")
        .and_then(|p| p.get_mut(array))
        .and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        if let Some(part) = part.as_object_mut() {
            change(part);
        }
    }
}
