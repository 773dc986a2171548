//! Network interfaces: where pool membership lives (FACTS 4).

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::address;
use super::document::{
    Fill, fill, object, part, parts, property, property_flag, property_number, property_text,
    reference, references, text, top,
};
use super::load_balancer::is_public;
use super::load_balancer_check::rules_reaching;
use super::refusal::{Refusal, dangling};
use super::resource_id::{canonical, last_name, owner, same};
use super::shown::{descend, users_of_public_ip};
use super::world::World;

pub(super) const TYPE: &str = "Microsoft.Network/networkInterfaces";

const PROPERTIES: &[(&str, Fill)] = &[
    ("resourceGuid", Fill::ReadOnly),
    ("ipConfigurations", Fill::ReadOnly),
    ("dnsSettings", Fill::ReadOnly),
    ("macAddress", Fill::ReadOnly),
    // Whether the answer holds it when the request does not depends on the region (recordings:
    // eastus2 yes, westus no).
    ("enableAcceleratedNetworking", Fill::Given),
    ("vnetEncryptionSupported", Fill::False),
    ("enableIPForwarding", Fill::False),
    ("networkSecurityGroup", Fill::Reference),
    ("primary", Fill::ReadOnly),
    ("virtualMachine", Fill::ReadOnly),
    ("hostedWorkloads", Fill::EmptyList),
    ("tapConfigurations", Fill::EmptyList),
    ("nicType", Fill::Text("Standard")),
    ("allowPort25Out", Fill::ReadOnly),
];
const CONFIGURATION: &[(&str, Fill)] = &[
    ("privateIPAddress", Fill::Given),
    ("privateIPAllocationMethod", Fill::Text("Dynamic")),
    ("publicIPAddress", Fill::Reference),
    ("subnet", Fill::Reference),
    ("primary", Fill::Given),
    ("privateIPAddressVersion", Fill::Text("IPv4")),
    ("loadBalancerBackendAddressPools", Fill::References),
    ("loadBalancerInboundNatRules", Fill::References),
    ("applicationGatewayBackendAddressPools", Fill::References),
    ("applicationSecurityGroups", Fill::References),
    ("gatewayLoadBalancer", Fill::Reference),
];
/// Reference lists that are not shown when empty (recordings).
const HIDDEN_WHEN_EMPTY: [&str; 4] = [
    "loadBalancerBackendAddressPools",
    "loadBalancerInboundNatRules",
    "applicationGatewayBackendAddressPools",
    "applicationSecurityGroups",
];

/// Completes and checks the body of a PUT.
///
/// # Errors
/// ARM's refusal.
pub(super) fn prepare(
    world: &World,
    id: &str,
    body: &Value,
    previous: Option<&Value>,
    guid: &str,
) -> Result<(Value, bool), Refusal> {
    let given = object(body, "properties");
    let mut configurations: Vec<Value> = parts(body, "ipConfigurations")
        .iter()
        .map(|item| complete_configuration(id, item))
        .collect();
    if configurations.is_empty() {
        // Code and wording from memory of the service [INF].
        return Err(Refusal::bad(
            "NetworkInterfaceMustHaveAtLeastOneIpConfiguration",
            format!("Network Interface {id} must have at least one IpConfiguration."),
        ));
    }
    choose_primary(last_name(id), &mut configurations)?;
    // The primary one comes first (recordings).
    configurations.sort_by_key(|part| !property_flag(part, "primary"));
    let mut taken = BTreeSet::new();
    for configuration in &mut configurations {
        check_configuration(world, id, configuration, previous)?;
        place(world, configuration, previous, &mut taken)?;
    }
    check_membership(world, id, &configurations)?;
    let resource_guid = previous.map_or(guid, |previous| property_text(previous, "resourceGuid"));
    let mut properties = Map::new();
    for (name, value) in fill(given, PROPERTIES) {
        let is_first = name == "provisioningState";
        properties.insert(name, value);
        if is_first {
            properties.insert("resourceGuid".to_owned(), json!(resource_guid));
            properties.insert("ipConfigurations".to_owned(), json!(configurations));
            properties.insert(
                "dnsSettings".to_owned(),
                dns_settings(given.get("dnsSettings"), resource_guid),
            );
        }
    }
    properties.insert("allowPort25Out".to_owned(), json!(true));
    // Set by the virtual machine, whatever the request says.
    for name in ["macAddress", "primary", "virtualMachine"] {
        if let Some(value) = previous.and_then(|previous| property(previous, name)) {
            properties.insert(name.to_owned(), value.clone());
        }
    }
    let mut document = top(body, id, last_name(id), TYPE, properties);
    document["kind"] = json!("Regular");
    // `Updating` mainly when a virtual machine holds it (FACTS 4), or with an application gateway
    // (recordings).
    let gateway = |document: &Value| {
        let configurations = parts(document, "ipConfigurations").iter();
        let mut pools: Vec<String> = configurations
            .flat_map(|part| references(part, "applicationGatewayBackendAddressPools"))
            .map(canonical)
            .collect();
        pools.sort();
        pools
    };
    let regated = gateway(&document) != previous.map(gateway).unwrap_or_default();
    let takes_time = reference(&document, "virtualMachine").is_some() || regated;
    Ok((document, takes_time))
}

