//! Existing infrastructure: what the lab makes up, and what is loaded from ARM documents.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::document::{parts, property, property_text, reference, references, text};
use super::kind::Kind;
use super::resource_id::{ResourcePath, canonical, last_name, resource_group_id};
use super::virtual_network::ensure_subnet;
use super::world::{Provisioning, World};
use super::{
    load_balancer, network_interface, public_ip, public_ip_prefix, resource_group, scale_set,
    virtual_machine,
};

/// The virtual network and subnet in which made-up interfaces live.
const LAB_NETWORK: &str = "lab";

/// The interface and its ip configuration exist and have this address.
///
/// # Errors
/// A sentence, when the id is none of a network interface, or the address is taken.
pub(super) fn ensure_network_interface(
    world: &mut World,
    id: &str,
    ip_configuration: &str,
    address: IpAddr,
    location: &str,
) -> Result<(), String> {
    if scale_set::is_interface(id) {
        // They come with their instance, with addresses of their own.
        return match world.document(id) {
            Some(_) => Ok(()),
            None => Err(format!(
                "`{id}` does not exist: PUT its instance, with this interface in its networkProfileConfiguration"
            )),
        };
    }
    let path = ResourcePath::parse(id)
        .filter(|path| path.is_type(network_interface::TYPE) && path.names_resource());
    let Some((path, group)) = path.and_then(|path| Some((path.clone(), path.resource_group?)))
    else {
        return Err(format!("`{id}` is not the id of a network interface"));
    };
    resource_group::ensure(world, &path.subscription, &group, location);
    let previous = world.document(id).cloned();
    let known = previous.as_ref().and_then(|document| {
        parts(document, "ipConfigurations")
            .iter()
            .find(|part| text(part, "name").eq_ignore_ascii_case(ip_configuration))
    });
    let subnet = match known.and_then(|known| reference(known, "subnet")) {
        Some(subnet) if fits(world, subnet, address) => subnet.to_owned(),
        _ => {
            let network = format!(
                "{}/providers/Microsoft.Network/virtualNetworks/{LAB_NETWORK}",
                resource_group_id(&path.subscription, &group)
            );
            subnet_for(world, &network, address, location)
        }
    };
    let version = if address.is_ipv6() { "IPv6" } else { "IPv4" };
    let mut body = previous
        .clone()
        .unwrap_or_else(|| json!({"location": location, "properties": {}}));
    let mut configurations = parts(&body, "ipConfigurations").to_vec();
    if !configurations
        .iter()
        .any(|part| text(part, "name").eq_ignore_ascii_case(ip_configuration))
    {
        let primary = configurations.is_empty();
        configurations.push(json!({"name": ip_configuration, "properties": {"primary": primary}}));
    }
    for configuration in &mut configurations {
        if text(configuration, "name").eq_ignore_ascii_case(ip_configuration) {
            let properties = &mut configuration["properties"];
            properties["privateIPAddress"] = json!(address.to_string());
            properties["privateIPAllocationMethod"] = json!("Static");
            properties["privateIPAddressVersion"] = json!(version);
            properties["subnet"] = json!({"id": subnet});
        }
    }
    body["properties"]["ipConfigurations"] = Value::Array(configurations);
    put(world, Kind::NetworkInterface, id, &body, previous.as_ref())
}

/// The prefix exists.
///
/// # Errors
/// A sentence, when the id is none of a prefix.
pub(super) fn ensure_public_ip_prefix(
    world: &mut World,
    id: &str,
    location: &str,
) -> Result<(), String> {
    if world.document(id).is_some() {
        return Ok(());
    }
    let path = ResourcePath::parse(id)
        .filter(|path| path.is_type(public_ip_prefix::TYPE) && path.names_resource());
    let Some((path, group)) = path.and_then(|path| Some((path.clone(), path.resource_group?)))
    else {
        return Err(format!("`{id}` is not the id of a public IP prefix"));
    };
    resource_group::ensure(world, &path.subscription, &group, location);
    let body = json!({"location": location, "sku": {"name": "Standard"}, "properties": {"prefixLength": 28}});
    put(world, Kind::PublicIpPrefix, id, &body, None)?;
    public_ip_prefix::allocate(world, id);
    Ok(())
}

fn is_type(id: &str, resource_type: &str) -> bool {
    ResourcePath::parse(id).is_some_and(|path| path.is_type(resource_type))
}

/// Completes and stores a document as finished; nothing happens when it is stored already.
fn put(
    world: &mut World,
    kind: Kind,
    id: &str,
    body: &Value,
    previous: Option<&Value>,
) -> Result<(), String> {
    let guid = world.guid();
    let (document, _) = super::write::prepare(world, kind, id, body, previous, &guid)
        .map_err(|refusal| refusal.message)?;
    if previous != Some(&document) {
        world.put(id, document);
    }
    Ok(())
}

