//! Public IP addresses.

use super::attributes::{self, insert, remove};
use super::read_only::{strip_properties, strip_resource};
use super::{Body, has_failed};
use plimsoll_core::model::schema::PUBLIC_IP;
use plimsoll_core::model::{ArmId, PublicIp};
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
    let says = |rest: &Body, outer: &str, inner: &str, word: &str| {
        let value = rest.get(outer).and_then(|v| v.get(inner)?.as_str());
        value.is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    if says(rest, "sku", "tier", REGIONAL) {
        remove(rest, &["sku", "tier"]);
    }
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
    if ip.attributes.contains_key("sku")
        && let Some(sku) = body.get_mut("sku").and_then(Value::as_object_mut)
    {
        sku.entry("tier").or_insert_with(|| json!(REGIONAL));
    }
    body
}
