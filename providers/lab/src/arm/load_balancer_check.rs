//! What Azure refuses in a load balancer, with its codes (errors.json; FACTS 5).
//!
//! Works on the completed document, so defaults are there to be judged.

use serde_json::Value;

use super::document::{
    parts, property, property_flag, property_number, property_text, reference, text,
};
use super::load_balancer::{pools_of, targets};
use super::outbound_check::check_outbound;
use super::refusal::{Refusal, dangling, retryable};
use super::resource_id::{canonical, owner, same};
use super::world::{Provisioning, World};

/// Checks a completed load balancer against itself and against what it refers to.
///
/// # Errors
/// The first thing that Azure would complain about.
pub(super) fn check(
    world: &World,
    document: &Value,
    previous: Option<&Value>,
) -> Result<(), Refusal> {
    childless_without_frontend(document)?;
    // The documented limit; the sentence is of 2017, when it was 10 (errors.json).
    if parts(document, "frontendIPConfigurations").len() > 600 {
        return Err(Refusal::bad(
            "LoadBalancerFrontendIPConfigurationCountLimitReached",
            "A load balancer cannot have more than 600 FrontendIPConfigurations.",
        ));
    }
    for frontend in parts(document, "frontendIPConfigurations") {
        check_frontend(world, document, frontend)?;
    }
    internal_references(document)?;
    for probe in parts(document, "probes") {
        check_probe(probe)?;
    }
    for rule in parts(document, "loadBalancingRules") {
        check_rule(document, rule)?;
    }
    for rule in parts(document, "inboundNatRules") {
        ports_within(rule, 65534, 65535)?;
    }
    rules_apart(document)?;
    frontend_ports_apart(document)?;
    check_outbound(world, document)?;
    nat_pools_apart(document, previous)
}

/// Doc only, no body published; the wording is that of 2015 (errors.json).
fn childless_without_frontend(document: &Value) -> Result<(), Refusal> {
    let children = [
        "backendAddressPools",
        "loadBalancingRules",
        "probes",
        "inboundNatRules",
        "outboundRules",
        "inboundNatPools",
    ];
    let has_children = children
        .iter()
        .any(|array| !parts(document, array).is_empty());
    if has_children && parts(document, "frontendIPConfigurations").is_empty() {
        return Err(Refusal::bad(
            "LoadBalancerWithoutFrontendIPCantHaveChildResources",
            format!(
                "Load Balancer {} does not have Frontend IP Configuration, but it has other child resources. \
                 This setup is not supported.",
                text(document, "id")
            ),
        ));
    }
    Ok(())
}

fn check_frontend(world: &World, document: &Value, frontend: &Value) -> Result<(), Refusal> {
    let id = text(frontend, "id");
    let public = reference(frontend, "publicIPAddress");
    let subnet = reference(frontend, "subnet");
    if public.is_some() && subnet.is_some() {
        return Err(Refusal::bad(
            "FrontendIPConfigHasBothSubnetAndPublicIP",
            format!(
                "Frontend IP Configuration {id} must not reference both a Subnet and a Public IP Address."
            ),
        ));
    }
    if public.is_none() && subnet.is_none() && reference(frontend, "publicIPPrefix").is_none() {
        // Code from memory of the service, not from the recordings [INF].
        return Err(Refusal::bad(
            "LoadBalancerFrontendIPConfigMustHaveSubnetOrPublicIP",
            format!(
                "Frontend IP Configuration {id} must reference either a Subnet, Public IP Address or Public IP Prefix."
            ),
        ));
    }
    if let Some(public) = public {
        let zones = frontend
            .get("zones")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if zones > 0 {
            return Err(Refusal::bad(
                "LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress",
                format!(
                    "Load balancer frontendIPConfiguration {id} has {zones} zone specified and is referencing a \
                     publicIPAddress {public}. Networking supports zones only for frontendIpconfigurations which \
                     reference a subnet."
                ),
            ));
        }
        check_public_ip(world, document, id, public)?;
    }
    if let Some(prefix) =
        reference(frontend, "publicIPPrefix").filter(|prefix| world.document(prefix).is_none())
    {
        return Err(dangling(prefix, id));
    }
    Ok(())
}

