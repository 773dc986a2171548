//! Public IP prefixes: blocks of addresses that outbound frontends and public IP addresses use.

use super::attributes;
use super::public_ip::{fill_in_tier, forget_regional_tier};
use super::read_only::{strip_properties, strip_resource};
use super::{Body, has_failed};
use plimsoll_core::model::schema::PUBLIC_IP_PREFIX;
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
    forget_regional_tier(&mut rest);
    PublicIpPrefix {
        id: id.clone(),
        attributes: attributes::take(&mut rest, PUBLIC_IP_PREFIX),
        block,
        failed: has_failed(document),
        rest,
    }
}

/// The body of a PUT.
pub fn encode_public_ip_prefix(prefix: &PublicIpPrefix) -> Body {
    let mut body = prefix.rest.clone();
    attributes::write(&mut body, PUBLIC_IP_PREFIX, &prefix.attributes);
    fill_in_tier(&mut body, &prefix.attributes);
    body
}
