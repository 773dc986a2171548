//! What a GET says and what the PUT after it carries, on small documents of our own.

use plimsoll_azure::wire::{
    Body, decode_load_balancer, decode_network_interface, decode_public_ip, encode_load_balancer,
    encode_network_interface, encode_public_ip,
};
use plimsoll_core::model::{ArmId, ItemKind};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture(name: &str) -> Value {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn body(value: &Value) -> Body {
    value.as_object().unwrap().clone()
}

fn id() -> ArmId {
    ArmId::network("s", "rg-web", "loadBalancers", "web")
}

#[test]
fn a_put_carries_what_may_be_written_and_nothing_else() {
    let lb = decode_load_balancer(&id(), &body(&fixture("load_balancer.json")));
    assert_eq!(
        Value::Object(encode_load_balancer(&lb)),
        fixture("load_balancer.put.json")
    );
    // The order of parts is Azure's.
    let names: Vec<&str> = lb
        .of_kind(ItemKind::Rule)
        .map(|item| item.name.as_str())
        .collect();
    assert_eq!(names, ["green", "older"]);
}

#[test]
fn what_is_only_read_has_its_own_place() {
    let lb = decode_load_balancer(&id(), &body(&fixture("load_balancer.json")));
    let members: Vec<&str> = lb.members_of("NICS").iter().map(ArmId::as_str).collect();
    assert_eq!(
        members,
        ["/nic1/ipConfigurations/a", "/nic2/ipConfigurations/b"]
    );
    assert_eq!(lb.dynamic_addresses["inside"].to_string(), "10.0.0.9");
    let inside = lb.item(ItemKind::Frontend, "inside").unwrap();
    assert_eq!(inside.text("private_ip_address"), None);
    let fixed = lb.item(ItemKind::Frontend, "fixed").unwrap();
    assert_eq!(fixed.text("private_ip_address"), Some("10.0.0.10"));
}

#[test]
fn a_nat_rule_for_a_range_has_no_port_of_its_own() {
    let document = json!({ "properties": { "inboundNatRules": [{ "name": "r", "properties": {
        "frontendPort": 0, "frontendPortRangeStart": 1, "frontendPortRangeEnd": 9, "backendPort": 22
    } }] } });
    let lb = decode_load_balancer(&id(), &body(&document));
    let rule = lb.item(ItemKind::InboundNatRule, "r").unwrap();
    assert_eq!(rule.int("frontend_port"), None);
    assert_eq!(rule.int("frontend_port_range_end"), Some(9));
}

#[test]
fn two_parts_of_one_name_go_back_as_they_came() {
    let document = json!({ "properties": { "probes": [
        { "name": "p", "properties": { "port": 1 } }, { "name": "P", "properties": { "port": 2 } }
    ] } });
    let lb = decode_load_balancer(&id(), &body(&document));
    assert_eq!(lb.of_kind(ItemKind::Probe).count(), 0);
    let encoded = encode_load_balancer(&lb);
    assert_eq!(
        encoded["properties"]["probes"],
        document["properties"]["probes"]
    );
}

/// Any JSON, with the names that the decoder looks for more often than chance would have it.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("properties".to_owned()),
        Just("name".to_owned()),
        Just("id".to_owned()),
        Just("sku".to_owned()),
        Just("loadBalancingRules".to_owned()),
        Just("backendAddressPools".to_owned()),
        Just("backendAddressPool".to_owned()),
        Just("loadBalancerBackendAddresses".to_owned()),
        Just("frontendIPConfigurations".to_owned()),
        Just("privateIPAddress".to_owned()),
        Just("ipConfigurations".to_owned()),
        Just("loadBalancerBackendAddressPools".to_owned()),
        Just("frontendPort".to_owned()),
        Just("dnsSettings".to_owned()),
        "[a-z]{1,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z0-9.]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Decoding never fails, and what was sent once is sent the same again.
    #[test]
    fn any_document_decodes_and_settles(value in any_json()) {
        let document = match value {
            Value::Object(map) => map,
            other => json!({ "properties": other }).as_object().unwrap().clone(),
        };
        let lb = |b: &Body| encode_load_balancer(&decode_load_balancer(&id(), b));
        let ip = |b: &Body| encode_public_ip(&decode_public_ip(&id(), b));
        let nic = |b: &Body| encode_network_interface(&decode_network_interface(&id(), b));
        let once = lb(&document);
        prop_assert_eq!(lb(&once), once);
        let once = ip(&document);
        prop_assert_eq!(ip(&once), once);
        let once = nic(&document);
        prop_assert_eq!(nic(&once), once);
    }
}
