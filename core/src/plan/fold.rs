//! What many guests have in common is said once: the entries of one pool's rules are the same in each of its members.

use super::{Action, EntryChange};
use crate::model::guest::{EntryKey, EntryState, Touch};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What was said already, by entry. It lives as long as the plan is made.
#[derive(Debug, Default)]
pub struct Fold(RefCell<HashMap<EntryKey, Vec<Folded>>>);

#[derive(Clone, Debug)]
struct Folded {
    change: Arc<EntryChange>,
    touch: Arc<Touch>,
}

impl Fold {
    /// The change and the touch of an entry that is to be there. What is to become of it follows from what it was, so `after`
    /// is asked only the first time.
    pub fn entry(
        &self,
        key: &EntryKey,
        before: &EntryState,
        because: &BTreeSet<Arc<str>>,
        how: String,
        after: impl FnOnce() -> (Action, EntryState),
    ) -> (Arc<EntryChange>, Arc<Touch>) {
        let mut all = self.0.borrow_mut();
        let same = |folded: &&Folded| {
            let change = &folded.change;
            change.before == *before
                && change.how == how
                && change
                    .because
                    .iter()
                    .map(String::as_str)
                    .eq(because.iter().map(AsRef::as_ref))
        };
        if let Some(found) = all.get(key).and_then(|known| known.iter().find(same)) {
            return (Arc::clone(&found.change), Arc::clone(&found.touch));
        }
        let (action, after) = after();
        let folded = Folded {
            change: Arc::new(EntryChange {
                key: key.clone(),
                action,
                before: before.clone(),
                after: after.clone(),
                because: because.iter().map(ToString::to_string).collect(),
                how,
            }),
            touch: Arc::new(Touch {
                key: key.clone(),
                before: before.clone(),
                after,
            }),
        };
        all.entry(key.clone()).or_default().push(folded.clone());
        (folded.change, folded.touch)
    }
}