fn check_public_ip(
    world: &World,
    document: &Value,
    frontend: &str,
    public: &str,
) -> Result<(), Refusal> {
    let Some(resource) = world.resource(public) else {
        return Err(dangling(public, frontend));
    };
    let sku = |document: &Value| {
        let name = document
            .pointer("/sku/name")
            .and_then(Value::as_str)
            .unwrap_or("Basic");
        name.to_owned()
    };
    let (ours, theirs) = (sku(document), sku(&resource.document));
    // A Gateway load balancer has internal frontends only, so only Basic and Standard meet here.
    if !ours.eq_ignore_ascii_case(&theirs) {
        return Err(Refusal::bad(
            "PublicIPAndLBSkuDoNotMatch",
            format!(
                "{ours} sku load balancer {} cannot reference {theirs} sku publicIP {public}.",
                text(document, "id")
            ),
        ));
    }
    let elsewhere = super::shown::users_of_public_ip(world, public);
    let ours = format!("{}/", canonical(text(document, "id")));
    let within = parts(document, "frontendIPConfigurations")
        .iter()
        .filter(|other| {
            reference(other, "publicIPAddress").is_some_and(|other| same(other, public))
                && !same(text(other, "id"), frontend)
        });
    let within = within.map(|other| text(other, "id").to_owned()).next();
    let other = elsewhere
        .into_iter()
        .find(|user| !canonical(user).starts_with(&ours))
        .or(within);
    if let Some(other) = other {
        // Code and wording from memory of the service [INF].
        return Err(Refusal::bad(
            "PublicIPAddressInUse",
            format!(
                "Resource {frontend} is referencing public IP address {public} that is already allocated to \
                 resource {other}."
            ),
        ));
    }
    // Recorded for an availability set; reported for every referenced resource (FACTS 7).
    if resource.state != Provisioning::Succeeded && resource.operation.is_some() {
        let running = resource
            .operation
            .as_ref()
            .and_then(|id| world.operations.get(id));
        let name = running.map_or("InternalOperation", |operation| operation.name.as_str());
        return Err(retryable(
            "ReferencedResourceNotProvisioned",
            format!(
                "Cannot proceed with operation because resource {public} used by resource {} is not in Succeeded \
                 state. Resource is in {} state and the last operation that updated/is updating the resource is {name}.",
                text(document, "id"),
                resource.state.word()
            ),
        ));
    }
    Ok(())
}

/// What a rule names must stand in the same body (pulumi-azure-native#3601).
fn internal_references(document: &Value) -> Result<(), Refusal> {
    let held: Vec<String> = ["frontendIPConfigurations", "backendAddressPools", "probes"]
        .into_iter()
        .flat_map(|array| parts(document, array))
        .map(|part| canonical(text(part, "id")))
        .collect();
    for array in [
        "loadBalancingRules",
        "inboundNatRules",
        "outboundRules",
        "inboundNatPools",
    ] {
        for item in parts(document, array) {
            if let Some(missing) = targets(item)
                .into_iter()
                .find(|target| !held.contains(&canonical(target)))
            {
                return Err(dangling(&missing, text(item, "id")));
            }
            let needs_frontend =
                array != "outboundRules" && reference(item, "frontendIPConfiguration").is_none();
            if needs_frontend {
                return Err(missing("frontendIPConfiguration", text(item, "id")));
            }
        }
    }
    Ok(())
}

/// Wording from memory of the service; errors.json has no body for a missing member [INF].
fn missing(what: &str, id: &str) -> Refusal {
    Refusal::unparsable(
        "MissingJsonReferenceId",
        format!("Value for reference id is missing. Path {id}.{what}."),
    )
}

/// Ports that a probe over HTTP or HTTPS may not have (FACTS 5).
const NOT_BY_HTTP: [i64; 9] = [19, 21, 25, 70, 110, 119, 143, 220, 993];