fn fits(world: &World, subnet: &str, address: IpAddr) -> bool {
    let subnet = super::address::subnet(world, subnet);
    subnet.is_some_and(|subnet| {
        super::address::prefixes(subnet)
            .iter()
            .any(|prefix| prefix.contains(&address))
    })
}

/// A subnet of the network that holds the address: an existing one, or one made up for it.
fn subnet_for(world: &mut World, network: &str, address: IpAddr, location: &str) -> String {
    let existing = world
        .document(network)
        .into_iter()
        .flat_map(|document| parts(document, "subnets"));
    let existing = existing
        .map(|subnet| text(subnet, "id").to_owned())
        .find(|subnet| fits(world, subnet, address));
    if let Some(existing) = existing {
        return existing;
    }
    let prefix = around(address);
    let taken = world
        .document(network)
        .map_or(0, |document| parts(document, "subnets").len());
    let name = if taken == 0 {
        LAB_NETWORK.to_owned()
    } else {
        format!("{LAB_NETWORK}{}", taken + 1)
    };
    let subnet = format!("{network}/subnets/{name}");
    ensure_subnet(world, &subnet, location, &prefix);
    open_subnet(world, network, &subnet, location);
    subnet
}

/// A group of the lab's own that allows everything: without any, Azure lets nothing in from the Internet
/// (learn.microsoft.com/azure/load-balancer/load-balancer-overview, "Secure by default").
fn open_subnet(world: &mut World, network: &str, subnet: &str, location: &str) {
    let Some((scope, _)) = network.split_once("/virtualNetworks/") else {
        return;
    };
    let group = format!("{scope}/networkSecurityGroups/{LAB_NETWORK}");
    if world.document(&group).is_none() {
        let rule = json!({"name": "AllowEverything", "properties": {
            "protocol": "*", "access": "Allow", "priority": 100, "direction": "Inbound",
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": "*"
        }});
        let body = json!({"location": location, "properties": {"securityRules": [rule]}});
        let stored = put(world, Kind::NetworkSecurityGroup, &group, &body, None);
        debug_assert_eq!(stored, Ok(()), "the lab's own group is well formed");
    }
    let Some(mut body) = world.document(network).cloned() else {
        return;
    };
    let previous = body.clone();
    let subnets = body
        .pointer_mut("/properties/subnets")
        .and_then(Value::as_array_mut);
    for known in subnets.into_iter().flatten() {
        if text(known, "id").eq_ignore_ascii_case(subnet) {
            known["properties"]["networkSecurityGroup"] = json!({"id": group});
        }
    }
    let stored = put(world, Kind::VirtualNetwork, network, &body, Some(&previous));
    debug_assert_eq!(stored, Ok(()), "a subnet takes a group that exists");
}

/// The /24 or /64 around an address.
fn around(address: IpAddr) -> String {
    let length = if address.is_ipv6() { 64 } else { 24 };
    IpNet::new(address, length).map_or_else(|_| address.to_string(), |net| net.trunc().to_string())
}

/// The virtual machine exists and holds the interfaces.
///
/// # Errors
/// A sentence, when the id is none of a virtual machine.
pub(super) fn ensure_virtual_machine(
    world: &mut World,
    id: &str,
    os: &str,
    interfaces: &[String],
    location: &str,
) -> Result<(), String> {
    if world.document(id).is_some() && is_type(id, scale_set::INSTANCE) {
        return Ok(());
    }
    let path = ResourcePath::parse(id)
        .filter(|path| path.is_type(virtual_machine::TYPE) && path.names_resource());
    let Some((path, group)) = path.and_then(|path| Some((path.clone(), path.resource_group?)))
    else {
        return Err(format!("`{id}` is not the id of a virtual machine"));
    };
    resource_group::ensure(world, &path.subscription, &group, location);
    let previous = world.document(id).cloned();
    let body = virtual_machine::describe(path.name(), os, interfaces, location);
    put(world, Kind::VirtualMachine, id, &body, previous.as_ref())?;
    if let Some(document) = world.document(id).cloned() {
        virtual_machine::hold_interfaces(world, &document);
    }
    Ok(())
}

/// Puts ARM documents, as GET prints them, into the world; what they refer to is made up where it
/// is missing. Every property is kept.
///
/// # Errors
/// A sentence, when something is not an ARM document. Documents before it are in the world then.
pub(super) fn load(world: &mut World, given: &Value) -> Result<Vec<String>, String> {
    let documents = match given {
        Value::Array(documents) => documents.as_slice(),
        Value::Object(members) => match members.get("value") {
            Some(Value::Array(documents)) if !members.contains_key("id") => documents.as_slice(),
            _ => std::slice::from_ref(given),
        },
        _ => {
            return Err(
                "an ARM document is a JSON object, a list of them, or {\"value\": [...]}"
                    .to_owned(),
            );
        }
    };
    documents
        .iter()
        .map(|document| load_one(world, document))
        .collect()
}

