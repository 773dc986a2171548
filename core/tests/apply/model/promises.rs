//! The promises, judged from outside: by packets, and by what others left lying in the world.

use super::play::web;
use super::scenario::{Mode, Setup};
use crate::world::{Inner, Moment, Path};
use plimsoll_core::model::guest::EntryKey;
use plimsoll_core::model::*;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is not ours, in words.
pub fn foreign(w: &Inner) -> BTreeSet<String> {
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
                .filter(|pool| pool.parent() != Some(web()) || pool.name().starts_with("x-"))
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
            all.extend(
                theirs.map(|claim| {
                    format!("{name} {key} for {claim:?}: {}", facts.state_of(key).live)
                }),
            );
        }
    }
    for (name, key) in &w.admins {
        let key: EntryKey = key.parse().unwrap();
        all.insert(format!(
            "{name} {key} by the admin: {}",
            w.guests[name].state_of(&key).live
        ));
    }
    all
}

/// Nothing that is not ours has changed since somebody else last touched it.
pub fn check_foreign(w: &Inner) -> Result<(), String> {
    let now = foreign(w);
    let moved: Vec<&String> = now.symmetric_difference(&w.theirs).collect();
    if moved.is_empty() {
        Ok(())
    } else {
        Err(format!("something foreign changed: {moved:#?}"))
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

/// What is judged of a path: a cluster's address is moved by the cluster, and nothing is demanded where the mode is none.
fn judged(path: &Path, seen: &BTreeMap<String, BTreeSet<Mode>>) -> Path {
    let mut path = path.clone();
    if let Some(modes) = seen
        .get(&path.frontend)
        .filter(|_| path.load_balancer == "web")
    {
        let none = modes.contains(&Mode::None);
        let cluster = path.floating && modes.contains(&Mode::Cluster);
        path.held |= none || cluster;
        path.admitted |= none || (cluster && modes.len() > 1);
        // Who listens there is the cluster's affair, or nobody asked.
        path.heard |= none || cluster;
    }
    path
}

/// What is known of a run from outside.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub before: &'a [Path],
    pub trace: &'a [Moment],
    pub setup: &'a Setup,
    pub modes: &'a BTreeMap<String, BTreeSet<Mode>>,
    /// Others did something since it was planned.
    pub meddled: bool,
    pub lost: bool,
}

/// After every write of ours: what served goes on, and what is new is served.
pub fn check_writes(run: &Run<'_>) -> Result<(), String> {
    let mut earlier = run.before;
    for Moment { what, ours, paths } in run.trace {
        // With the state lost, a guest that left the configuration is a stranger: nobody knows how to reach it.
        let known = |path: &&Path| !run.lost || run.setup.guests.contains_key(path.guest.as_str());
        for path in paths.iter().filter(known).filter(|_| *ours) {
            let now = judged(path, run.modes);
            let was = earlier.iter().find(|other| now.is_same(other));
            // What served, served in truth: only what comes after is judged by what is promised.
            match was {
                Some(was) if was.serves() && !now.serves() => {
                    return Err(format!(
                        "{what:?} stopped what served: {was:?} became {now:?}"
                    ));
                }
                None if path.load_balancer == "web"
                    && !path.rule.starts_with("x-")
                    // With the state lost, a rule that left the configuration is nobody's.
                    && (!run.lost || run.setup.has(&path.rule))
                    // Nor does anybody know how a frontend was meant that left it.
                    && (!run.lost || run.setup.mode(&path.frontend).is_some())
                    && !run.meddled
                    && !now.is_ready() =>
                {
                    return Err(format!(
                        "{what:?} sends to a member that is not ready: {now:?}"
                    ));
                }
                Some(_) | None => {}
            }
        }
        earlier = paths;
    }
    Ok(())
}

/// What serves before and after a run in which nothing went wrong serves all the time.
pub fn check_gaps(run: &Run<'_>) -> Result<(), String> {
    let Some(end) = run.trace.last() else {
        return Ok(());
    };
    let serves = |paths: &[Path], path: &Path| {
        paths
            .iter()
            .any(|other| path.is_same(other) && other.serves())
    };
    for path in run
        .before
        .iter()
        .filter(|path| path.serves() && serves(&end.paths, path))
    {
        for moment in run.trace {
            if !serves(&moment.paths, path) {
                return Err(format!(
                    "{path:?} does not serve after {:?}, but before and after the run",
                    moment.what
                ));
            }
        }
    }
    Ok(())
}