fn complete_configuration(id: &str, item: &Value) -> Value {
    let name = text(item, "name");
    let mut properties = fill(object(item, "properties"), CONFIGURATION);
    for list in HIDDEN_WHEN_EMPTY {
        if properties
            .get(list)
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
        {
            properties.shift_remove(list);
        }
    }
    part(
        item,
        &format!("{id}/ipConfigurations/{name}"),
        &format!("{TYPE}/ipConfigurations"),
        properties,
    )
}

/// A single configuration is primary by itself; among several, one must say so (errors.json).
fn choose_primary(name: &str, configurations: &mut [Value]) -> Result<(), Refusal> {
    let alone = configurations.len() == 1;
    if !alone
        && !configurations
            .iter()
            .any(|part| property_flag(part, "primary"))
    {
        return Err(Refusal::bad(
            "NetworkInterfaceMustHaveOneOneIPConfigAsPrimary",
            format!(
                "Network Interface {name} specifies multiple IPConfigurations but none of the IPConfigurations is \
                 specified as Primary."
            ),
        ));
    }
    for configuration in configurations {
        let primary = alone || property_flag(configuration, "primary");
        let mut properties = Map::new();
        for (name, value) in object(configuration, "properties") {
            if name == "privateIPAddressVersion" {
                properties.insert("primary".to_owned(), json!(primary));
            }
            if name != "primary" {
                properties.insert(name.clone(), value.clone());
            }
        }
        configuration["properties"] = Value::Object(properties);
    }
    Ok(())
}

fn check_configuration(
    world: &World,
    nic: &str,
    configuration: &Value,
    previous: Option<&Value>,
) -> Result<(), Refusal> {
    let id = text(configuration, "id");
    if text(configuration, "name").is_empty() {
        return Err(Refusal::unparsable(
            "MissingName",
            format!("An ipConfiguration of {nic} has no name."),
        ));
    }
    for (list, array) in [
        ("loadBalancerBackendAddressPools", "backendAddressPools"),
        ("loadBalancerInboundNatRules", "inboundNatRules"),
    ] {
        for target in references(configuration, list) {
            let held = owner(target)
                .and_then(|owner| world.document(&owner))
                .and_then(|document| {
                    descend(document, &[array.to_owned(), last_name(target).to_owned()])
                });
            // An interface loaded without its load balancer keeps the reference it came with.
            let kept = previous.is_some_and(|previous| {
                let membership = format!("{} {}", canonical(id), canonical(target));
                memberships(previous).contains(&membership)
            });
            if kept {
                continue;
            }
            if held.is_none_or(|held| !same(text(held, "id"), target)) {
                return Err(dangling(target, id));
            }
        }
    }
    let secondary = !property_flag(configuration, "primary");
    if secondary && !references(configuration, "applicationGatewayBackendAddressPools").is_empty() {
        return Err(Refusal::bad(
            "ApplicationGatewayLoadBalancingNotSupportedOnSecondaryIpConfigurations",
            format!(
                "Network Interface with Id: {nic} has a secondary IpConfigurations {} is using \
                 ApplicationGatewayAddressPools. ApplicationGateway loadbalancing is not supported for secondary \
                 IpConfigurations.",
                text(configuration, "name")
            ),
        ));
    }
    if let Some(public) = reference(configuration, "publicIPAddress") {
        if world.document(public).is_none() {
            return Err(dangling(public, id));
        }
        if let Some(other) = users_of_public_ip(world, public)
            .iter()
            .find(|user| !same(user, id))
        {
            return Err(Refusal::bad(
                "PublicIPAddressInUse",
                format!(
                    "Resource {id} is referencing public IP address {public} that is already allocated to resource \
                     {other}."
                ),
            ));
        }
    }
    if let Some(group) = reference(configuration, "networkSecurityGroup")
        .filter(|group| world.document(group).is_none())
    {
        return Err(dangling(group, id));
    }
    Ok(())
}

