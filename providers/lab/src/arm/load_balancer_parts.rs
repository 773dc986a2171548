//! A load balancer's sub-resources as the service completes them: defaults, ids, back-references.

use serde_json::{Map, Value, json};

use super::document::{Fill, fill, object, part, parts, property, reference, text, to_references};
use super::load_balancer::{TYPE, targets};
use super::resource_id::canonical;

// Defaults and order of members: FACTS 2, and the key order of the recordings.
const FRONTEND: &[(&str, Fill)] = &[
    ("privateIPAddress", Fill::Given),
    ("privateIPAllocationMethod", Fill::Text("Dynamic")),
    ("publicIPAddress", Fill::Reference),
    ("publicIPPrefix", Fill::Reference),
    ("subnet", Fill::Reference),
    ("loadBalancingRules", Fill::ReadOnly),
    ("inboundNatRules", Fill::ReadOnly),
    ("outboundRules", Fill::ReadOnly),
    ("inboundNatPools", Fill::ReadOnly),
    ("gatewayLoadBalancer", Fill::Reference),
    ("privateIPAddressVersion", Fill::Given),
];

const POOL: &[(&str, Fill)] = &[
    ("drainPeriodInSeconds", Fill::Given),
    ("loadBalancerBackendAddresses", Fill::ReadOnly),
    ("outboundRule", Fill::ReadOnly),
    ("outboundRules", Fill::ReadOnly),
    ("backendIPConfigurations", Fill::ReadOnly),
    ("loadBalancingRules", Fill::ReadOnly),
    ("inboundNatRules", Fill::ReadOnly),
    ("virtualNetwork", Fill::Reference),
    ("tunnelInterfaces", Fill::Given),
];

const ADDRESS: &[(&str, Fill)] = &[
    ("adminState", Fill::Given),
    ("ipAddress", Fill::Given),
    ("virtualNetwork", Fill::Reference),
    ("subnet", Fill::Reference),
    ("loadBalancerFrontendIPConfiguration", Fill::Reference),
    ("networkInterfaceIPConfiguration", Fill::ReadOnly),
    ("inboundNatRulesPortMapping", Fill::ReadOnly),
];

const RULE: &[(&str, Fill)] = &[
    ("frontendIPConfiguration", Fill::Reference),
    ("frontendPort", Fill::Given),
    ("backendPort", Fill::Given),
    ("enableFloatingIP", Fill::False),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("protocol", Fill::Given),
    // Two members that the swagger does not know and every answer holds (FACTS 2).
    ("enableDestinationServiceEndpoint", Fill::False),
    ("enableTcpReset", Fill::False),
    ("allowBackendPortConflict", Fill::False),
    ("loadDistribution", Fill::Text("Default")),
    ("disableOutboundSnat", Fill::Given),
    ("backendAddressPool", Fill::Reference),
    ("backendAddressPools", Fill::References),
    ("probe", Fill::Reference),
];

const PROBE: &[(&str, Fill)] = &[
    ("protocol", Fill::Given),
    ("port", Fill::Given),
    ("requestPath", Fill::Given),
    ("intervalInSeconds", Fill::Number(15)),
    ("numberOfProbes", Fill::Number(2)),
    ("probeThreshold", Fill::Number(1)),
    // Shown as given: no recording has it.
    ("noHealthyBackendsBehavior", Fill::Given),
    ("loadBalancingRules", Fill::ReadOnly),
];

const NAT_RULE: &[(&str, Fill)] = &[
    ("frontendIPConfiguration", Fill::Reference),
    // A rule over a port range shows frontendPort 0 (FACTS 2).
    ("frontendPort", Fill::Number(0)),
    ("backendPort", Fill::Given),
    ("enableFloatingIP", Fill::False),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("protocol", Fill::Given),
    ("enableDestinationServiceEndpoint", Fill::False),
    ("enableTcpReset", Fill::False),
    ("allowBackendPortConflict", Fill::False),
    ("backendIPConfiguration", Fill::ReadOnly),
    ("backendAddressPool", Fill::Reference),
    ("frontendPortRangeStart", Fill::Given),
    ("frontendPortRangeEnd", Fill::Given),
];

