//! Fills in what the plan announced as known after apply: addresses that Azure gave in the meantime.

use crate::model::guest::{Claim, EntryKey, EntryState, GuestFacts, Touch};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, ItemKind, LoadBalancer, PublicIp, Shared, Where};
use crate::plan::{GuestStep, Plan, Step, StepAction};
use crate::state::StateEdit;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The newest that is known of the world while a plan is applied.
#[derive(Debug, Default)]
pub struct Known {
    addresses: BTreeMap<ArmId, IpAddr>,
    facts: BTreeMap<Addr, GuestFacts>,
}

impl Known {
    pub fn learn(&mut self, observed: &Observed) {
        for load_balancer in observed
            .load_balancers
            .values()
            .filter_map(Observation::present)
        {
            self.load_balancer(load_balancer);
        }
        for public_ip in observed
            .public_ips
            .values()
            .filter_map(Observation::present)
        {
            self.public_ip(public_ip);
        }
        for (addr, observation) in &observed.guests {
            if let Some(facts) = observation.present() {
                self.guest(addr, facts.clone());
            }
        }
    }

    pub fn load_balancer(&mut self, found: &LoadBalancer) {
        for (frontend, address) in &found.dynamic_addresses {
            self.addresses
                .insert(found.id_of(ItemKind::Frontend, frontend), *address);
        }
    }

    pub fn public_ip(&mut self, found: &PublicIp) {
        if let Some(address) = found.address {
            self.addresses.insert(found.id.clone(), address);
        }
    }

    pub fn guest(&mut self, addr: &Addr, facts: GuestFacts) {
        self.facts.insert(addr.clone(), facts);
    }

    pub fn facts(&self, addr: &Addr) -> Option<&GuestFacts> {
        self.facts.get(addr)
    }

    fn resolve(&self, key: &EntryKey) -> Result<EntryKey, String> {
        match key.destination() {
            None | Some(Where::Known(_)) => Ok(key.clone()),
            Some(Where::AfterApply(id)) => self.address(id).map(|address| key.resolved(address)),
        }
    }

    fn address(&self, id: &ArmId) -> Result<IpAddr, String> {
        let found = self.addresses.get(id).copied();
        found.ok_or_else(|| format!("Azure has not told the address of {} yet", id.name()))
    }
}

/// The step's action and its records with every address filled in. What turns out to be there already by someone else's
/// doing is left out of both: it satisfies the need and is not ours. So is what an earlier claim would have taken away, where
/// the address that Azure chose turns out to be that very one.
pub fn filled(
    step: &Step,
    plan: &Plan,
    known: &Known,
    claim: &Claim,
) -> Result<(StepAction, Vec<StateEdit>), String> {
    let guest = match &step.action {
        StepAction::Guest(guest) => guest,
        StepAction::WaitForListeners { seconds, services } => {
            let mut services = services.clone();
            for service in &mut services {
                if let Where::AfterApply(id) = &service.destination {
                    service.destination = Where::Known(known.address(id)?);
                }
            }
            let seconds = *seconds;
            let action = StepAction::WaitForListeners { seconds, services };
            return Ok((action, step.record.clone()));
        }
        other => return Ok((other.clone(), step.record.clone())),
    };
    let facts = known.facts(&guest.guest.addr);
    let mut ensure = Vec::with_capacity(guest.ensure.len());
    let mut satisfied = Vec::new();
    for touch in &guest.ensure {
        let key = known.resolve(&touch.key)?;
        if key == touch.key {
            ensure.push(touch.clone());
            continue;
        }
        let before = facts.map(|f| f.state_of(&key)).unwrap_or_default();
        if before.live && before.claims.is_empty() {
            satisfied.push(touch.key.clone());
            continue;
        }
        let mut after = touch.after.clone();
        // What this deployment claimed under a lost state is taken over, not kept beside.
        let others = before
            .claims
            .iter()
            .filter(|c| c.deployment != claim.deployment);
        after.claims.extend(others.cloned());
        ensure.push(Touch { key, before, after });
    }
    let (release, held) = released(guest, plan, known, claim)?;
    let is_moot = |edit: &StateEdit| {
        matches!(edit, StateEdit::Entry { key, .. } if satisfied.contains(key))
            || matches!(edit, StateEdit::RemoveEntry { key, .. } if held.contains(key))
    };
    let record = step
        .record
        .iter()
        .filter(|edit| !is_moot(edit))
        .map(|edit| match edit {
            StateEdit::Entry { addr, key } => known.resolve(key).map(|key| StateEdit::Entry {
                addr: addr.clone(),
                key,
            }),
            StateEdit::RemoveEntry { addr, key } => {
                known.resolve(key).map(|key| StateEdit::RemoveEntry {
                    addr: addr.clone(),
                    key,
                })
            }
            other => Ok(other.clone()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let filled = GuestStep {
        guest: guest.guest.clone(),
        ensure: ensure.into(),
        release,
    };
    Ok((StepAction::Guest(filled), record))
}

/// What the guest loses, and the keys of what it does not lose after all.
fn released(
    guest: &GuestStep,
    plan: &Plan,
    known: &Known,
    claim: &Claim,
) -> Result<(Shared<Touch>, BTreeSet<EntryKey>), String> {
    let mut release = Shared::default();
    if guest.release.is_empty() {
        return Ok((release, BTreeSet::new()));
    }
    let mut held = turned_out(&guest.guest.addr, plan, known);
    let facts = known.facts(&guest.guest.addr);
    for touch in guest.release.shared() {
        let key = known.resolve(&touch.key)?;
        if key == touch.key {
            if !held.contains(&key) {
                release.push(Arc::clone(touch));
            }
            continue;
        }
        // Held for the switch, at an address that the plan did not know: it goes by what the guest has of it by now.
        let before = facts.map(|f| f.state_of(&key)).unwrap_or_default();
        let (ours, others): (BTreeSet<Claim>, BTreeSet<Claim>) = before
            .claims
            .iter()
            .cloned()
            .partition(|c| c.deployment == claim.deployment);
        if ours.is_empty() {
            held.insert(touch.key.clone());
            continue;
        }
        let after = EntryState {
            live: before.live && !others.is_empty(),
            survives: before.survives && !others.is_empty(),
            claims: others,
        };
        release.push(Touch { key, before, after });
    }
    Ok((release, held))
}

/// What this plan makes a guest hold at addresses that were not known when it was made.
fn turned_out(guest: &Addr, plan: &Plan, known: &Known) -> BTreeSet<EntryKey> {
    let gained = plan.steps.iter().filter_map(|step| match &step.action {
        StepAction::Guest(action) if action.guest.addr == *guest => Some(&action.ensure),
        _ => None,
    });
    gained
        .flatten()
        .filter_map(|touch| {
            let resolved = known.resolve(&touch.key).ok()?;
            (resolved != touch.key).then_some(resolved)
        })
        .collect()
}
