//! Where a cluster's address is, as drift: members are read one after the other, and the cluster may move the address
//! between two reads. So what looks wrong is read once more before anybody is told.

use super::codes::{CLUSTER_ADDRESS, CLUSTER_PROBE};
use super::drift::of;
use super::{Drift, DriftKind, Finding, Plan};
use crate::config::Desired;
use crate::model::{Addr, Severity};
use crate::state::{Recorded, State};
use std::collections::BTreeSet;

fn is_of_cluster(finding: &Finding) -> bool {
    [CLUSTER_ADDRESS.code, CLUSTER_PROBE.code].contains(&&*finding.code)
}

/// A guest that was never applied may be without its cluster still.
pub(super) fn drift(prior: Option<&State>, findings: &[Finding]) -> Vec<Drift> {
    let applied = |addr: &Addr| {
        let recorded = prior.and_then(|prior| prior.resources.get(addr));
        matches!(recorded, Some(Recorded::Guest { .. }))
    };
    let of_cluster = findings.iter().filter(|f| is_of_cluster(f));
    of_cluster
        .filter_map(|finding| {
            let addr = finding.addr.as_ref().filter(|addr| applied(addr))?;
            let what = finding.what.clone();
            let about = what.to_string();
            let mut drift = of(addr, &about, Severity::Error, DriftKind::Cluster, what);
            drift.impact = finding.notes.iter().map(ToString::to_string).collect();
            drift.cause = format!(
                "the cluster moves this address, plimsoll never does ({})",
                finding.code
            )
            .into();
            Some(drift)
        })
        .collect()
}

/// The guests to read once more, because a cluster's address is not on one member or its probe on another: all members of
/// that cluster, since the address may have moved to any of them.
pub fn unsettled(plan: &Plan, desired: &Desired) -> BTreeSet<Addr> {
    let pools = |addr: &Addr| {
        let guest = desired.guests.get(addr);
        let interfaces = guest.into_iter().flat_map(|g| &g.interfaces);
        interfaces.flat_map(|i| i.backend_pools.iter())
    };
    let odd: BTreeSet<_> = plan
        .findings
        .iter()
        .filter(|f| is_of_cluster(f))
        .filter_map(|f| f.addr.as_ref())
        .flat_map(pools)
        .collect();
    let members = desired.guests.keys();
    members
        .filter(|addr| pools(addr).any(|pool| odd.contains(pool)))
        .cloned()
        .collect()
}
