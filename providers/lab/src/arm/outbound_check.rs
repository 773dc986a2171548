//! What Azure refuses in outbound rules (errors.json; FACTS 5).

use serde_json::Value;

use super::document::{
    parts, property_flag, property_number, property_text, reference, references, text,
};
use super::refusal::Refusal;
use super::resource_id::same;
use super::shown::members_of;
use super::world::World;

pub(super) fn check_outbound(world: &World, document: &Value) -> Result<(), Refusal> {
    let outbound = parts(document, "outboundRules");
    for (at, rule) in outbound.iter().enumerate() {
        check_outbound_ports(world, document, rule)?;
        for frontend in references(rule, "frontendIPConfigurations") {
            let uses = |other: &&Value| {
                references(other, "frontendIPConfigurations")
                    .iter()
                    .any(|id| same(id, frontend))
            };
            let clash = outbound
                .iter()
                .skip(at + 1)
                .filter(uses)
                .find(|other| overlap(rule, other));
            if let Some(clash) = clash {
                return Err(Refusal::bad(
                    "MoreThanOneOutboundRuleUsingSameFrontendIPConfigurationAndProtocolIsNotSupported",
                    format!(
                        "Is is not supported to have more than a single outbound rule using frontendIPConfiguration \
                         {frontend} with same or overlapping protocol. This frontendIPConfiguration is used by the \
                         following outbound rules: {},{}.",
                        text(rule, "id"),
                        text(clash, "id")
                    ),
                ));
            }
            let load_balancing = parts(document, "loadBalancingRules")
                .iter()
                .find(|candidate| {
                    reference(candidate, "frontendIPConfiguration")
                        .is_some_and(|id| same(id, frontend))
                        && !property_flag(candidate, "disableOutboundSnat")
                });
            if let Some(candidate) = load_balancing {
                return Err(Refusal::bad(
                    "LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule",
                    format!(
                        "Load Balancing Rules {} must have disableOutboundSNAT set to true when same \
                         FrontendIPConfiguration {frontend} is referenced by Outbound Rules {}.",
                        text(candidate, "id"),
                        text(rule, "id")
                    ),
                ));
            }
        }
    }
    Ok(())
}

fn overlap(one: &Value, other: &Value) -> bool {
    let (one, other) = (
        property_text(one, "protocol"),
        property_text(other, "protocol"),
    );
    one.eq_ignore_ascii_case(other)
        || [one, other]
            .iter()
            .any(|protocol| protocol.eq_ignore_ascii_case("All"))
}

/// Codes from the documentation's table, no bodies published (errors.json).
fn check_outbound_ports(world: &World, document: &Value, rule: &Value) -> Result<(), Refusal> {
    let ports = property_number(rule, "allocatedOutboundPorts").unwrap_or_default();
    let id = text(rule, "id");
    if ports % 8 != 0 || ports < 0 {
        return Err(Refusal::bad(
            "SpecifiedAllocatedOutboundPortsForOutboundRuleIsNotAMultipleOfEight",
            format!(
                "Specified allocatedOutboundPorts {ports} of outbound rule {id} is not a multiple of 8."
            ),
        ));
    }
    if ports > 64000 {
        return Err(Refusal::bad(
            "SpecifiedAllocatedOutboundPortsForOutboundRuleExceedsTotalNumberOfAllowedPortsPerRule",
            format!(
                "Specified allocatedOutboundPorts {ports} of outbound rule {id} exceeds 64000."
            ),
        ));
    }
    let pool = reference(rule, "backendAddressPool").unwrap_or_default();
    let pools = parts(document, "backendAddressPools")
        .iter()
        .filter(|candidate| same(text(candidate, "id"), pool));
    let members: usize = pools
        .map(|pool| {
            members_of(world, text(pool, "id")).len()
                + parts(pool, "loadBalancerBackendAddresses").len()
        })
        .sum();
    let frontends = references(rule, "frontendIPConfigurations").len();
    let available = 64000 * i64::try_from(frontends).unwrap_or(i64::MAX / 64000);
    if ports.saturating_mul(i64::try_from(members).unwrap_or(i64::MAX)) > available {
        return Err(Refusal::bad(
            "SpecifiedAllocatedOutboundPortsForOutboundRuleExceedsTotalNumberOfAvailablePorts",
            format!(
                "Specified allocatedOutboundPorts {ports} of outbound rule {id} for {members} members exceeds the \
                 {available} available ports."
            ),
        ));
    }
    Ok(())
}
