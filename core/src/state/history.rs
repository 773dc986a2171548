//! Who applied what, when, with which version and commit.

use super::document::{State, Writer};
use crate::model::Digest;
use crate::plan::{Action, Mode, Plan};
use serde::{Deserialize, Serialize};

/// One run that wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    pub run: u64,
    pub mode: Mode,
    /// Digest of the plan: runs that went on with the same plan share it.
    pub plan: Digest,
    pub began: String,
    /// Absent while it goes on, and when it died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Every step of the plan is done.
    pub complete: bool,
    pub by: String,
    pub plimsoll_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// `update load_balancer.web`
    pub what: Vec<String>,
}

/// Runs that the state remembers. Whoever needs more keeps old states: a blob's versions, a pipeline's logs.
const RUNS: usize = 20;
/// Resources that one run names.
const NAMED: usize = 20;

impl State {
    /// A run begins to write.
    pub(crate) fn begin(&mut self, plan: &Plan, digest: Digest, began: String, writer: &Writer) {
        let touched = plan.changes.iter().filter(|c| c.action != Action::NoOp);
        let mut what: Vec<String> = touched
            .map(|change| format!("{} {}", word(change.action), change.addr))
            .collect();
        if what.len() > NAMED {
            let more = what.len() - NAMED;
            what.truncate(NAMED);
            what.push(format!("and {more} more"));
        }
        self.history.push(Applied {
            run: plan.run,
            mode: plan.mode,
            plan: digest,
            began,
            ended: None,
            complete: false,
            by: writer.by.clone(),
            plimsoll_version: writer.plimsoll_version.clone(),
            commit: writer.commit.clone(),
            what,
        });
        let old = self.history.len().saturating_sub(RUNS);
        self.history.drain(..old);
    }

    /// The run that began last is over.
    pub(crate) fn end(&mut self, at: String, complete: bool) {
        if let Some(last) = self.history.last_mut() {
            last.ended = Some(at);
            last.complete = complete;
        }
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::NoOp => "keep",
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Adopt => "adopt",
        Action::Forget => "forget",
    }
}