fn load_one(world: &mut World, given: &Value) -> Result<String, String> {
    let id = text(given, "id").to_owned();
    if id.is_empty() {
        return Err("an ARM document without `id`: pass what GET prints".to_owned());
    }
    if given
        .get("properties")
        .is_some_and(|properties| !properties.is_object())
    {
        return Err(format!("`properties` of {id} is not an object"));
    }
    let words: Vec<&str> = id.trim_matches('/').split('/').collect();
    if let ["subscriptions", subscription, groups, name] = words.as_slice()
        && groups.eq_ignore_ascii_case("resourceGroups")
    {
        let document = resource_group::complete(subscription, name, given);
        world.put(&id, document);
        return Ok(id);
    }
    // An instance of a scale set stands on its own, too: nothing else makes it.
    let whole = |path: &ResourcePath| {
        path.segments.len() == 2 || (path.is_type(scale_set::INSTANCE) && path.names_resource())
    };
    let path = ResourcePath::parse(&id).filter(whole);
    let Some((path, group)) = path.and_then(|path| Some((path.clone(), path.resource_group?)))
    else {
        return Err(format!(
            "`{id}` is not the id of a top-level resource in a resource group"
        ));
    };
    let mut document = given.clone();
    document["type"] = json!(Kind::of(&path).map_or_else(
        || path.resource_type(),
        |kind| kind.resource_type().to_owned()
    ));
    document["name"] = json!(path.name());
    if document.get("properties").is_none() {
        document["properties"] = json!({});
    }
    let location = match text(given, "location") {
        "" => "westeurope".to_owned(),
        location => super::document::plain_location(location),
    };
    document["location"] = json!(location);
    resource_group::ensure(world, &path.subscription, &group, &location);
    make_up_neighbours(world, &document, &location)?;
    let members = take_members(&mut document);
    if Kind::of(&path) == Some(Kind::LoadBalancer) {
        // Azure's GET shows every default and every back-reference of the api-version that asks, whoever wrote the
        // document and when: without this the first PUT of anybody would seem to add them.
        let guid = uuid::Uuid::new_v4().to_string();
        document = load_balancer::complete(&id, &document, Some(&document), &guid);
    }
    let etag = text(given, "etag").to_owned();
    world.put(&id, document);
    if let Some(resource) = world.resources.get_mut(&canonical(&id)) {
        if !etag.is_empty() {
            resource.etag = etag;
        }
        let failed = property_text(&resource.document, "provisioningState") == "Failed";
        resource.state = if failed {
            Provisioning::Failed
        } else {
            Provisioning::Succeeded
        };
    }
    for (member, list, target) in members {
        join(world, &member, list, &target, &location)?;
    }
    if Kind::of(&path) == Some(Kind::VirtualMachine)
        && let Some(document) = world.document(&id).cloned()
    {
        virtual_machine::hold_interfaces(world, &document);
    }
    Ok(id)
}

/// Public IPs and subnets that frontends and ip configurations refer to.
fn make_up_neighbours(world: &mut World, document: &Value, location: &str) -> Result<(), String> {
    let sku = document
        .pointer("/sku/name")
        .and_then(Value::as_str)
        .unwrap_or("Basic");
    // A network interface has no sku; what it refers to is Standard.
    let sku = if sku.eq_ignore_ascii_case("Basic") && document.get("sku").is_some() {
        "Basic"
    } else {
        "Standard"
    };
    for array in ["frontendIPConfigurations", "ipConfigurations"] {
        for item in parts(document, array) {
            if let Some(public) =
                reference(item, "publicIPAddress").filter(|public| world.document(public).is_none())
            {
                let path = ResourcePath::parse(public);
                if let Some((path, group)) =
                    path.and_then(|path| Some((path.clone(), path.resource_group?)))
                {
                    resource_group::ensure(world, &path.subscription, &group, location);
                }
                let v6 =
                    property_text(item, "privateIPAddressVersion").eq_ignore_ascii_case("IPv6");
                let version = if v6 { "IPv6" } else { "IPv4" };
                let body = json!({
                    "location": location, "sku": {"name": sku},
                    "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": version},
                });
                let public = public.to_owned();
                put(world, Kind::PublicIp, &public, &body, None)?;
                public_ip::give(world, &public);
            }
            let prefix = reference(item, "publicIPPrefix").map(str::to_owned);
            if let Some(prefix) = prefix.filter(|prefix| world.document(prefix).is_none()) {
                let body = json!({"location": location, "sku": {"name": "Standard"}, "properties": {"prefixLength": 28}});
                put(world, Kind::PublicIpPrefix, &prefix, &body, None)?;
                public_ip_prefix::allocate(world, &prefix);
            }
            if let Some(subnet) = reference(item, "subnet") {
                let address: Option<IpAddr> = property_text(item, "privateIPAddress").parse().ok();
                let prefix = address.map_or_else(|| "10.0.0.0/24".to_owned(), around);
                ensure_subnet(world, subnet, location, &prefix);
            }
        }
    }
    Ok(())
}

