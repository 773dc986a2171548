//! HA-ports rules: protocol All, every port of an internal frontend.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, Rule, place};
use crate::config::GuestMode;
use crate::model::Protocol;
use std::collections::BTreeMap;

pub(super) fn check(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    for rule in &balancer.rules {
        ports(balancer, rule, found);
        if rule.protocol == Protocol::All {
            public(balancer, rule, found);
            guest_ports(balancer, rule, found);
        } else if !rule.item.guest.ports.is_empty() {
            found.push(
                Found::on(&codes::GUEST_PORTS_UNUSED, balancer, rule.item)
                    .at(
                        rule.item.span.clone(),
                        format!("the guests serve backend_port {} for this rule", rule.backend_port),
                    )
                    .help("take guest_ports out, or make it an HA-ports rule: protocol All and both ports 0"),
            );
        }
    }
    together(balancer, found);
}

fn ports(balancer: &Balancer<'_>, rule: &Rule<'_>, found: &mut Vec<Found>) {
    let both = [
        ("frontend_port", rule.frontend_port),
        ("backend_port", rule.backend_port),
    ];
    if rule.protocol == Protocol::All {
        let mut wrong = both.iter().filter(|(_, port)| *port != 0).peekable();
        if wrong.peek().is_none() {
            return;
        }
        let mut problem = Found::on(&codes::HA_PORTS, balancer, rule.item);
        for (name, port) in wrong {
            problem = problem
                .at(
                    place(rule.item, name),
                    format!("protocol All takes every port, so this is 0 and not {port}"),
                )
                .set(rule.item, name, "0", format!("set {name} to 0"));
        }
        found.push(problem.help("or name the protocol, Tcp or Udp, to take this port alone"));
        return;
    }
    // Azure knows a single port 0 of a rule for one protocol as a mistake as well.
    for (name, _) in both.iter().filter(|(_, port)| *port == 0) {
        found.push(
            Found::on(&codes::HA_PORTS, balancer, rule.item)
                .at(
                    place(rule.item, name),
                    format!(
                        "port 0 has no meaning with protocol {}",
                        word(rule.protocol)
                    ),
                )
                .help("write the port, or protocol All for an HA-ports rule with both ports 0"),
        );
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "Tcp",
        Protocol::Udp => "Udp",
        Protocol::All => "All",
    }
}

fn public(balancer: &Balancer<'_>, rule: &Rule<'_>, found: &mut Vec<Found>) {
    if let Some(frontend) = balancer.frontend_of(rule)
        && frontend.public
        && !frontend.internal
    {
        found.push(
            Found::on(&codes::HA_PUBLIC, balancer, rule.item)
                .at(
                    place(rule.item, "protocol"),
                    "All is for internal frontends",
                )
                .at(frontend.item.span.clone(), "this frontend is public")
                .note("Azure has HA ports on internal Standard load balancers only")
                .help("write one rule for each port, or use an internal frontend"),
        );
    }
}

fn guest_ports(balancer: &Balancer<'_>, rule: &Rule<'_>, found: &mut Vec<Found>) {
    // An appliance answers for other machines: its ports are its own business.
    if rule.item.guest.ports.is_empty() && balancer.mode_of(rule) != GuestMode::None {
        found.push(
            Found::on(&codes::HA_GUEST_PORTS, balancer, rule.item)
                .at(rule.item.span.clone(), "every port is delivered, and none is opened in the guests")
                .help("list what the guests serve: guest_ports = [3200, \"udp/53\"]")
                .help("where the members are appliances, say so on the frontend: guest_mode = \"none\""),
        );
    }
}

fn together(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let ha = |rule: &&Rule<'_>| rule.protocol == Protocol::All;
    if let Some(alone) = balancer.rules.iter().filter(ha).find(|rule| !rule.floating) {
        for other in balancer.rules.iter().filter(|r| !std::ptr::eq(*r, alone)) {
            let both_ha = other.protocol == Protocol::All && !other.floating;
            found.push(
                Found::on(&codes::HA_ALONE, balancer, other.item)
                    .and_on(balancer, alone.item)
                    .at(other.item.span.clone(), "no flow is left for this rule")
                    .at(alone.item.span.clone(), "takes every flow to the VMs' own addresses")
                    .note(if both_ha {
                        "Azure refuses the second (RulesUseSameBackendPortProtocolAndPool)"
                    } else {
                        "Azure allows no other rule on this load balancer beside an HA-ports rule without floating IP"
                    })
                    .set(alone.item, "floating_ip", "true", "let the HA-ports rule arrive at its frontend's address"),
            );
        }
        return;
    }
    let mut of_frontend: BTreeMap<&str, &Rule<'_>> = BTreeMap::new();
    for rule in balancer.rules.iter().filter(ha) {
        if let Some(first) = of_frontend.insert(&rule.frontend_id, rule) {
            found.push(
                Found::on(&codes::HA_TWICE, balancer, rule.item)
                    .and_on(balancer, first.item)
                    .at(rule.item.span.clone(), "this takes every port again")
                    .at(first.item.span.clone(), "takes every port of this frontend")
                    .note("Azure allows one HA-ports rule on a frontend")
                    .help(
                        "give each a frontend of its own; with floating IP they may share the pool",
                    ),
            );
        }
    }
    for rule in balancer
        .rules
        .iter()
        .filter(|rule| !ha(rule) && !rule.floating)
    {
        if let Some(first) = of_frontend.get(rule.frontend_id.as_str())
            && rule.pools.iter().any(|pool| first.pools.contains(pool))
        {
            found.push(
                Found::on(&codes::HA_MIXED, balancer, rule.item)
                    .and_on(balancer, first.item)
                    .at(rule.item.span.clone(), "this rule has no floating IP")
                    .at(
                        first.item.span.clone(),
                        "takes every port of the same frontend, for the same pool",
                    )
                    .note("Azure refuses the two together unless both have floating IP")
                    .set(
                        rule.item,
                        "floating_ip",
                        "true",
                        "let this rule arrive at the frontend's address, too",
                    ),
            );
        }
    }
}
