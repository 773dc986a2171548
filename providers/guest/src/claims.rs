//! What a step does to the guest's record: which entries it makes, which go with their last claim, and the record between
//! the two. What is made is in the record before it is made; what goes is in it until it is gone.

use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::guest::{Entry, EntryKey, GuestRecord, Touch};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Claims {
    /// Entries to hold.
    pub(crate) made: Vec<EntryKey>,
    /// Entries whose last claim goes, as they stood in the record.
    pub(crate) gone: Vec<(EntryKey, Entry)>,
    /// The record once everything is made, and once everything is gone.
    pub(crate) between: GuestRecord,
    pub(crate) after: GuestRecord,
}

/// `prior` tells what an entry replaces, where it replaces something.
pub(crate) fn claims(
    order: &GuestOrder<'_>,
    before: GuestRecord,
    prior: impl Fn(&EntryKey) -> Option<Value>,
) -> Claims {
    let claim = order.claim;
    let mut between = before;
    let mut made = Vec::new();
    for Touch { key, .. } in &order.step.ensure {
        let entry = between.entries.entry(key.clone()).or_insert_with(|| Entry {
            prior: prior(key),
            ..Entry::default()
        });
        entry.claims.retain(|c| c.deployment != claim.deployment);
        entry.claims.insert(claim.clone());
        made.push(key.clone());
    }
    // It outlives the entries: a script that was sent earlier may still come.
    between.runs.insert(claim.deployment.clone(), order.run);
    let mut after = between.clone();
    let mut gone = Vec::new();
    for Touch { key, .. } in &order.step.release {
        // What the record does not know is not ours to remove.
        let Some(entry) = after.entries.get_mut(key) else {
            continue;
        };
        entry.claims.retain(|c| c.deployment != claim.deployment);
        if entry.claims.is_empty() {
            gone.extend(after.entries.remove_entry(key));
        }
    }
    Claims {
        made,
        gone,
        between,
        after,
    }
}