fn place(
    world: &World,
    configuration: &mut Value,
    previous: Option<&Value>,
    taken: &mut BTreeSet<IpAddr>,
) -> Result<(), Refusal> {
    let id = text(configuration, "id").to_owned();
    let Some(subnet) = reference(configuration, "subnet").map(str::to_owned) else {
        return Err(Refusal::unparsable(
            "MissingJsonReferenceId",
            format!("Value for reference id is missing. Path {id}.subnet."),
        ));
    };
    let old = previous.and_then(|previous| {
        let old = parts(previous, "ipConfigurations")
            .iter()
            .find(|old| same(text(old, "id"), &id))?;
        let here = reference(old, "subnet").is_some_and(|old| same(old, &subnet));
        here.then(|| property_text(old, "privateIPAddress").to_owned())
    });
    let address = address::place(world, &id, configuration, &subnet, old.as_deref(), taken)?;
    taken.insert(address);
    let mut properties = Map::new();
    for (name, value) in object(configuration, "properties") {
        if name == "privateIPAllocationMethod" {
            properties.insert("privateIPAddress".to_owned(), json!(address.to_string()));
        }
        if name != "privateIPAddress" {
            properties.insert(name.clone(), value.clone());
        }
    }
    configuration["properties"] = Value::Object(properties);
    Ok(())
}

/// The interface's side of the load balancers' rules (errors.json; FACTS 4, 5).
fn check_membership(world: &World, nic: &str, configurations: &[Value]) -> Result<(), Refusal> {
    let mut balancers: Vec<(String, bool)> = Vec::new();
    for configuration in configurations {
        let targets = references(configuration, "loadBalancerBackendAddressPools")
            .into_iter()
            .chain(references(configuration, "loadBalancerInboundNatRules"));
        for id in targets.filter_map(owner) {
            let Some(document) = world.document(&id) else {
                continue;
            };
            if !balancers.iter().any(|(known, _)| same(known, &id)) {
                balancers.push((text(document, "id").to_owned(), is_public(document)));
            }
        }
        rules_apart(world, configuration)?;
    }
    for kind in [true, false] {
        let of_kind: Vec<&str> = balancers
            .iter()
            .filter(|(_, public)| *public == kind)
            .map(|(id, _)| id.as_str())
            .collect();
        if of_kind.len() > 1 {
            return Err(Refusal::bad(
                "NetworkInterfaceUsesMultipleLoadBalancersOfSameType",
                format!(
                    "Network interface {nic} references more than one load balancer of the same type (internal or \
                     public): {}.",
                    of_kind.join(", ")
                ),
            ));
        }
    }
    Ok(())
}

