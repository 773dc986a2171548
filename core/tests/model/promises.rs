//! The promises, judged from outside: by packets, and by what others left lying in the world.

use super::play::web;
use super::scenario::{Mode, Setup};
use super::world::{Inner, Path};
use plimsoll_core::model::guest::EntryKey;
use plimsoll_core::model::*;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is not ours, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign(BTreeSet<String>);

impl Foreign {
    pub fn of(w: &Inner) -> Self {
        let mut all = BTreeSet::new();
        for lb in w.load_balancers.values() {
            if lb.id != web() {
                all.insert(format!("{lb:?}"));
            }
            for kind in ItemKind::ALL {
                let strange = lb.of_kind(kind).filter(|item| item.name.starts_with("x-"));
                all.extend(strange.map(|item| format!("{} {kind:?} {item:?}", lb.id)));
            }
        }
        for nic in w.nics.values() {
            let pools = nic
                .ip_configurations
                .values()
                .flat_map(|c| &c.backend_pools);
            all.extend(
                pools
                    .filter(|pool| pool.name().starts_with("x-"))
                    .map(|pool| format!("{} in {pool}", nic.id)),
            );
        }
        for (name, facts) in &w.guests {
            let rules = facts.firewall.base.iter().flat_map(|chain| &chain.rules);
            all.extend(
                rules
                    .filter(|rule| !rule.ours)
                    .map(|rule| format!("{name} {rule:?}")),
            );
            let fixed = facts
                .addresses
                .iter()
                .filter(|a| a.interface != "lo" || a.address.addr().is_loopback());
            all.extend(fixed.map(|address| format!("{name} {address:?}")));
            for (key, entry) in facts
                .record()
                .into_iter()
                .flat_map(|record| &record.entries)
            {
                let theirs = entry
                    .claims
                    .iter()
                    .filter(|claim| claim.deployment != "model");
                all.extend(theirs.map(|claim| {
                    format!("{name} {key} for {claim:?}: {}", facts.state_of(key).live)
                }));
            }
        }
        for (name, key) in &w.admins {
            let key: EntryKey = key.parse().unwrap();
            all.insert(format!(
                "{name} {key} by the admin: {}",
                w.guests[name].state_of(&key).live
            ));
        }
        Self(all)
    }

    pub fn difference<'a>(&'a self, other: &'a Self) -> Vec<&'a String> {
        self.0.symmetric_difference(&other.0).collect()
    }
}

/// Notes the modes that frontends have had: where one changed, the promise is about neither.
pub fn modes(seen: &mut BTreeMap<String, BTreeSet<Mode>>, setup: &Setup) {
    for (frontend, mode) in &setup.frontends {
        seen.entry((*frontend).to_owned())
            .or_default()
            .insert(*mode);
    }
}

/// Whether a path is one that is promised to go on: of loopback frontends, of rules without floating IP, and of others.
fn is_judged(path: &Path, seen: &BTreeMap<String, BTreeSet<Mode>>) -> bool {
    let Some(modes) = seen.get(&path.frontend) else {
        return true;
    };
    !modes.contains(&Mode::None) && (!path.floating || !modes.contains(&Mode::Cluster))
}

fn same(a: &Path, b: &Path) -> bool {
    (a.address, a.protocol, a.port, &a.guest) == (b.address, b.protocol, b.port, &b.guest)
}

/// After every write: what served goes on, and what is new is served.
pub fn check_writes(
    before: &[Path],
    trace: &[(String, Vec<Path>)],
    setup: &Setup,
    seen: &BTreeMap<String, BTreeSet<Mode>>,
    edited: bool,
    lost: bool,
) -> Result<(), String> {
    let mut earlier = before;
    for (what, paths) in trace {
        // With the state lost, a guest that left the configuration is a stranger: nobody knows how to reach it.
        let known = |path: &&Path| !lost || setup.guests.contains_key(path.guest.as_str());
        for path in paths
            .iter()
            .filter(known)
            .filter(|path| is_judged(path, seen))
        {
            let was = earlier.iter().find(|other| same(path, other));
            match was {
                Some(was) if was.answer.is_ok() && !path.is_ready() => {
                    return Err(format!(
                        "{what:?} stopped what served: {was:?} became {path:?}"
                    ));
                }
                Some(was)
                    if was.answer.is_ok()
                        && path.answer.is_err()
                        && was.destination == path.destination =>
                {
                    return Err(format!("{what:?} took a listener: {path:?}"));
                }
                None if setup.rules.contains_key(path.rule.as_str())
                    && !edited
                    && !path.is_ready() =>
                {
                    return Err(format!(
                        "{what:?} sends to a member that is not ready: {path:?}"
                    ));
                }
                Some(_) | None => {}
            }
        }
        earlier = paths;
    }
    Ok(())
}

/// At rest: everything declared is there and ready, and nothing of ours is left over.
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
        let declared = setup.rules.contains_key(path.rule.as_str())
            && setup.guests.contains_key(path.guest.as_str());
        let mode = setup.mode(&path.frontend);
        let ours = mode == Some(Mode::Loopback) || (mode == Some(Mode::Cluster) && !path.floating);
        if declared && ours && !path.is_ready() {
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
        ItemKind::InboundNatRule | ItemKind::OutboundRule => false,
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
