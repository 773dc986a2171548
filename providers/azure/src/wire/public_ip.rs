//! Public IP addresses.

use super::attributes::{self, insert, remove};
use super::read_only::{strip_properties, strip_resource};
use super::{Body, has_failed};
use plimsoll_core::model::schema::PUBLIC_IP;
use plimsoll_core::model::{ArmId, Attributes, PublicIp};
use serde_json::{Value, json};

pub fn decode_public_ip(id: &ArmId, document: &Body) -> PublicIp {
    let mut rest = document.clone();
    let address = rest
        .get("properties")
        .and_then(|p| p.get("ipAddress"))
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    strip_resource(&mut rest);
    // Azure keeps the address of a resource whose PUT does not mention it.
    strip_properties(&mut rest, &["ipAddress", "ipConfiguration"]);
    forget_what_azure_fills_in(&mut rest);
    PublicIp {
        id: id.clone(),
        attributes: attributes::take(&mut rest, PUBLIC_IP),
        address,
        failed: has_failed(document),
        rest,
    }
}

/// Azure adds these to every new address, and they mean what leaving them out means. Kept, they would make an address
/// look changed by someone else as soon as it is created.
fn forget_what_azure_fills_in(rest: &mut Body) {
    forget_regional_tier(rest);
    let inherited = rest
        .get("properties")
        .and_then(|p| p.get("ddosSettings"))
        .is_some_and(|settings| {
            *settings == json!({ "protectionMode": "VirtualNetworkInherited" })
        });
    if inherited {
        strip_properties(rest, &["ddosSettings"]);
    }
}

const REGIONAL: &str = "Regional";

pub(super) fn forget_regional_tier(rest: &mut Body) {
    let tier = rest.get("sku").and_then(|sku| sku.get("tier")?.as_str());
    if tier.is_some_and(|tier| tier.eq_ignore_ascii_case(REGIONAL)) {
        remove(rest, &["sku", "tier"]);
    }
}

/// The tier that reading left out.
pub(super) fn fill_in_tier(body: &mut Body, attributes: &Attributes) {
    if attributes.contains_key("sku")
        && let Some(sku) = body.get_mut("sku").and_then(Value::as_object_mut)
    {
        sku.entry("tier").or_insert_with(|| json!(REGIONAL));
    }
}

/// The body of a PUT.
pub fn encode_public_ip(ip: &PublicIp) -> Body {
    let mut body = ip.rest.clone();
    attributes::write(&mut body, PUBLIC_IP, &ip.attributes);
    // The one default that is ours and not Azure's: left out it would mean Dynamic, which Standard addresses refuse.
    if !ip.attributes.contains_key("allocation_method") {
        insert(
            &mut body,
            &["properties", "publicIPAllocationMethod"],
            json!("Static"),
        );
    }
    fill_in_tier(&mut body, &ip.attributes);
    body
}