/// [OPEN] no error body of a bad probe was found; the facts are those of the docs (FACTS 5).
fn check_probe(probe: &Value) -> Result<(), Refusal> {
    let path = property_text(probe, "requestPath");
    let protocol = property_text(probe, "protocol");
    let tcp = protocol.eq_ignore_ascii_case("Tcp");
    let refuse = |why: &str| {
        Err(Refusal::unparsable(
            "InvalidProbe",
            format!("Probe {} {why}", text(probe, "id")),
        ))
    };
    if tcp && !path.is_empty() {
        return refuse("has protocol Tcp and must not have a request path.");
    }
    if !tcp && !protocol.is_empty() && path.is_empty() {
        return refuse(&format!(
            "has protocol {protocol} and must have a request path."
        ));
    }
    if !property_number(probe, "port").is_some_and(|port| (1..=65535).contains(&port)) {
        return refuse("must have a port between 1 and 65535.");
    }
    let port = property_number(probe, "port");
    if !tcp && port.is_some_and(|port| NOT_BY_HTTP.contains(&port)) {
        return refuse(&format!(
            "has protocol {protocol}, which cannot ask a port that mail and other old services use."
        ));
    }
    Ok(())
}

fn check_rule(document: &Value, rule: &Value) -> Result<(), Refusal> {
    ports_within(rule, 65534, 65535)?;
    let all = property_text(rule, "protocol").eq_ignore_ascii_case("All");
    let ports = (
        property_number(rule, "frontendPort"),
        property_number(rule, "backendPort"),
    );
    let frontend = reference(rule, "frontendIPConfiguration").unwrap_or_default();
    let frontend = parts(document, "frontendIPConfigurations")
        .iter()
        .find(|part| same(text(part, "id"), frontend));
    let public = frontend.is_some_and(|frontend| reference(frontend, "subnet").is_none());
    // HA ports: internal frontends only, ports 0 (FACTS 5). [OPEN] the code is not known.
    if all && (public || ports != (Some(0), Some(0))) {
        return Err(Refusal::bad(
            "LoadBalancingRuleWithAllProtocolNotSupported",
            format!(
                "Load balancing rule {} has protocol All: this needs frontendPort 0, backendPort 0 and a frontend \
                 with a private address.",
                text(rule, "id")
            ),
        ));
    }
    if !all && (ports.0 == Some(0) || ports.1 == Some(0)) {
        return Err(out_of_range(rule, "frontendPort and backendPort", 1, 65534));
    }
    Ok(())
}

fn ports_within(rule: &Value, frontend_most: i64, backend_most: i64) -> Result<(), Refusal> {
    for (name, most) in [
        ("frontendPort", frontend_most),
        ("backendPort", backend_most),
    ] {
        if !property_number(rule, name).is_some_and(|port| (0..=most).contains(&port)) {
            return Err(out_of_range(rule, name, 0, most));
        }
    }
    Ok(())
}

/// Wording from memory of the service [INF].
fn out_of_range(rule: &Value, name: &str, least: i64, most: i64) -> Refusal {
    Refusal::unparsable(
        "InvalidPropertyValue",
        format!(
            "Value of {name} of {} must be between {least} and {most}.",
            text(rule, "id")
        ),
    )
}

/// Two rules of a load balancer may not give one flow two meanings (FACTS 5).
///
/// Mixing floating and other rules on one port is not refused: no code that forbids it was found.
fn rules_apart(document: &Value) -> Result<(), Refusal> {
    let rules = parts(document, "loadBalancingRules");
    let mut seen: std::collections::HashMap<String, &Value> = std::collections::HashMap::new();
    for rule in rules {
        let floating = property_flag(rule, "enableFloatingIP");
        let protocol = property_text(rule, "protocol");
        let port = property_number(rule, "backendPort").unwrap_or_default();
        let frontend = reference(rule, "frontendIPConfiguration").unwrap_or_default();
        for pool in pools_of(rule) {
            let scope = if floating {
                canonical(frontend)
            } else {
                String::new()
            };
            let key = format!(
                "{floating} {} {port} {} {scope}",
                protocol.to_ascii_lowercase(),
                canonical(&pool)
            );
            let Some(other) = seen.insert(key, rule) else {
                continue;
            };
            let (first, second) = (text(other, "id"), text(rule, "id"));
            return Err(if floating {
                Refusal::bad(
                    "RulesUseSameBackendPortProtocolAndPoolAndFrontendIPWithFloatingIPEnabled",
                    format!(
                        "Load balancing rules {first} and {second} with floating IP enabled use the same protocol \
                         {protocol} and backend port {port} and frontend IP {frontend}, and must not be used with the \
                         same backend address pool {pool}."
                    ),
                )
            } else {
                Refusal::bad(
                    "RulesUseSameBackendPortProtocolAndPool",
                    format!(
                        "Load balancing rules {first} and {second} with floating IP disabled use the same protocol \
                         {protocol} and backend port {port}, and must not be used with the same backend address pool \
                         {pool}."
                    ),
                )
            });
        }
    }
    Ok(())
}