/// Takes membership by network interfaces out of a load balancer's document: it lives on the
/// interfaces. Members of other kinds (scale sets) stay.
fn take_members(document: &mut Value) -> Vec<(String, &'static str, String)> {
    let mut members = Vec::new();
    if !text(document, "type").eq_ignore_ascii_case(load_balancer::TYPE) {
        return members;
    }
    let is_interface = |id: &str| {
        ResourcePath::parse(id).is_some_and(|path| {
            path.is_type("Microsoft.Network/networkInterfaces/ipConfigurations")
                && path.names_resource()
        })
    };
    let pools = document
        .pointer_mut("/properties/backendAddressPools")
        .and_then(Value::as_array_mut);
    for pool in pools.into_iter().flatten() {
        let pool_id = text(pool, "id").to_owned();
        let (ours, others): (Vec<String>, Vec<String>) =
            references(pool, "backendIPConfigurations")
                .into_iter()
                .map(str::to_owned)
                .partition(|id| is_interface(id));
        let Some(properties) = pool.get_mut("properties").and_then(Value::as_object_mut) else {
            continue;
        };
        if others.is_empty() {
            properties.shift_remove("backendIPConfigurations");
        } else {
            let kept = super::document::to_references(others.iter().map(String::as_str));
            properties.insert("backendIPConfigurations".to_owned(), kept);
        }
        members.extend(
            ours.into_iter()
                .map(|id| (id, "loadBalancerBackendAddressPools", pool_id.clone())),
        );
    }
    let rules = document
        .pointer_mut("/properties/inboundNatRules")
        .and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        let member = reference(rule, "backendIPConfiguration")
            .filter(|id| is_interface(id))
            .map(str::to_owned);
        if let (Some(member), Some(properties)) = (
            member,
            rule.get_mut("properties").and_then(Value::as_object_mut),
        ) {
            properties.shift_remove("backendIPConfiguration");
            members.push((
                member,
                "loadBalancerInboundNatRules",
                text(rule, "id").to_owned(),
            ));
        }
    }
    members
}

/// The ip configuration refers to the pool or rule; the interface is made up if it is missing.
fn join(
    world: &mut World,
    member: &str,
    list: &str,
    target: &str,
    location: &str,
) -> Result<(), String> {
    let Some(path) = ResourcePath::parse(member) else {
        return Ok(());
    };
    let interface = path.ancestor(1).to_string();
    let configuration = last_name(member).to_owned();
    let held = world.document(&interface).is_some_and(|document| {
        parts(document, "ipConfigurations")
            .iter()
            .any(|part| text(part, "name").eq_ignore_ascii_case(&configuration))
    });
    if !held {
        let address = free_lab_address(world);
        ensure_network_interface(world, &interface, &configuration, address, location)?;
    }
    let Some(resource) = world.resources.get_mut(&canonical(&interface)) else {
        return Ok(());
    };
    let configurations = resource
        .document
        .pointer_mut("/properties/ipConfigurations")
        .and_then(Value::as_array_mut);
    for part in configurations.into_iter().flatten() {
        let here = text(part, "name").eq_ignore_ascii_case(&configuration);
        if here
            && !references(part, list)
                .iter()
                .any(|id| super::resource_id::same(id, target))
        {
            let mut all: Vec<Value> = parts(part, list).to_vec();
            all.push(json!({"id": target}));
            part["properties"][list] = Value::Array(all);
        }
    }
    world.revision += 1;
    Ok(())
}

/// The next address of 10.0.0.0/16 that no ip configuration of the world has.
fn free_lab_address(world: &World) -> IpAddr {
    let used: std::collections::BTreeSet<String> = world
        .of_type(network_interface::TYPE)
        .iter()
        .flat_map(|(_, resource)| parts(&resource.document, "ipConfigurations"))
        .filter_map(|part| {
            property(part, "privateIPAddress")?
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    let address = |bits: u32| IpAddr::V4((0x0a00_0000 + bits).into());
    (4..0xffff)
        .filter(|bits| (4..255).contains(&(bits % 256)))
        .map(address)
        .find(|address| !used.contains(&address.to_string()))
        .unwrap_or_else(|| address(4))
}
