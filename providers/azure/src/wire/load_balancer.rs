//! Load balancers.

use super::attributes::{self, insert, remove};
use super::read_only::{
    back_references, for_each_part, strip_part, strip_properties, strip_resource,
};
use super::{Body, has_failed};
use indexmap::IndexMap;
use plimsoll_core::model::schema::LOAD_BALANCER;
use plimsoll_core::model::{ArmId, Item, ItemKind, LoadBalancer};
use serde_json::{Value, json};
use std::net::IpAddr;

pub fn decode_load_balancer(id: &ArmId, document: &Body) -> LoadBalancer {
    let mut rest = document.clone();
    strip_resource(&mut rest);
    let mut lb = LoadBalancer::new(id.clone());
    lb.attributes = attributes::take(&mut rest, LOAD_BALANCER);
    for kind in ItemKind::ALL {
        if let Some(parts) = take_parts(&mut rest, kind) {
            let items = parts
                .into_iter()
                .map(|(name, part)| (name.clone(), decode_item(&mut lb, kind, name, part)))
                .collect();
            lb.items.insert(kind, items);
        }
    }
    for_each_part(&mut rest, "inboundNatPools", strip_part);
    strip_properties(&mut rest, &[]);
    lb.rest = rest;
    lb.failed = has_failed(document);
    lb
}

/// The array of this kind as named objects. `None`, and nothing is taken, when it is anything else: then it goes back
/// as it came.
fn take_parts(rest: &mut Body, kind: ItemKind) -> Option<IndexMap<String, Body>> {
    let array = rest.get("properties")?.get(kind.arm())?.as_array()?;
    let mut parts = IndexMap::new();
    for part in array {
        let part = part.as_object()?;
        let name = part.get("name")?.as_str()?;
        if parts.keys().any(|n: &String| n.eq_ignore_ascii_case(name)) {
            return None;
        }
        parts.insert(name.to_owned(), part.clone());
    }
    remove(rest, &["properties", kind.arm()]);
    Some(parts)
}

fn decode_item(lb: &mut LoadBalancer, kind: ItemKind, name: String, mut part: Body) -> Item {
    part.shift_remove("name");
    strip_part(&mut part);
    match kind {
        ItemKind::BackendPool => decode_pool(lb, &name, &mut part),
        ItemKind::Rule => one_way_to_name_pools(&mut part),
        ItemKind::InboundNatRule => {
            let target = remove(&mut part, &["properties", "backendIPConfiguration"]);
            let id = target.as_ref().and_then(|t| t.get("id")?.as_str());
            if let Some(id) = id {
                lb.nat_targets.insert(name.clone(), ArmId::new(id));
            }
        }
        ItemKind::Frontend | ItemKind::Probe | ItemKind::OutboundRule => {}
    }
    strip_properties(&mut part, back_references(kind));
    let mut item = Item::new(name);
    item.attributes = attributes::take(&mut part, kind.attributes());
    item.rest = part;
    match kind {
        ItemKind::Frontend => {
            // On a public frontend the version means nothing: the public IP address has it, and Azure drops this one
            // (recorded: IPv6 was sent, nothing came back).
            if !item.attributes.contains_key("subnet") {
                item.attributes.remove("private_ip_address_version");
            }
            set_dynamic_address_aside(lb, &mut item);
        }
        // A rule for a range of ports shows port 0, which no rule for one VM can have.
        ItemKind::InboundNatRule if item.int("frontend_port") == Some(0) => {
            item.attributes.remove("frontend_port");
        }
        ItemKind::BackendPool
        | ItemKind::Probe
        | ItemKind::Rule
        | ItemKind::InboundNatRule
        | ItemKind::OutboundRule => {}
    }
    item
}

/// With a dynamic address, `privateIPAddress` is what Azure chose, not what someone asked for.
fn set_dynamic_address_aside(lb: &mut LoadBalancer, frontend: &mut Item) {
    let fixed = frontend
        .text("private_ip_allocation")
        .is_some_and(|method| method.eq_ignore_ascii_case("Static"));
    if fixed {
        return;
    }
    let address = frontend
        .attributes
        .remove("private_ip_address")
        .and_then(|a| a.as_text()?.parse::<IpAddr>().ok());
    if let Some(address) = address {
        lb.dynamic_addresses.insert(frontend.name.clone(), address);
    }
}

