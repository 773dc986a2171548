//! Load-balancing rules by themselves: what they name, and settings that do nothing.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, Rule, flag, int, name_of, place};
use crate::config::GuestMode;
use crate::model::schema::Fallback;
use crate::model::{ItemKind, Protocol};
use std::collections::BTreeMap;

pub(super) fn check(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    for rule in &balancer.rules {
        pools(balancer, rule, found);
        without_effect(balancer, rule, found);
        idle_with_floating(balancer, rule, found);
    }
    mixed(balancer, found);
}

fn pools(balancer: &Balancer<'_>, rule: &Rule<'_>, found: &mut Vec<Found>) {
    match rule.pools.len() {
        0 => {
            let problem = Found::on(&codes::NO_POOL, balancer, rule.item)
                .at(rule.item.span.clone(), "nobody serves this rule")
                .note("Azure accepts the rule and drops what arrives");
            found.push(match balancer.pools.as_slice() {
                [only] => problem.set(
                    rule.item,
                    "backend_pools",
                    &format!("[{}]", only.address),
                    "name the pool",
                ),
                _ => problem.help("name a pool: backend_pools = [backend_pool.NAME]"),
            });
        }
        1 => {}
        _ => found.push(
            Found::on(&codes::SEVERAL_POOLS, balancer, rule.item)
                .at(place(rule.item, "backend_pools"), "one pool only")
                .note("Azure accepts several pools in a rule of a Gateway load balancer only")
                .help("join all members to one pool: a NIC may be in several"),
        ),
    }
}

/// What UDP ignores.
fn without_effect(balancer: &Balancer<'_>, rule: &Rule<'_>, found: &mut Vec<Found>) {
    if rule.protocol != Protocol::Udp {
        return;
    }
    if flag(rule.item, "enable_tcp_reset") {
        found.push(
            Found::on(&codes::NO_EFFECT, balancer, rule.item)
                .at(place(rule.item, "enable_tcp_reset"), "UDP has no reset")
                .help("take enable_tcp_reset out"),
        );
    }
    if changes_idle_timeout(rule) {
        found.push(
            Found::on(&codes::NO_EFFECT, balancer, rule.item)
                .at(
                    place(rule.item, "idle_timeout_in_minutes"),
                    "the idle timeout is about TCP; this rule is UDP",
                )
                .help("take idle_timeout_in_minutes out"),
        );
    }
}

fn changes_idle_timeout(rule: &Rule<'_>) -> bool {
    let attribute = ItemKind::Rule.attribute("idle_timeout_in_minutes");
    let default = match attribute.map(|a| a.default) {
        Some(Fallback::Int(minutes)) => minutes,
        Some(_) | None => 4,
    };
    int(rule.item, "idle_timeout_in_minutes").is_some_and(|minutes| minutes != default)
}

/// Microsoft's own guides for clusters and appliances set it, so only loopback mode is warned about.
fn idle_with_floating(balancer: &Balancer<'_>, rule: &Rule<'_>, found: &mut Vec<Found>) {
    if rule.floating
        && rule.protocol == Protocol::Tcp
        && balancer.mode_of(rule) == GuestMode::Loopback
        && changes_idle_timeout(rule)
    {
        found.push(
            Found::on(&codes::IDLE_WITH_FLOATING, balancer, rule.item)
                .at(
                    place(rule.item, "idle_timeout_in_minutes"),
                    "replies do not pass the load balancer here, so this is reported to do nothing",
                )
                .help("rely on keepalives of the application or of the guest, and take it out"),
        );
    }
}

fn mixed(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let mut own: BTreeMap<(Protocol, i64, &str), &Rule<'_>> = BTreeMap::new();
    let single = |rule: &&Rule<'_>| rule.protocol != Protocol::All;
    for rule in balancer.rules.iter().filter(single).filter(|r| !r.floating) {
        for pool in &rule.pools {
            own.entry((rule.protocol, rule.backend_port, pool))
                .or_insert(rule);
        }
    }
    for rule in balancer.rules.iter().filter(single).filter(|r| r.floating) {
        for pool in &rule.pools {
            let Some(other) = own.get(&(rule.protocol, rule.backend_port, pool.as_str())) else {
                continue;
            };
            let port = rule.backend_port;
            found.push(
                Found::on(&codes::MIXED_FLOATING, balancer, rule.item)
                    .and_on(balancer, other.item)
                    .at(
                        rule.item.span.clone(),
                        format!(
                            "arrives at port {port} of the frontend's address, pool {:?}",
                            name_of(pool)
                        ),
                    )
                    .at(
                        other.item.span.clone(),
                        format!("arrives at port {port} of the VM's own address"),
                    )
                    .note("whether Azure delivers both is not documented")
                    .set(
                        other.item,
                        "floating_ip",
                        "true",
                        "let both arrive at their frontends' addresses",
                    ),
            );
        }
    }
}
