//! Public IP prefixes: blocks of addresses that outbound frontends use.

use super::Body;
use super::read_only::{strip_properties, strip_resource};
use plimsoll_core::model::{ArmId, PublicIpPrefix};
use serde_json::Value;

pub fn decode_public_ip_prefix(id: &ArmId, document: &Body) -> PublicIpPrefix {
    let mut rest = document.clone();
    let block = rest
        .get("properties")
        .and_then(|p| p.get("ipPrefix"))
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok());
    strip_resource(&mut rest);
    strip_properties(
        &mut rest,
        &[
            "ipPrefix",
            "publicIPAddresses",
            "loadBalancerFrontendIpConfiguration",
        ],
    );
    PublicIpPrefix {
        id: id.clone(),
        block,
        rest,
    }
}

/// The body of a PUT.
pub fn encode_public_ip_prefix(prefix: &PublicIpPrefix) -> Body {
    prefix.rest.clone()
}
