//! What happens while a plan is applied, as data: views show it, the record follows from it.

use crate::model::Addr;
use crate::plan::StepId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Everything the plan relies on is being read once more.
    Checking,
    /// Nothing moved since the plan was made.
    Checked { milliseconds: u64 },
    Started {
        step: StepId,
        addr: Addr,
        title: String,
    },
    /// It is going on: `Azure is updating`, `throttled, waiting 10 s`.
    Progress {
        step: StepId,
        addr: Addr,
        note: String,
    },
    /// Done, read back and as planned.
    Verified {
        step: StepId,
        addr: Addr,
        title: String,
        milliseconds: u64,
    },
    /// It was done by an earlier, interrupted run of the same plan.
    AlreadyDone {
        step: StepId,
        addr: Addr,
        title: String,
    },
    Failed {
        step: StepId,
        addr: Addr,
        title: String,
        error: String,
        retryable: bool,
    },
    Skipped {
        step: StepId,
        addr: Addr,
        title: String,
        because: String,
    },
    Finished {
        done: usize,
        failed: usize,
        skipped: usize,
        milliseconds: u64,
    },
}
