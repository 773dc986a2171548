//! Public IP addresses.

use super::Body;
use super::attributes::{self, insert};
use super::read_only::{strip_properties, strip_resource};
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
    PublicIp {
        id: id.clone(),
        attributes: attributes::take(&mut rest, PUBLIC_IP),
        address,
        rest,
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
    body
}
