//! Outbound rules, and frontends that are used for outbound connections without one.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, OutboundRule, Scene, flag, int, name_of, place};
use crate::config::GuestMode;
use crate::config::desired::DesiredItem;
use crate::model::Protocol;
use std::collections::{BTreeMap, BTreeSet};

/// SNAT ports of one frontend address.
const PORTS_OF_AN_ADDRESS: i64 = 64_000;

pub(super) fn check(balancer: &Balancer<'_>, scene: &Scene<'_>, found: &mut Vec<Found>) {
    let mut first: BTreeMap<&str, Vec<&OutboundRule<'_>>> = BTreeMap::new();
    for outbound in &balancer.outbound_rules {
        ports(balancer, outbound, scene, found);
        for id in &outbound.frontend_ids {
            internal(balancer, outbound, id, found);
            let others = first.entry(id).or_default();
            if let Some(other) = others
                .iter()
                .find(|o| overlap(o.protocol, outbound.protocol))
            {
                found.push(
                    Found::on(&codes::OUTBOUND_TWICE, balancer, outbound.item)
                        .and_on(balancer, other.item)
                        .at(
                            place(outbound.item, "frontends"),
                            format!("frontend {:?}, protocol {}", name_of(id), outbound.protocol),
                        )
                        .at(other.item.span.clone(), format!("uses it already, protocol {}", other.protocol))
                        .note(
                            "Azure refuses the second \
                             (MoreThanOneOutboundRuleUsingSameFrontendIPConfigurationAndProtocolIsNotSupported)",
                        )
                        .help("give it another frontend, or make it one rule"),
                );
            }
            others.push(outbound);
        }
    }
    shared(balancer, &first, found);
    by_the_way(balancer, &first, found);
}

fn overlap(a: Protocol, b: Protocol) -> bool {
    a == b || a == Protocol::All || b == Protocol::All
}

fn internal(
    balancer: &Balancer<'_>,
    outbound: &OutboundRule<'_>,
    id: &str,
    found: &mut Vec<Found>,
) {
    let frontend = balancer.frontends.iter().find(|f| f.id == id);
    if let Some(frontend) = frontend.filter(|f| f.internal) {
        found.push(
            Found::on(&codes::OUTBOUND_INTERNAL, balancer, outbound.item)
                .at(
                    place(outbound.item, "frontends"),
                    "outbound rules translate to public addresses",
                )
                .at(frontend.item.span.clone(), "this frontend is internal")
                .help("use a public load balancer or a NAT gateway for outbound connections"),
        );
    }
}

fn ports(
    balancer: &Balancer<'_>,
    outbound: &OutboundRule<'_>,
    scene: &Scene<'_>,
    found: &mut Vec<Found>,
) {
    let Some(ports) = int(outbound.item, "allocated_outbound_ports") else {
        return;
    };
    let problem = |code| Found::on(code, balancer, outbound.item);
    let span = place(outbound.item, "allocated_outbound_ports");
    if ports % 8 != 0 {
        found.push(
            problem(&codes::OUTBOUND_EIGHT)
                .at(span, "Azure allocates ports in blocks of eight")
                .note("Azure refuses it (SpecifiedAllocatedOutboundPortsForOutboundRuleIsNotAMultipleOfEight)")
                .set(
                    outbound.item,
                    "allocated_outbound_ports",
                    &(ports / 8 * 8).max(8).to_string(),
                    "the next one below",
                ),
        );
        return;
    }
    let members = i64::try_from(scene.members_of(&outbound.pool).len()).unwrap_or(i64::MAX);
    let addresses = i64::try_from(outbound.frontend_ids.len()).unwrap_or(i64::MAX);
    // A frontend with a prefix has more addresses than one, and how many is not known here.
    let prefix = balancer.frontends.iter().any(|f| {
        outbound.frontend_ids.contains(&f.id) && f.item.attributes.contains_key("public_ip_prefix")
    });
    let available = PORTS_OF_AN_ADDRESS.saturating_mul(addresses);
    let needed = ports.saturating_mul(members);
    if needed > available && !prefix {
        let fits = available / members / 8 * 8;
        found.push(
            problem(&codes::OUTBOUND_TOO_MANY)
                .at(span, format!("{ports} × {members} members = {needed} ports, of {available}"))
                .note(
                    "Azure refuses it (SpecifiedAllocatedOutboundPortsForOutboundRuleExceedsTotalNumberOfAvailablePorts)",
                )
                .set(
                    outbound.item,
                    "allocated_outbound_ports",
                    &fits.to_string(),
                    "what fits for these members",
                )
                .help("or add frontends to the rule: each has 64,000 ports"),
        );
    }
}

fn shared(
    balancer: &Balancer<'_>,
    outbound: &BTreeMap<&str, Vec<&OutboundRule<'_>>>,
    found: &mut Vec<Found>,
) {
    for rule in &balancer.rules {
        if flag(rule.item, "disable_outbound_snat") {
            continue;
        }
        let Some(first) = outbound
            .get(rule.frontend_id.as_str())
            .and_then(|all| all.first())
        else {
            continue;
        };
        found.push(
            Found::on(&codes::SNAT_SHARED, balancer, rule.item)
                .and_on(balancer, first.item)
                .at(rule.item.span.clone(), "lets its members use the frontend for outbound connections")
                .at(first.item.span.clone(), "manages outbound connections of the same frontend")
                .note(
                    "Azure refuses the load balancer \
                     (LoadBalancingRuleMustDisableSNATSinceSameFrontendIPConfigurationIsReferencedByOutboundRule)",
                )
                .set(rule.item, "disable_outbound_snat", "true", "leave outbound connections to the outbound rule"),
        );
    }
}

/// Once for a load balancer: a list of all its rules would say no more.
fn by_the_way(
    balancer: &Balancer<'_>,
    outbound: &BTreeMap<&str, Vec<&OutboundRule<'_>>>,
    found: &mut Vec<Found>,
) {
    let mut frontends: BTreeSet<&str> = BTreeSet::new();
    let mut named: Option<&DesiredItem> = None;
    for rule in &balancer.rules {
        let public = balancer
            .frontend_of(rule)
            .is_some_and(|f| !f.internal && f.item.guest.mode != GuestMode::None);
        let explicit = rule.item.attributes.contains_key("disable_outbound_snat");
        let shared = outbound.contains_key(rule.frontend_id.as_str());
        if rule.floating && public && !explicit && !shared {
            frontends.insert(name_of(&rule.frontend_id));
            named.get_or_insert(rule.item);
        }
    }
    let Some(first) = named else {
        return;
    };
    let names: Vec<String> = frontends
        .iter()
        .take(5)
        .map(|name| format!("{name:?}"))
        .collect();
    let more = frontends.len().saturating_sub(names.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    found.push(
        Found::on(&codes::SNAT_ON_FIP, balancer, first)
            .at(
                first.span.clone(),
                format!("its members' outbound connections may use the address of {} {}{more}", if frontends.len() == 1 { "frontend" } else { "frontends" }, names.join(", ")),
            )
            .note("sockets that are bound to the frontend's address inside a guest get no translation: their connections fail")
            .set(first, "disable_outbound_snat", "true", "keep inbound and outbound apart (with a NAT gateway or an outbound rule)")
            .help("disable_outbound_snat = false says that it is meant, and ends this warning"),
    );
}
