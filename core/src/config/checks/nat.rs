//! Inbound NAT rules: one port to one VM, or a range of ports over a pool.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, NatRule, Scene, int, place};
use crate::model::Protocol;
use std::collections::BTreeMap;

pub(super) fn check(balancer: &Balancer<'_>, scene: &Scene<'_>, found: &mut Vec<Found>) {
    for nat in &balancer.nat_rules {
        if !ports(balancer, nat, found) {
            continue;
        }
        let (Some(pool), Some((low, high))) = (&nat.pool, nat.ports) else {
            continue;
        };
        let members = scene.members_of(pool).len();
        let ports = usize::try_from(high - low + 1).unwrap_or(0);
        if members > ports {
            found.push(
                Found::on(&codes::NAT_RANGE, balancer, nat.item)
                    .at(
                        place(nat.item, "frontend_port_range_end"),
                        format!(
                            "{ports} port{} for {members} members",
                            if ports == 1 { "" } else { "s" }
                        ),
                    )
                    .note("each member gets one port, so the last ones cannot be reached")
                    .help("make the range longer"),
            );
        }
    }
    same_port(balancer, found);
}

/// Whether they make sense.
fn ports(balancer: &Balancer<'_>, nat: &NatRule<'_>, found: &mut Vec<Found>) -> bool {
    let item = nat.item;
    let problem = || Found::on(&codes::NAT_PORTS, balancer, item);
    let before = found.len();
    let single = int(item, "frontend_port");
    let start = int(item, "frontend_port_range_start");
    let end = int(item, "frontend_port_range_end");
    match (single, start, end) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => found.push(
            problem()
                .at(place(item, "frontend_port"), "one port to one VM")
                .at(
                    place(item, if start.is_some() { "frontend_port_range_start" } else { "frontend_port_range_end" }),
                    "and a range over a pool",
                )
                .help("keep one of the two"),
        ),
        (None, None, None) => found.push(
            problem()
                .at(item.span.clone(), "it takes no port of the frontend")
                .help("add frontend_port, or frontend_port_range_start, frontend_port_range_end and backend_pool"),
        ),
        (None, Some(_), None) | (None, None, Some(_)) => found.push(
            problem()
                .at(item.span.clone(), "this range has one end only")
                .help("add the other: frontend_port_range_start and frontend_port_range_end belong together"),
        ),
        (None, Some(low), Some(high)) if low > high => found.push(
            problem()
                .at(place(item, "frontend_port_range_end"), format!("the range begins after it, at {low}"))
                .help("write the lower port as the start"),
        ),
        (None, Some(_), Some(_)) if nat.pool.is_none() => found.push(
            problem()
                .at(item.span.clone(), "a range is spread over a pool")
                .help("add backend_pool = backend_pool.NAME"),
        ),
        (Some(0), None, None) => found.push(
            problem()
                .at(place(item, "frontend_port"), "ports begin at 1")
                .help("write the port that clients use"),
        ),
        (None, Some(_), Some(_)) | (Some(_), None, None) => {}
    }
    if nat.backend_port == 0 && nat.protocol != Protocol::All {
        found.push(
            problem()
                .at(place(item, "backend_port"), "ports begin at 1")
                .help("write the port inside the guest"),
        );
    }
    found.len() == before
}

/// A range reaches the members of its pool as rules do.
fn same_port(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let rules: BTreeMap<(Protocol, i64, &str), _> = balancer
        .rules
        .iter()
        .filter(|rule| !rule.floating && rule.protocol != Protocol::All)
        .flat_map(|rule| {
            rule.pools
                .iter()
                .map(move |pool| ((rule.protocol, rule.backend_port, pool.as_str()), rule.item))
        })
        .collect();
    let mut ranges: BTreeMap<(Protocol, i64, &str), _> = BTreeMap::new();
    for nat in balancer.nat_rules.iter().filter(|nat| !nat.floating) {
        let Some(pool) = nat.pool.as_deref() else {
            continue;
        };
        let key = (nat.protocol, nat.backend_port, pool);
        let first = rules
            .get(&key)
            .copied()
            .or_else(|| ranges.get(&key).copied());
        if let Some(first) = first {
            found.push(
                Found::on(&codes::SAME_FLOW_ON_NIC, balancer, nat.item)
                    .and_on(balancer, first)
                    .at(
                        nat.item.span.clone(),
                        format!("{} to port {} of the members' own addresses", nat.protocol, nat.backend_port),
                    )
                    .at(first.span.clone(), "the same, for the same pool")
                    .note("Azure refuses the second on each member (RulesUseSameBackendPortProtocolAndIPConfig)")
                    .help("give one of them another backend_port, or floating_ip = true"),
            );
        }
        ranges.insert(key, nat.item);
    }
}
