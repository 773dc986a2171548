//! Approved is applied: everything that the plan touches or relies on is compared once more before the first write.

use crate::model::guest::{EntryKey, EntryState, GuestFacts, RecordFact, Touch};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, Fingerprint, LoadBalancer, PublicIp, PublicIpPrefix, Where};
use crate::plan::{GuestStep, Plan, Reliance, StepAction, Wanted};
use crate::state::{Journal, StepStatus};
use std::collections::BTreeMap;

/// A target that is neither as planned-before nor as planned-after, and what moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub target: String,
    pub what: Vec<String>,
}

/// What the check reads: only what the plan touches or relies on.
pub fn touched(plan: &Plan) -> Wanted {
    let mut wanted = Wanted::default();
    for step in &plan.steps {
        match &step.action {
            StepAction::PutPublicIpPrefix { resource, .. } => {
                wanted.public_ip_prefixes.insert(resource.id.clone());
            }
            StepAction::DeletePublicIpPrefix { id, .. } => {
                wanted.public_ip_prefixes.insert(id.clone());
            }
            StepAction::PutPublicIp { resource, .. } => {
                wanted.public_ips.insert(resource.id.clone());
            }
            StepAction::DeletePublicIp { id, .. } => {
                wanted.public_ips.insert(id.clone());
            }
            StepAction::PutLoadBalancer { resource, .. } => {
                wanted.load_balancers.insert(resource.id.clone());
            }
            StepAction::DeleteLoadBalancer { id, .. } => {
                wanted.load_balancers.insert(id.clone());
            }
            StepAction::PutNetworkInterface { id, .. } => {
                wanted.network_interfaces.insert(id.clone());
            }
            StepAction::Guest(guest) => {
                wanted
                    .guests
                    .insert(guest.guest.addr.clone(), guest.guest.clone());
            }
            // It asks again and again by itself.
            StepAction::WaitForListeners { .. } | StepAction::Drain { .. } | StepAction::Record => {
            }
        }
    }
    for reliance in &plan.relies_on {
        match reliance {
            Reliance::LoadBalancer { id, .. } => {
                wanted.load_balancers.insert(id.clone());
            }
            Reliance::PublicIpPrefix { id, .. } => {
                wanted.public_ip_prefixes.insert(id.clone());
            }
            Reliance::PublicIp { id, .. } => {
                wanted.public_ips.insert(id.clone());
            }
            Reliance::Entry { guest, .. } => {
                wanted.guests.insert(guest.addr.clone(), guest.clone());
            }
        }
    }
    wanted
}

pub fn moved(plan: &Plan, now: &Observed, journal: Option<&Journal>) -> Vec<Moved> {
    let mut all = Vec::new();
    let mut accepted: BTreeMap<ArmId, Vec<&Fingerprint>> = BTreeMap::new();
    let absent = Fingerprint::absent();
    let mut guests: BTreeMap<&Addr, Vec<&GuestStep>> = BTreeMap::new();
    for step in &plan.steps {
        match &step.action {
            StepAction::PutPublicIpPrefix {
                before,
                after,
                resource,
            } => {
                accepted
                    .entry(resource.id.clone())
                    .or_default()
                    .extend([before, after]);
            }
            StepAction::PutPublicIp {
                before,
                after,
                resource,
            } => {
                accepted
                    .entry(resource.id.clone())
                    .or_default()
                    .extend([before, after]);
            }
            StepAction::PutLoadBalancer {
                before,
                after,
                resource,
            } => {
                accepted
                    .entry(resource.id.clone())
                    .or_default()
                    .extend([before, after]);
            }
            StepAction::DeletePublicIpPrefix { id, before }
            | StepAction::DeletePublicIp { id, before }
            | StepAction::DeleteLoadBalancer { id, before } => {
                accepted
                    .entry(id.clone())
                    .or_default()
                    .extend([before, &absent]);
            }
            StepAction::Guest(guest) => {
                guests.entry(&guest.guest.addr).or_default().push(guest);
            }
            StepAction::PutNetworkInterface { .. }
            | StepAction::WaitForListeners { .. }
            | StepAction::Drain { .. }
            | StepAction::Record => {}
        }
    }
    all.extend(
        guests
            .iter()
            .filter_map(|(addr, steps)| guest_moved(addr, steps, now)),
    );
    // Azure may have answered more than was sent; what was read back then is as good as what was planned.
    for (step, status) in journal
        .filter(|j| j.plan == plan.digest())
        .into_iter()
        .flat_map(|j| &j.steps)
    {
        let StepStatus::Done { found: Some(found) } = status else {
            continue;
        };
        let id = plan.step(*step).and_then(|step| match &step.action {
            StepAction::PutPublicIpPrefix { resource, .. } => Some(&resource.id),
            StepAction::PutPublicIp { resource, .. } => Some(&resource.id),
            StepAction::PutLoadBalancer { resource, .. } => Some(&resource.id),
            _ => None,
        });
        if let Some(id) = id {
            accepted.entry(id.clone()).or_default().push(found);
        }
    }
    for reliance in &plan.relies_on {
        match reliance {
            Reliance::LoadBalancer { id, fingerprint }
            | Reliance::PublicIpPrefix { id, fingerprint } => {
                accepted.entry(id.clone()).or_default().push(fingerprint);
            }
            Reliance::PublicIp {
                id,
                fingerprint,
                address,
            } => {
                accepted.entry(id.clone()).or_default().push(fingerprint);
                let found = now
                    .public_ips
                    .get(id)
                    .and_then(Observation::present)
                    .and_then(|p| p.address);
                if found != *address {
                    let words = |a: Option<std::net::IpAddr>| {
                        a.map_or("none".to_owned(), |a| a.to_string())
                    };
                    let what = format!("its address was {}, is {}", words(*address), words(found));
                    all.push(Moved {
                        target: id.to_string(),
                        what: vec![what],
                    });
                }
            }
            Reliance::Entry { guest, key } => all.extend(entry_gone(&guest.addr, key, now)),
        }
    }
    for (id, fingerprints) in accepted {
        match fingerprint_now(&id, now) {
            Ok(found) if fingerprints.iter().any(|f| **f == found) => {}
            Ok(found) => all.push(Moved {
                target: id.to_string(),
                what: fingerprints[0].moved(&found),
            }),
            Err(why) => all.push(Moved {
                target: id.to_string(),
                what: vec![format!("it cannot be read any more: {why}")],
            }),
        }
    }
    all
}