/// Members that are NICs are read from the back-references; members that are addresses are the pool's own content.
fn decode_pool(lb: &mut LoadBalancer, name: &str, pool: &mut Body) {
    let Some(properties) = pool.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    let members: Vec<ArmId> = properties
        .get("backendIPConfigurations")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|member| member.get("id")?.as_str().map(ArmId::new))
        .collect();
    if !members.is_empty() {
        lb.members.insert(name.to_owned(), members);
    }
    let network = properties.get("virtualNetwork").cloned();
    let by_address = network.is_some();
    if let Some(addresses) = properties
        .get_mut("loadBalancerBackendAddresses")
        .and_then(Value::as_array_mut)
    {
        addresses.retain(|address| by_address || !mirrors_a_nic(address));
        for address in addresses.iter_mut().filter_map(Value::as_object_mut) {
            strip_part(address);
            strip_properties(
                address,
                &[
                    "networkInterfaceIPConfiguration",
                    "inboundNatRulesPortMapping",
                ],
            );
        }
        for address in addresses.iter_mut() {
            said_once(address, network.as_ref());
        }
        if addresses.is_empty() {
            properties.shift_remove("loadBalancerBackendAddresses");
        }
    }
}

/// The pool's own network, which Azure repeats in each address.
fn said_once(address: &mut Value, network: Option<&Value>) {
    let id = |network: &Value| Some(ArmId::new(network.get("id")?.as_str()?));
    let Some(properties) = address.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    let own = properties.get("virtualNetwork").and_then(id);
    if own.is_some() && own == network.and_then(id) {
        properties.shift_remove("virtualNetwork");
    }
}

/// Azure lists the NICs of a NIC-based pool once more as addresses, and refuses a PUT that repeats them
/// (azure-rest-api-specs issue 10104). Such an entry names a NIC and no network of its own.
fn mirrors_a_nic(address: &Value) -> bool {
    let properties = &address["properties"];
    let has = |name: &str| properties.get(name).is_some_and(|v| !v.is_null());
    has("networkInterfaceIPConfiguration")
        && ![
            "virtualNetwork",
            "subnet",
            "loadBalancerFrontendIPConfiguration",
        ]
        .into_iter()
        .any(has)
}

/// Azure echoes one pool in both `backendAddressPool` and `backendAddressPools`, and older versions know the first
/// only. The list is what we keep and send: recorded clients send it alone, for one pool and for two, and Azure fills
/// in the other; two properties that could contradict each other are one too many.
fn one_way_to_name_pools(rule: &mut Body) {
    let Some(single) = remove(rule, &["properties", "backendAddressPool"]) else {
        return;
    };
    let listed = rule
        .get("properties")
        .and_then(|p| p.get("backendAddressPools"))
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty());
    if !listed && single.get("id").is_some() {
        insert(
            rule,
            &["properties", "backendAddressPools"],
            json!([single]),
        );
    }
}

/// The body of a PUT.
pub fn encode_load_balancer(lb: &LoadBalancer) -> Body {
    let mut body = lb.rest.clone();
    attributes::write(&mut body, LOAD_BALANCER, &lb.attributes);
    let empty = IndexMap::new();
    for kind in ItemKind::ALL {
        let unreadable = lb
            .rest
            .get("properties")
            .is_some_and(|p| p.get(kind.arm()).is_some());
        if unreadable || (kind == ItemKind::InboundNatRule && has_nat_pools(&lb.rest)) {
            continue;
        }
        // Always an array: what a missing key means to Azure was never seen, an empty one removes all.
        let items = lb.items.get(&kind).unwrap_or(&empty);
        let array: Value = items.values().map(|item| encode_item(kind, item)).collect();
        insert(&mut body, &["properties", kind.arm()], array);
    }
    body
}

/// With inbound NAT pools the rules are the pools' own; Azure refuses changed ones and says to leave the property out
/// (error AddingOrUpdatingNatRulesWhenNatPoolIsPresentOnLoadbalancerIsNotSupported).
fn has_nat_pools(rest: &Body) -> bool {
    rest.get("properties")
        .and_then(|p| p.get("inboundNatPools"))
        .and_then(Value::as_array)
        .is_some_and(|pools| !pools.is_empty())
}

fn encode_item(kind: ItemKind, item: &Item) -> Value {
    let mut part = Body::new();
    part.insert("name".to_owned(), json!(item.name));
    part.extend(item.rest.clone());
    attributes::write(&mut part, kind.attributes(), &item.attributes);
    Value::Object(part)
}