const NAT_POOL: &[(&str, Fill)] = &[
    ("frontendPortRangeStart", Fill::Given),
    ("frontendPortRangeEnd", Fill::Given),
    ("backendPort", Fill::Given),
    ("protocol", Fill::Given),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("enableFloatingIP", Fill::False),
    ("enableDestinationServiceEndpoint", Fill::False),
    ("enableTcpReset", Fill::False),
    ("allowBackendPortConflict", Fill::False),
    ("frontendIPConfiguration", Fill::Reference),
];

const OUTBOUND: &[(&str, Fill)] = &[
    ("allocatedOutboundPorts", Fill::Number(1024)),
    ("protocol", Fill::Given),
    ("enableTcpReset", Fill::False),
    ("idleTimeoutInMinutes", Fill::Number(4)),
    ("allocationPolicy", Fill::Given),
    ("backendAddressPool", Fill::Reference),
    ("frontendIPConfigurations", Fill::References),
];

pub(super) fn complete_part(
    id: &str,
    array: &str,
    item: &Value,
    previous: Option<&Value>,
    basic: bool,
) -> Value {
    let name = text(item, "name");
    let part_id = format!("{id}/{array}/{name}");
    let given = object(item, "properties");
    let table = match array {
        "frontendIPConfigurations" => FRONTEND,
        "backendAddressPools" => POOL,
        "loadBalancingRules" => RULE,
        "probes" => PROBE,
        "inboundNatRules" => NAT_RULE,
        "outboundRules" => OUTBOUND,
        _ => NAT_POOL,
    };
    let mut properties = fill(given, table);
    match array {
        "frontendIPConfigurations" => {
            // On public frontends only some versions show it: see `api_version::cut`. One that was
            // loaded so stays so.
            let public =
                |properties: &Map<String, Value>| properties.contains_key("publicIPAddress");
            let before = previous.and_then(|previous| part_named(previous, array, name));
            let before = before.map(|before| object(before, "properties"));
            let shown = before.filter(|before| public(before));
            let shown = shown.and_then(|before| before.get("privateIPAddressVersion"));
            if !public(&properties) {
                properties
                    .entry("privateIPAddressVersion")
                    .or_insert(json!("IPv4"));
            } else if let Some(shown) = shown {
                properties.insert("privateIPAddressVersion".to_owned(), shown.clone());
            } else {
                properties.shift_remove("privateIPAddressVersion");
            }
            // What is not in a subnet has no private address, whatever the request says.
            if !properties.contains_key("subnet") {
                properties.shift_remove("privateIPAddress");
            }
        }
        "backendAddressPools" => {
            let before = previous.and_then(|previous| part_named(previous, array, name));
            let mut addresses = list_of_addresses(&part_id, given, basic);
            // Entries that stand for members are the service's, and keep their names.
            let members = before.map_or(&[] as &[Value], |before| {
                parts(before, "loadBalancerBackendAddresses")
            });
            let members = members
                .iter()
                .filter(|entry| reference(entry, "networkInterfaceIPConfiguration").is_some());
            for member in members {
                addresses.get_or_insert_default().push(member.clone());
            }
            let tunnels = properties
                .get_mut("tunnelInterfaces")
                .and_then(Value::as_array_mut);
            for tunnel in tunnels
                .into_iter()
                .flatten()
                .filter_map(Value::as_object_mut)
            {
                // Shown as 0 when not given (recordings).
                tunnel.entry("port").or_insert(json!(0));
            }
            if let Some(addresses) = addresses {
                properties.insert(
                    "loadBalancerBackendAddresses".to_owned(),
                    Value::Array(addresses),
                );
            }
            // Members that are no network interfaces of this world (scale sets) stay as loaded.
            if let Some(kept) =
                before.and_then(|before| property(before, "backendIPConfigurations"))
            {
                properties.insert("backendIPConfigurations".to_owned(), kept.clone());
            }
        }
        "loadBalancingRules" => {
            echo_pools(&mut properties);
            // Standard shows it always, Basic never unless set (recordings).
            if !basic {
                properties
                    .entry("disableOutboundSnat")
                    .or_insert(json!(false));
            }
        }
        "inboundNatRules" => {
            let before = previous.and_then(|previous| part_named(previous, array, name));
            if let Some(kept) = before.and_then(|before| property(before, "backendIPConfiguration"))
            {
                properties.insert("backendIPConfiguration".to_owned(), kept.clone());
            }
        }
        _ => {}
    }
    part(item, &part_id, &format!("{TYPE}/{array}"), properties)
}