fn fingerprint_now(id: &ArmId, now: &Observed) -> Result<Fingerprint, String> {
    fn of<T>(
        seen: Option<&Observation<T>>,
        fingerprint: impl Fn(&T) -> Fingerprint,
    ) -> Option<Result<Fingerprint, String>> {
        match seen? {
            Observation::Present(found) => Some(Ok(fingerprint(found))),
            Observation::Unreadable { why } => Some(Err(why.clone())),
            Observation::Absent => None,
        }
    }
    of(now.load_balancers.get(id), LoadBalancer::fingerprint)
        .or_else(|| of(now.public_ips.get(id), PublicIp::fingerprint))
        .or_else(|| of(now.public_ip_prefixes.get(id), PublicIpPrefix::fingerprint))
        .unwrap_or_else(|| Ok(Fingerprint::absent()))
}

fn guest_moved(addr: &Addr, steps: &[&GuestStep], now: &Observed) -> Option<Moved> {
    let what = match now.guests.get(addr) {
        Some(Observation::Present(facts)) => match &facts.record {
            RecordFact::Unusable { why } => vec![why.clone()],
            RecordFact::Absent | RecordFact::Present { .. } => touches_moved(steps, facts),
        },
        Some(Observation::Absent) => vec!["the virtual machine is gone".to_owned()],
        Some(Observation::Unreadable { why }) => vec![format!("it cannot be read any more: {why}")],
        None => vec!["it was not read".to_owned()],
    };
    let target = addr.to_string();
    (!what.is_empty()).then_some(Moved { target, what })
}

/// Entries that are as none of the steps leaves them or finds them. What is released may stay open for another reason, so
/// only the claims count then.
fn touches_moved(steps: &[&GuestStep], facts: &GuestFacts) -> Vec<String> {
    let mut touched: BTreeMap<&EntryKey, Vec<(&Touch, bool)>> = BTreeMap::new();
    for step in steps {
        let ensured = step.ensure.iter().map(|touch| (touch, false));
        for (touch, released) in ensured.chain(step.release.iter().map(|touch| (touch, true))) {
            if !matches!(touch.key.destination(), Some(Where::AfterApply(_))) {
                touched
                    .entry(&touch.key)
                    .or_default()
                    .push((touch, released));
            }
        }
    }
    let mut moved = Vec::new();
    for (key, touches) in touched {
        let now = facts.state_of(key);
        let is_expected = touches.iter().any(|(touch, released)| {
            now == touch.before
                || now == touch.after
                || (*released && now.claims == touch.after.claims)
        });
        if !is_expected && let Some((first, _)) = touches.first() {
            let (was, is) = (words(&first.before), words(&now));
            moved.push(format!("{key}: was {was}, is {is}"));
        }
    }
    moved
}

fn words(state: &EntryState) -> String {
    let live = if state.live { "there" } else { "not there" };
    let kept = if state.survives {
        ", kept over a reboot"
    } else {
        ""
    };
    let claims: Vec<&str> = state.claims.iter().map(|c| c.deployment.as_str()).collect();
    let claims = if claims.is_empty() {
        String::new()
    } else {
        format!(", claimed by {}", claims.join(" and "))
    };
    format!("{live}{kept}{claims}")
}

/// An entry that was there when the plan was made and is gone now.
fn entry_gone(guest: &Addr, key: &EntryKey, now: &Observed) -> Option<Moved> {
    let Some(Observation::Present(facts)) = now.guests.get(guest) else {
        return None;
    };
    (!facts.state_of(key).live).then(|| Moved {
        target: guest.to_string(),
        what: vec![format!("{key}: was there, is gone")],
    })
}