/// No two rules without floating IP may reach one ip configuration on one port and protocol.
fn rules_apart(world: &World, configuration: &Value) -> Result<(), Refusal> {
    let member = text(configuration, "id");
    let pools = references(configuration, "loadBalancerBackendAddressPools");
    let mut reaching: Vec<&Value> = Vec::new();
    for pool in pools {
        for rule in rules_reaching(world, pool) {
            if !reaching
                .iter()
                .any(|known| same(text(known, "id"), text(rule, "id")))
            {
                reaching.push(rule);
            }
        }
    }
    for nat in references(configuration, "loadBalancerInboundNatRules") {
        let rule = owner(nat)
            .and_then(|owner| world.document(&owner))
            .and_then(|document| {
                descend(
                    document,
                    &["inboundNatRules".to_owned(), last_name(nat).to_owned()],
                )
            });
        reaching.extend(rule);
    }
    // The documented limit of rules of all kinds; Azure's own sentence says 299 (errors.json).
    if reaching.len() > 300 {
        return Err(Refusal::bad(
            "LoadBalancerRuleCountLimitReachedForNic",
            format!(
                "IpConfiguration {member} cannot have more than 299 NAT or load balancing rules combined."
            ),
        ));
    }
    let mut seen: Vec<(String, i64, &Value)> = Vec::new();
    for rule in reaching
        .into_iter()
        .filter(|rule| !property_flag(rule, "enableFloatingIP"))
    {
        let protocol = property_text(rule, "protocol");
        let port = property_number(rule, "backendPort").unwrap_or_default();
        let key = protocol.to_ascii_lowercase();
        let clash = seen
            .iter()
            .find(|(other, other_port, _)| *other == key && *other_port == port);
        if let Some((_, _, other)) = clash {
            return Err(Refusal::bad(
                "RulesUseSameBackendPortProtocolAndIPConfig",
                format!(
                    "Load balancer rules {} and {} with floating IP disabled use the same backend port {port} and \
                     protocol {protocol}, and must not be used with the same backend IP {member}.",
                    text(other, "id"),
                    text(rule, "id")
                ),
            ));
        }
        seen.push((key, port, rule));
    }
    Ok(())
}

fn dns_settings(given: Option<&Value>, guid: &str) -> Value {
    let mut settings = Map::new();
    let given = given.and_then(Value::as_object);
    let servers = given
        .and_then(|given| given.get("dnsServers"))
        .filter(|servers| servers.is_array());
    settings.insert(
        "dnsServers".to_owned(),
        servers.cloned().unwrap_or(json!([])),
    );
    settings.insert("appliedDnsServers".to_owned(), json!([]));
    for (name, value) in given.into_iter().flatten() {
        if !settings.contains_key(name) && !value.is_null() && name != "internalDomainNameSuffix" {
            settings.insert(name.clone(), value.clone());
        }
    }
    let label: String = guid
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(26)
        .collect();
    settings.insert(
        "internalDomainNameSuffix".to_owned(),
        json!(format!("{label}.internal.cloudapp.net")),
    );
    Value::Object(settings)
}

/// The load balancers that the interface's configurations belong to, by pool or NAT rule.
pub(super) fn balancers_of(document: &Value) -> BTreeSet<String> {
    let configurations = parts(document, "ipConfigurations").iter();
    configurations
        .flat_map(|part| {
            let mut all = references(part, "loadBalancerBackendAddressPools");
            all.extend(references(part, "loadBalancerInboundNatRules"));
            all
        })
        .filter_map(owner)
        .map(|id| canonical(&id))
        .collect()
}

/// Memberships as a sorted list: moves exactly when some load balancer's back-references move.
pub(super) fn memberships(document: &Value) -> Vec<String> {
    let mut all: Vec<String> = parts(document, "ipConfigurations")
        .iter()
        .flat_map(|part| {
            let mut targets = references(part, "loadBalancerBackendAddressPools");
            targets.extend(references(part, "loadBalancerInboundNatRules"));
            let id = canonical(text(part, "id"));
            targets
                .into_iter()
                .map(move |target| format!("{id} {}", canonical(target)))
                .collect::<Vec<_>>()
        })
        .collect();
    all.sort();
    all
}

/// Removes references to parts of load balancers that are gone.
pub(super) fn leave(document: &mut Value, gone: impl Fn(&str) -> bool) -> bool {
    let mut left = false;
    let configurations = document
        .pointer_mut("/properties/ipConfigurations")
        .and_then(Value::as_array_mut);
    for configuration in configurations.into_iter().flatten() {
        for list in [
            "loadBalancerBackendAddressPools",
            "loadBalancerInboundNatRules",
        ] {
            let Some(properties) = configuration
                .get_mut("properties")
                .and_then(Value::as_object_mut)
            else {
                continue;
            };
            let Some(items) = properties.get_mut(list).and_then(Value::as_array_mut) else {
                continue;
            };
            let before = items.len();
            items.retain(|item| {
                item.get("id")
                    .and_then(Value::as_str)
                    .is_none_or(|id| !gone(id))
            });
            left |= items.len() != before;
            if items.is_empty() {
                properties.shift_remove(list);
            }
        }
    }
    left
}
