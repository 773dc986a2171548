//! Two rules of one pool must not produce the same flow: Azure would refuse the whole PUT, half-way through an apply.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, Rule, name_of};
use crate::config::codes::SAME_FLOW;
use crate::model::Protocol;
use std::collections::BTreeMap;

/// Both conflict families of Azure, and the ports of frontends.
pub(super) fn check(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let mut seen: BTreeMap<Flow<'_>, &Rule<'_>> = BTreeMap::new();
    for rule in &balancer.rules {
        // HA-ports rules have constraints of their own.
        if rule.protocol == Protocol::All {
            continue;
        }
        for pool in &rule.pools {
            let flow = Flow {
                protocol: rule.protocol,
                port: rule.backend_port,
                pool,
                floating_on: rule.floating.then_some(rule.frontend_id.as_str()),
            };
            match seen.get(&flow) {
                Some(first) => found.push(conflict(balancer, rule, first, &flow)),
                None => {
                    seen.insert(flow, rule);
                }
            }
        }
    }
    frontend_ports(balancer, found);
}

/// Where packets arrive inside the members of a pool.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Flow<'a> {
    protocol: Protocol,
    port: i64,
    pool: &'a str,
    /// The frontend where floating IP keeps its address as destination.
    floating_on: Option<&'a str>,
}

fn conflict(balancer: &Balancer<'_>, rule: &Rule<'_>, first: &Rule<'_>, flow: &Flow<'_>) -> Found {
    let pool = name_of(flow.pool);
    let Flow { protocol, port, .. } = flow;
    let found = Found::on(&SAME_FLOW, balancer, rule.item).and_on(balancer, first.item);
    match flow.floating_on {
        None => {
            let labelled = found
                .at(
                    rule.item.span.clone(),
                    format!("{protocol} to port {port} of the VM's own address, pool {pool:?}"),
                )
                .at(
                    first.item.span.clone(),
                    format!("the same: {protocol}, backend port {port}, pool {pool:?}"),
                )
                .note(
                    "without floating IP both rules arrive at the VM's own address, so Azure refuses the second \
                     (RulesUseSameBackendPortProtocolAndPool)",
                );
            if rule.frontend_id == first.frontend_id {
                // Floating IP would only move the conflict to the frontend's address.
                labelled.help("give one of them another backend_port, or one rule only")
            } else {
                labelled.set(
                    rule.item,
                    "floating_ip",
                    "true",
                    "let each arrive at its frontend's address",
                )
            }
        }
        Some(frontend) => {
            let frontend = name_of(frontend);
            found
                .at(
                    rule.item.span.clone(),
                    format!("{protocol} to port {port} of frontend {frontend:?}, pool {pool:?}"),
                )
                .at(
                    first.item.span.clone(),
                    format!(
                        "the same: {protocol}, backend port {port}, frontend {frontend:?}, pool {pool:?}"
                    ),
                )
                .note(
                    "with floating IP both rules arrive at the same frontend's address and port, so Azure refuses the second \
                     (RulesUseSameBackendPortProtocolAndPoolAndFrontendIPWithFloatingIPEnabled)",
                )
                .help("give them different backend ports, or another frontend")
        }
    }
}

/// One taker of ports of a frontend: a rule, an inbound NAT rule or a range of NAT ports.
struct Taker<'a> {
    item: &'a crate::config::desired::DesiredItem,
    low: i64,
    high: i64,
}

fn frontend_ports(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let mut takers: BTreeMap<(&str, Protocol), Vec<Taker<'_>>> = BTreeMap::new();
    let rules = balancer.rules.iter().map(|rule| {
        let ports = (rule.frontend_port, rule.frontend_port);
        (rule.item, &rule.frontend_id, rule.protocol, Some(ports))
    });
    let nat_rules = balancer
        .nat_rules
        .iter()
        .map(|nat| (nat.item, &nat.frontend_id, nat.protocol, nat.ports));
    for (item, frontend, protocol, ports) in rules.chain(nat_rules) {
        if let (Some((low, high)), Protocol::Tcp | Protocol::Udp) = (ports, protocol) {
            let of_frontend = takers.entry((frontend, protocol)).or_default();
            of_frontend.push(Taker { item, low, high });
        }
    }
    for ((frontend, protocol), mut of_frontend) in takers {
        // The sort is stable, so of two with one port the one that was written first is named as the first.
        of_frontend.sort_by_key(|taker| taker.low);
        let mut widest: Option<&Taker<'_>> = None;
        for taker in &of_frontend {
            if let Some(first) = widest
                && taker.low <= first.high
            {
                let port = taker.low;
                let frontend = name_of(frontend);
                found.push(
                    Found::on(&codes::SAME_FRONTEND_PORT, balancer, taker.item)
                        .and_on(balancer, first.item)
                        .at(
                            taker.item.span.clone(),
                            format!("{protocol} port {port} of frontend {frontend:?}"),
                        )
                        .at(first.item.span.clone(), "takes this port already")
                        .note("Azure could not tell to which of them a packet belongs")
                        .help("give one of them another frontend_port, or another frontend"),
                );
            }
            if widest.is_none_or(|first| taker.high > first.high) {
                widest = Some(taker);
            }
        }
    }
}
