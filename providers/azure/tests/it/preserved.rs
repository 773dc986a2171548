//! What we do not model survives a write of what we do: other tools silently reset some of it.

use crate::fake::{Fake, Shown};
use plimsoll_azure::Writer;
use plimsoll_azure::wire::decode_load_balancer;
use plimsoll_core::apply::EnactAzure as _;
use plimsoll_core::model::{ArmId, Attr, Item, ItemKind};
use serde_json::{Value, json};

fn id() -> ArmId {
    ArmId::network("s", "rg-web", "loadBalancers", "web")
}

/// A load balancer that someone else made, with this in its properties.
fn existing(more: &Value) -> Value {
    let mut body = json!({
        "location": "westeurope",
        "sku": { "name": "Standard", "tier": "Regional" },
        "properties": {
            "frontendIPConfigurations": [{ "name": "f", "properties": { "publicIPAddress": { "id": "/ip" } } }],
        }
    });
    let properties = body["properties"].as_object_mut().unwrap();
    properties.extend(more.as_object().unwrap().clone());
    body
}

/// Adds a probe to it, and gives the properties that the PUT carried.
async fn written(more: &Value) -> Value {
    let fake = Fake::default();
    fake.load(&id(), existing(more));
    let before = decode_load_balancer(&id(), &fake.document(&id()).unwrap());
    let mut after = before.clone();
    let ours = Item::new("ours")
        .with("protocol", Attr::Text("Tcp".into()))
        .with("port", Attr::Int(8080));
    after.set(ItemKind::Probe, ours);
    Writer::new(fake.client())
        .put_load_balancer(
            &after,
            &before.fingerprint(),
            &after.fingerprint(),
            &Shown::default(),
        )
        .await
        .unwrap();
    let sent = fake.last_body();
    let probes = sent["properties"]["probes"].as_array().unwrap();
    assert!(probes.iter().any(|probe| probe["name"] == "ours"), "{sent}");
    sent["properties"].clone()
}

#[tokio::test(start_paused = true)]
async fn what_a_probe_does_when_no_backend_is_healthy() {
    let probe = json!({ "name": "theirs", "properties": {
        "protocol": "Tcp", "port": 80, "noHealthyBackendsBehavior": "AllProbedUp"
    } });
    let sent = written(&json!({ "probes": [probe] })).await;
    assert_eq!(sent["probes"][0], probe);
}

#[tokio::test(start_paused = true)]
async fn properties_of_a_later_api_version() {
    let rule = json!({ "name": "theirs", "properties": {
        "frontendIPConfiguration": { "id": "/f" }, "protocol": "Tcp", "frontendPort": 80, "backendPort": 80,
        "enableConnectionTracking": true, "novel": { "deep": [1, null, "x"] }
    } });
    let more = json!({ "loadBalancingRules": [rule], "scope": "Public", "future": { "a": [] } });
    let sent = written(&more).await;
    let properties = &sent["loadBalancingRules"][0]["properties"];
    assert_eq!(properties["enableConnectionTracking"], true);
    assert_eq!(properties["novel"], json!({ "deep": [1, null, "x"] }));
    assert_eq!(sent["scope"], "Public");
    assert_eq!(sent["future"], json!({ "a": [] }));
}

/// With more in a member than an address and a network, the list is not modelled, and stays as it came.
#[tokio::test(start_paused = true)]
async fn members_of_a_pool_by_address() {
    for properties in [
        json!({ "ipAddress": "10.0.0.9", "virtualNetwork": { "id": "/v" } }),
        json!({ "ipAddress": "10.0.0.9", "subnet": { "id": "/v/subnets/s" }, "adminState": "Down" }),
    ] {
        let pool = json!({ "name": "theirs", "properties": {
            "loadBalancerBackendAddresses": [{ "name": "m", "properties": properties }],
            "syncMode": "Manual", "drainPeriodInSeconds": 30
        } });
        let sent = written(&json!({ "backendAddressPools": [pool] })).await;
        assert_eq!(sent["backendAddressPools"][0], pool);
    }
}

#[tokio::test(start_paused = true)]
async fn pools_of_inbound_nat_rules_and_the_chain_of_a_gateway() {
    let more = json!({
        "inboundNatPools": [{ "name": "n", "properties": { "protocol": "Tcp", "frontendPortRangeStart": 50000,
            "frontendPortRangeEnd": 50119, "backendPort": 22, "frontendIPConfiguration": { "id": "/f" } } }],
        "frontendIPConfigurations": [{ "name": "f", "properties": {
            "publicIPAddress": { "id": "/ip" }, "gatewayLoadBalancer": { "id": "/g" } } }],
    });
    let sent = written(&more).await;
    assert_eq!(sent["inboundNatPools"], more["inboundNatPools"]);
    assert_eq!(
        sent["frontendIPConfigurations"][0]["properties"]["gatewayLoadBalancer"],
        json!({ "id": "/g" })
    );
}