/// Frontend ports are unique within a frontend and protocol [INF]; the code is from memory.
fn frontend_ports_apart(document: &Value) -> Result<(), Refusal> {
    let mut seen: std::collections::HashMap<String, &str> = std::collections::HashMap::new();
    let rules = ["loadBalancingRules", "inboundNatRules"]
        .into_iter()
        .flat_map(|array| parts(document, array));
    for rule in rules.filter(|rule| property(rule, "frontendPortRangeStart").is_none()) {
        let frontend = reference(rule, "frontendIPConfiguration").unwrap_or_default();
        let protocol = property_text(rule, "protocol");
        let port = property_number(rule, "frontendPort").unwrap_or_default();
        let id = text(rule, "id");
        let key = format!(
            "{} {} {port}",
            canonical(frontend),
            protocol.to_ascii_lowercase()
        );
        if let Some(other) = seen.insert(key, id) {
            return Err(Refusal::bad(
                "RulesUseSameFrontendPortProtocolAndIP",
                format!(
                    "Load balancing rules {other} and {id} use the same frontend IP {frontend}, protocol {protocol} and \
                     frontend port {port}."
                ),
            ));
        }
    }
    Ok(())
}

/// Once there is a NAT pool, NAT rules cannot be added or changed (azure-docs#59705).
///
/// Recordings hold load balancers with both, so it is the change that is refused.
fn nat_pools_apart(document: &Value, previous: Option<&Value>) -> Result<(), Refusal> {
    let Some(previous) = previous.filter(|previous| !parts(previous, "inboundNatPools").is_empty())
    else {
        return Ok(());
    };
    // What identifies a NAT rule; defaults may be written out or not.
    let key = |rule: &Value| {
        let frontend = canonical(reference(rule, "frontendIPConfiguration").unwrap_or_default());
        let ports = (
            property_number(rule, "frontendPort"),
            property_number(rule, "backendPort"),
        );
        let protocol = property_text(rule, "protocol").to_ascii_lowercase();
        let floating = property_flag(rule, "enableFloatingIP");
        (
            canonical(text(rule, "id")),
            frontend,
            ports,
            protocol,
            floating,
        )
    };
    let held: Vec<_> = parts(previous, "inboundNatRules").iter().map(key).collect();
    let unchanged = |rule: &Value| held.contains(&key(rule));
    let pools_stay = !parts(document, "inboundNatPools").is_empty();
    if pools_stay && !parts(document, "inboundNatRules").iter().all(unchanged) {
        return Err(Refusal::bad(
            "AddingOrUpdatingNatRulesWhenNatPoolIsPresentOnLoadbalancerIsNotSupported",
            format!(
                "Adding or updating NAT Rules when NAT pool is present on loadbalancer {} is not supported. To modify \
                 the load balancer, pass in all NAT rules unchanged or remove the LoadBalancerInboundNatRules property \
                 from your PUT request.",
                text(document, "name")
            ),
        ));
    }
    Ok(())
}

/// The rules of a pool and its load balancer, for the checks on the interface's side.
pub(super) fn rules_reaching<'a>(world: &'a World, pool: &str) -> Vec<&'a Value> {
    let Some(document) = owner(pool).and_then(|owner| world.document(&owner)) else {
        return Vec::new();
    };
    let rules = parts(document, "loadBalancingRules").iter();
    rules
        .filter(|rule| pools_of(rule).iter().any(|id| same(id, pool)))
        .collect()
}