/// Newer api-versions echo the pool of a rule both in the singular and in the plural (FACTS 2);
/// with two pools (Gateway) only in the plural (recordings).
fn echo_pools(properties: &mut Map<String, Value>) {
    let mut pools: Vec<Value> = properties
        .get("backendAddressPools")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if pools.is_empty() {
        pools.extend(properties.get("backendAddressPool").cloned());
    }
    properties.shift_remove("backendAddressPool");
    properties.shift_remove("backendAddressPools");
    if let [only] = pools.as_slice() {
        properties.insert("backendAddressPool".to_owned(), only.clone());
    }
    if !pools.is_empty() {
        properties.insert("backendAddressPools".to_owned(), Value::Array(pools));
    }
    if let Some(probe) = properties.shift_remove("probe") {
        properties.insert("probe".to_owned(), probe);
    }
}

fn list_of_addresses(pool_id: &str, given: &Map<String, Value>, basic: bool) -> Option<Vec<Value>> {
    let addresses = match given.get("loadBalancerBackendAddresses") {
        Some(Value::Array(addresses)) => addresses.as_slice(),
        _ if basic => return None,
        _ => &[],
    };
    let array = "loadBalancerBackendAddresses";
    let complete = |address: &Value| {
        let properties = fill(object(address, "properties"), ADDRESS);
        let id = format!("{pool_id}/{array}/{}", text(address, "name"));
        part(
            address,
            &id,
            &format!("{TYPE}/backendAddressPools/{array}"),
            properties,
        )
    };
    let own = |address: &&Value| reference(address, "networkInterfaceIPConfiguration").is_none();
    Some(addresses.iter().filter(own).map(complete).collect())
}

/// The part of that name in one of the document's arrays.
pub(super) fn part_named<'a>(document: &'a Value, array: &str, name: &str) -> Option<&'a Value> {
    parts(document, array)
        .iter()
        .find(|part| text(part, "name").eq_ignore_ascii_case(name))
}

/// Fills in the back-reference arrays of frontends, pools and probes.
pub(super) fn refer_back(properties: &mut Map<String, Value>) {
    // By canonical target: which rules refer to it, array by array (1,500 rules stay cheap).
    let mut referrers: std::collections::HashMap<String, Vec<(&str, String)>> =
        std::collections::HashMap::new();
    for array in [
        "loadBalancingRules",
        "inboundNatRules",
        "outboundRules",
        "inboundNatPools",
    ] {
        for item in properties
            .get(array)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            for target in targets(item) {
                referrers
                    .entry(canonical(&target))
                    .or_default()
                    .push((array, text(item, "id").to_owned()));
            }
        }
    }
    for array in ["frontendIPConfigurations", "backendAddressPools", "probes"] {
        for item in properties
            .get_mut(array)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let Some(found) = referrers.get(&canonical(text(item, "id"))) else {
                continue;
            };
            for array in [
                "loadBalancingRules",
                "inboundNatRules",
                "outboundRules",
                "inboundNatPools",
            ] {
                let ids: Vec<&str> = found
                    .iter()
                    .filter(|(from, _)| *from == array)
                    .map(|(_, id)| id.as_str())
                    .collect();
                if !ids.is_empty() {
                    item["properties"][array] = to_references(ids);
                }
            }
        }
    }
}
