//! Network interfaces: only pool membership is modelled, everything else travels back unchanged.

use super::read_only::{for_each_part, strip_part, strip_properties, strip_resource};
use super::{Body, has_failed};
use indexmap::IndexMap;
use plimsoll_core::model::{ArmId, IpConfiguration, NetworkInterface};
use serde_json::{Value, json};

const POOLS: &str = "loadBalancerBackendAddressPools";

pub fn decode_network_interface(id: &ArmId, document: &Body) -> NetworkInterface {
    let mut rest = document.clone();
    let virtual_machine = rest
        .get("properties")
        .and_then(|p| p.get("virtualMachine")?.get("id")?.as_str())
        .map(ArmId::new);
    strip_resource(&mut rest);
    strip_properties(
        &mut rest,
        &[
            "virtualMachine",
            "privateEndpoint",
            "tapConfigurations",
            "macAddress",
            "primary",
            "vnetEncryptionSupported",
            "hostedWorkloads",
            "dscpConfiguration",
        ],
    );
    if let Some(dns) = rest
        .get_mut("properties")
        .and_then(|p| p.get_mut("dnsSettings"))
        .and_then(Value::as_object_mut)
    {
        for name in [
            "appliedDnsServers",
            "internalFqdn",
            "internalDomainNameSuffix",
        ] {
            dns.shift_remove(name);
        }
    }
    let mut ip_configurations = IndexMap::new();
    for_each_part(&mut rest, "ipConfigurations", |part| {
        strip_part(part);
        strip_properties(part, &["privateLinkConnectionProperties"]);
        if let Some(name) = part.get("name").and_then(Value::as_str).map(str::to_owned) {
            let configuration = decode_configuration(part);
            ip_configurations.insert(name, configuration);
        }
    });
    NetworkInterface {
        id: id.clone(),
        ip_configurations,
        virtual_machine,
        failed: has_failed(document),
        rest,
    }
}

fn decode_configuration(part: &mut Body) -> IpConfiguration {
    let properties = part.get_mut("properties").and_then(Value::as_object_mut);
    let Some(properties) = properties else {
        return IpConfiguration {
            private_address: None,
            primary: false,
            backend_pools: Vec::new(),
        };
    };
    let pools: Option<Vec<ArmId>> =
        properties
            .get(POOLS)
            .and_then(Value::as_array)
            .and_then(|list| {
                list.iter()
                    .map(|pool| pool.get("id")?.as_str().map(ArmId::new))
                    .collect()
            });
    if pools.is_some() {
        properties.shift_remove(POOLS);
    }
    IpConfiguration {
        private_address: properties
            .get("privateIPAddress")
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok()),
        primary: properties.get("primary") == Some(&Value::Bool(true)),
        backend_pools: pools.unwrap_or_default(),
    }
}

/// The body of a PUT: the document as it was read, with the pools as they are here.
pub fn encode_network_interface(nic: &NetworkInterface) -> Body {
    let mut body = nic.rest.clone();
    for_each_part(&mut body, "ipConfigurations", |part| {
        let configuration = part
            .get("name")
            .and_then(Value::as_str)
            .and_then(|name| nic.ip_configurations.get(name));
        let (Some(configuration), Some(properties)) = (
            configuration,
            part.entry("properties")
                .or_insert_with(|| json!({}))
                .as_object_mut(),
        ) else {
            return;
        };
        // Always an array where it was read: leaving a pool must not depend on what a missing key means to Azure.
        properties.entry(POOLS).or_insert_with(|| {
            configuration
                .backend_pools
                .iter()
                .map(|pool| json!({ "id": pool.as_str() }))
                .collect()
        });
    });
    body
}
