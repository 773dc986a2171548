//! What a PUT of a body may carry, and what of it is missing in another.

use crate::body::{Json, Kind};
use crate::read_only::ReadOnly;
use serde_json::{Value, json};

/// What may be written, by the API descriptions and by what is known beyond them.
pub(crate) fn writable(kind: Kind, body: &Json) -> Value {
    let mut value = Value::Object(body.clone());
    if kind == Kind::RunCommandOutput {
        return value;
    }
    ReadOnly::known().strip(kind, &mut value);
    // The resource itself is named by the address of the PUT, its parts by their names.
    remove(&mut value, &["id", "name", "type"]);
    let original = body.get("properties").cloned().unwrap_or_default();
    let has_properties = value.get("properties").is_some_and(Value::is_object);
    if !has_properties {
        return value;
    }
    let properties = &mut value["properties"];
    match kind {
        Kind::PublicIp => {
            // Azure keeps the address of a resource whose PUT does not mention it.
            remove(properties, &["ipAddress"]);
            // What leaving it out means.
            let inherited = json!({ "protectionMode": "VirtualNetworkInherited" });
            if properties.get("ddosSettings") == Some(&inherited) {
                remove(properties, &["ddosSettings"]);
            }
        }
        Kind::NetworkInterface => {
            for part in each(properties, "ipConfigurations") {
                remove(part, &["id", "type"]);
                if let Some(properties) = part.get_mut("properties") {
                    each(properties, "loadBalancerBackendAddressPools")
                        .into_iter()
                        .for_each(only_id);
                }
            }
        }
        Kind::LoadBalancer => load_balancer(properties, &original),
        Kind::PublicIpPrefix | Kind::RunCommand | Kind::RunCommandOutput => {}
    }
    value
}

fn load_balancer(properties: &mut Value, original: &Value) {
    let has_pools = properties
        .get("inboundNatPools")
        .and_then(Value::as_array)
        .is_some_and(|pools| !pools.is_empty());
    if has_pools {
        remove(properties, &["inboundNatRules"]);
    }
    for array in [
        "frontendIPConfigurations",
        "backendAddressPools",
        "loadBalancingRules",
        "probes",
        "inboundNatRules",
        "inboundNatPools",
        "outboundRules",
    ] {
        for (index, part) in each(properties, array).into_iter().enumerate() {
            remove(part, &["id"]);
            if let Some(properties) = part.get_mut("properties") {
                load_balancer_part(array, properties, &original[array][index]["properties"]);
            }
        }
    }
}

fn load_balancer_part(array: &str, properties: &mut Value, original: &Value) {
    for reference in [
        "frontendIPConfiguration",
        "backendAddressPool",
        "probe",
        "publicIPAddress",
        "publicIPPrefix",
        "subnet",
    ] {
        if let Some(reference) = properties.get_mut(reference) {
            only_id(reference);
        }
    }
    match array {
        "frontendIPConfigurations" => {
            if properties.get("privateIPAllocationMethod") != Some(&json!("Static")) {
                remove(properties, &["privateIPAddress"]);
            }
            // Azure itself drops it there.
            if properties.get("subnet").is_none() {
                remove(properties, &["privateIPAddressVersion"]);
            }
        }
        // A rule for a range of ports shows 0.
        "inboundNatRules" if properties.get("frontendPort") == Some(&json!(0)) => {
            remove(properties, &["frontendPort"]);
        }
        // Two names for one list.
        "loadBalancingRules" => {
            let single = properties.get("backendAddressPool").cloned();
            remove(properties, &["backendAddressPool"]);
            let listed = properties.get("backendAddressPools");
            if let (Some(single @ Value::Object(_)), None | Some(Value::Null)) = (single, listed) {
                properties["backendAddressPools"] = json!([single]);
            }
        }
        "backendAddressPools" => {
            let list = properties
                .get_mut("loadBalancerBackendAddresses")
                .and_then(Value::as_array_mut);
            let Some(list) = list else { return };
            for address in list.iter_mut() {
                remove(address, &["id", "type", "etag"]);
                if let Some(properties) = address.get_mut("properties") {
                    remove(properties, &["provisioningState"]);
                }
            }
            let mut index = 0;
            list.retain(|_| {
                let of = &original["loadBalancerBackendAddresses"][index]["properties"];
                index += 1;
                // NICs of a NIC-based pool once more; Azure refuses them.
                of.get("networkInterfaceIPConfiguration").is_none() || of.get("ipAddress").is_some()
            });
        }
        _ => {}
    }
}

fn each<'a>(properties: &'a mut Value, array: &str) -> Vec<&'a mut Value> {
    let array = properties.get_mut(array).and_then(Value::as_array_mut);
    array.into_iter().flatten().collect()
}

fn remove(value: &mut Value, names: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        for name in names {
            map.shift_remove(*name);
        }
    }
}

fn only_id(reference: &mut Value) {
    if let Some(map) = reference.as_object_mut() {
        map.retain(|name, _| name == "id");
    }
}

/// What `wanted` has and `found` has not, or has otherwise. Nothing, an empty list and an empty object are the same.
pub(crate) fn compare(path: &str, wanted: &Value, found: &Value, out: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), _) => {
            for (name, value) in wanted {
                compare(&format!("{path}.{name}"), value, &found[name], out);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(&format!("{path}[{index}]"), wanted, found, out);
            }
        }
        (Value::Array(wanted), Value::Null) if wanted.is_empty() => {}
        (Value::Null, _) => {}
        _ if wanted == found => {}
        _ => out.push(format!("{path}: {wanted} became {found}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_property_is_named() {
        let mut lost = Vec::new();
        let wanted = json!({ "a": [{ "b": 1 }], "none": [] });
        compare("", &wanted, &json!({ "a": [{}] }), &mut lost);
        assert_eq!(lost, [".a[0].b: 1 became null"]);
    }
}
