//! What applying a plan takes: writes, requests, scripts and time. Known before the first write, so that it can be shown.

use super::{Plan, Reliance, Step, StepAction, StepId};
use crate::model::ArmId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A script over ssh or a public IP address, of which nothing better is known.
const SHORT_SECONDS: u64 = 1;

/// What it takes to apply the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// PUTs and DELETEs that Azure gets.
    pub writes: usize,
    /// Requests to Azure, the check before the first write and one poll for each write included.
    pub requests: usize,
    /// Scripts that run in guests.
    pub scripts: usize,
    /// How long it takes when every step that may run beside others does: the longest chain of steps that wait.
    pub seconds: u64,
    /// How much of that is spent on letting connections end.
    pub drain_seconds: u64,
}

impl Plan {
    pub fn cost(&self) -> Cost {
        let writes = self.writes();
        let scripts = self
            .steps
            .iter()
            .filter(|step| matches!(step.action, StepAction::Guest(_)))
            .count();
        Cost {
            writes,
            requests: checked(&self.steps, &self.relies_on)
                + self.steps.iter().map(requests).sum::<usize>(),
            scripts,
            seconds: longest(&self.steps),
            drain_seconds: self
                .steps
                .iter()
                .map(|step| match step.action {
                    StepAction::Drain { seconds } => seconds,
                    _ => 0,
                })
                .max()
                .unwrap_or(0),
        }
    }
}

/// The GETs of the check: everything in Azure that is touched or relied on, once.
fn checked(steps: &[Step], relies_on: &[Reliance]) -> usize {
    let touched = steps.iter().filter_map(|step| match &step.action {
        StepAction::PutPublicIpPrefix { resource, .. } => Some(&resource.id),
        StepAction::PutPublicIp { resource, .. } => Some(&resource.id),
        StepAction::PutLoadBalancer { resource, .. } => Some(&resource.id),
        StepAction::DeletePublicIpPrefix { id, .. }
        | StepAction::DeletePublicIp { id, .. }
        | StepAction::DeleteLoadBalancer { id, .. }
        | StepAction::PutNetworkInterface { id, .. } => Some(id),
        StepAction::Guest(_)
        | StepAction::WaitForListeners { .. }
        | StepAction::Drain { .. }
        | StepAction::Record => None,
    });
    let relied = relies_on.iter().filter_map(|reliance| match reliance {
        Reliance::LoadBalancer { id, .. }
        | Reliance::PublicIpPrefix { id, .. }
        | Reliance::PublicIp { id, .. } => Some(id),
        Reliance::Entry { .. } => None,
    });
    touched.chain(relied).collect::<BTreeSet<&ArmId>>().len()
}

/// GET, PUT, one poll, GET; a DELETE needs no GET afterwards.
fn requests(step: &Step) -> usize {
    match step.action {
        StepAction::PutPublicIpPrefix { .. }
        | StepAction::PutPublicIp { .. }
        | StepAction::PutLoadBalancer { .. }
        | StepAction::PutNetworkInterface { .. } => 4,
        StepAction::DeletePublicIpPrefix { .. }
        | StepAction::DeletePublicIp { .. }
        | StepAction::DeleteLoadBalancer { .. } => 3,
        StepAction::Guest(_)
        | StepAction::WaitForListeners { .. }
        | StepAction::Drain { .. }
        | StepAction::Record => 0,
    }
}

fn seconds(step: &Step) -> u64 {
    match (step.usual_time(false), &step.action) {
        (Some(time), _) => time.as_secs(),
        (None, StepAction::WaitForListeners { .. } | StepAction::Record) => 0,
        (None, _) => SHORT_SECONDS,
    }
}

/// Steps come after those they wait for, so one pass is enough.
fn longest(steps: &[Step]) -> u64 {
    let mut ends: BTreeMap<StepId, u64> = BTreeMap::new();
    for step in steps {
        let waits = step.after.iter().filter_map(|edge| ends.get(&edge.step));
        let begins = waits.max().copied().unwrap_or(0);
        ends.insert(step.id, begins + seconds(step));
    }
    ends.into_values().max().unwrap_or(0)
}
