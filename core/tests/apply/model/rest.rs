//! At rest: everything declared is there and ready, and nothing of ours is left over.

use super::play::web;
use super::scenario::{Mode, Setup};
use crate::world::Inner;
use plimsoll_core::model::*;
use std::collections::BTreeSet;

pub fn check_end(w: &Inner, setup: &Setup, lost: bool) -> Result<(), String> {
    let lb = w
        .load_balancers
        .get(&web())
        .ok_or("the load balancer is not there")?;
    for name in setup.rules.keys() {
        lb.item(ItemKind::Rule, name)
            .ok_or(format!("rule {name} is not there"))?;
    }
    for (name, pools) in &setup.guests {
        for pool in pools {
            let id = lb.id_of(ItemKind::BackendPool, pool);
            let member = w.nics.values().any(|nic| {
                nic.id.name() == format!("{name}-nic")
                    && nic
                        .ip_configurations
                        .values()
                        .any(|c| c.backend_pools.contains(&id))
            });
            if !member {
                return Err(format!("{name} is not in {pool}"));
            }
        }
    }
    for path in w.paths() {
        let ours = path.load_balancer == "web"
            && (setup.rules.contains_key(path.rule.as_str())
                || setup.nat.contains_key(path.rule.as_str()));
        let read = path.load_balancer == "shared" && setup.shared.contains(path.guest.as_str());
        let declared = (ours || read) && setup.guests.contains_key(path.guest.as_str());
        let mode = setup.mode(&path.frontend);
        let ready = match mode {
            None | Some(Mode::Loopback) => path.is_ready(),
            Some(Mode::Cluster) => path.admitted && (path.held || path.floating),
            Some(Mode::None) => true,
        };
        if declared && !ready {
            return Err(format!("at the end {path:?}"));
        }
    }
    if lost {
        Ok(())
    } else {
        left_over(w, setup, lb)
    }
}

fn left_over(w: &Inner, setup: &Setup, lb: &LoadBalancer) -> Result<(), String> {
    let declared = |kind: ItemKind, name: &str| match kind {
        ItemKind::Frontend => setup.frontends.contains_key(name),
        ItemKind::BackendPool => setup.pools.contains(&name),
        ItemKind::Rule => setup.rules.contains_key(name),
        ItemKind::Probe => name == "health",
        ItemKind::InboundNatRule => setup.nat.contains_key(name),
        ItemKind::OutboundRule => false,
    };
    for kind in ItemKind::ALL {
        for item in lb.of_kind(kind).filter(|item| !item.name.starts_with("x-")) {
            if !declared(kind, &item.name) {
                return Err(format!("left over: {kind:?} {:?}", item.name));
            }
        }
    }
    for nic in w.nics.values() {
        let name = nic.id.name().trim_end_matches("-nic");
        for pool in nic
            .ip_configurations
            .values()
            .flat_map(|c| &c.backend_pools)
        {
            let wanted = setup
                .guests
                .get(name)
                .is_some_and(|pools| pools.contains(&pool.name()));
            if pool.parent() == Some(web()) && !wanted {
                return Err(format!("left over: {name} in {}", pool.name()));
            }
        }
    }
    let paths = w.paths();
    for (name, facts) in &w.guests {
        let mut used: BTreeSet<String> = BTreeSet::new();
        for path in paths.iter().filter(|path| path.guest == *name) {
            let (address, port) = path.destination;
            used.insert(format!("address {address}"));
            used.insert(format!(
                "firewall {} port {port} to {address}",
                path.protocol.word()
            ));
        }
        // Ready for the day when the load balancer's owner makes it a member.
        if setup.shared.contains(name.as_str()) {
            let own = &facts.hostname;
            used.insert(format!("firewall tcp port 81 to {own}"));
            used.insert("firewall tcp port 80 to 65.52.0.8".to_owned());
            used.insert("address 65.52.0.8".to_owned());
        }
        for (key, entry) in facts
            .record()
            .into_iter()
            .flat_map(|record| &record.entries)
        {
            let ours = entry.claims.iter().any(|claim| claim.deployment == "model");
            if ours && !used.contains(&key.to_string()) && !key.to_string().contains(" port 8081 ")
            {
                return Err(format!("left over in {name}: {key}"));
            }
        }
        for rule in facts
            .firewall
            .base
            .iter()
            .flat_map(|chain| &chain.rules)
            .filter(|rule| rule.ours)
        {
            if facts.record().is_none_or(|record| {
                !record
                    .entries
                    .keys()
                    .any(|key| key.to_string() == rule.text)
            }) {
                return Err(format!("left over in {name}, unrecorded: {}", rule.text));
            }
        }
    }
    Ok(())
}
