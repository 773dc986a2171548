//! A store with a clock turned by hand, and the documents that most tests begin with.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use plimsoll_lab::arm::{ArmAnswer, ArmRequest, Method, Store};
use serde_json::{Value, json};

pub(crate) const GROUP: &str =
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg";

/// A store and the hand on its clock.
pub(crate) struct Lab {
    pub(crate) store: Store,
    milliseconds: Arc<AtomicI64>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let milliseconds = Arc::new(AtomicI64::new(1_700_000_000_000));
        let hand = Arc::clone(&milliseconds);
        let clock =
            Arc::new(move || Timestamp::from_millisecond(hand.load(Ordering::Relaxed)).unwrap());
        Self {
            store: Store::in_memory(clock),
            milliseconds,
        }
    }

    pub(crate) fn wait(&self, milliseconds: i64) {
        self.milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, method: Method, path: &str, body: Option<&Value>) -> ArmAnswer {
        let path = if path.contains('?') {
            path.to_owned()
        } else {
            format!("{path}?api-version=2024-01-01")
        };
        self.store.answer(&ArmRequest::new(method, &path, body))
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.send(Method::Get, path, None);
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        answer.body.unwrap()
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> ArmAnswer {
        self.send(Method::Put, path, Some(body))
    }

    /// PUT that must be accepted, and its operation waited for.
    pub(crate) fn settle(&self, path: &str, body: &Value) -> Value {
        let answer = self.put(path, body);
        assert!(answer.status < 300, "{path}: {:?}", answer.body);
        self.wait(1000);
        self.get(path)
    }

    pub(crate) fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let answer = self.put(path, body);
        (
            answer.status,
            answer.error_code().unwrap_or_default().to_owned(),
        )
    }

    /// A public IP and a load balancer with one pool, one probe and one floating rule.
    pub(crate) fn with_balancer() -> Self {
        let lab = Self::new();
        lab.settle(
            &public_ip("green"),
            &json!({"location": "West Europe", "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"}}),
        );
        lab.settle(&balancer(), &balancer_body(&[rule("green", 80, 80, true)]));
        lab
    }

    pub(crate) fn with_member(self) -> Self {
        self.settle(&nic(), &nic_body(&["vms"]));
        self
    }
}

pub(crate) fn network(kind: &str, name: &str) -> String {
    format!("{GROUP}/providers/Microsoft.Network/{kind}/{name}")
}

pub(crate) fn public_ip(name: &str) -> String {
    network("publicIPAddresses", name)
}

pub(crate) fn balancer() -> String {
    network("loadBalancers", "web")
}

pub(crate) fn nic() -> String {
    network("networkInterfaces", "vm1-nic")
}

pub(crate) fn part(array: &str, name: &str) -> Value {
    json!({"id": format!("{}/{array}/{name}", balancer())})
}

pub(crate) fn rule(name: &str, frontend_port: u16, backend_port: u16, floating: bool) -> Value {
    json!({"name": name, "properties": {
        "frontendIPConfiguration": part("frontendIPConfigurations", "green"),
        "backendAddressPool": part("backendAddressPools", "vms"),
        "probe": part("probes", "http"),
        "protocol": "Tcp", "frontendPort": frontend_port, "backendPort": backend_port,
        "enableFloatingIP": floating,
    }})
}

pub(crate) fn balancer_body(rules: &[Value]) -> Value {
    json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {
        "frontendIPConfigurations": [{"name": "green", "properties": {"publicIPAddress": {"id": public_ip("green")}}}],
        "backendAddressPools": [{"name": "vms"}],
        "probes": [{"name": "http", "properties": {"protocol": "Http", "port": 8080, "requestPath": "/healthz"}}],
        "loadBalancingRules": rules,
    }})
}

pub(crate) fn nic_body(pools: &[&str]) -> Value {
    let pools: Vec<Value> = pools
        .iter()
        .map(|pool| part("backendAddressPools", pool))
        .collect();
    json!({"location": "westeurope", "properties": {"ipConfigurations": [{"name": "ipconfig1", "properties": {
        "subnet": {"id": format!("{}/subnets/default", network("virtualNetworks", "vnet"))},
        "loadBalancerBackendAddressPools": pools,
    }}]}})
}

/// Every value of the key `name` anywhere in the document.
pub(crate) fn all(document: &Value, name: &str) -> Vec<String> {
    match document {
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match value {
                Value::String(text) if key == name => vec![text.clone()],
                other => all(other, name),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| all(item, name)).collect(),
        _ => Vec::new(),
    }
}
