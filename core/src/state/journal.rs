//! The journal of a run, kept in the state so that any runner can go on.

use super::StateEdit;
use crate::model::{Digest, Fingerprint};
use crate::plan::StepId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which plan is being applied and how far it got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Digest of the plan: `apply` of the same plan goes on, any other one starts anew.
    pub plan: Digest,
    pub run: u64,
    pub started: String,
    pub steps: BTreeMap<StepId, StepStatus>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum StepStatus {
    /// Sent, or about to be; with the operation to ask where Azure gave one.
    InFlight {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// What it will record once done: it may have come true although nobody lived to write it down.
        intent: Vec<StateEdit>,
    },
    Done {
        /// What was read back, where the step wrote to Azure: it may say more than was sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<Fingerprint>,
    },
    Failed {
        error: String,
        /// As in flight: a failed write may have come true in part.
        intent: Vec<StateEdit>,
    },
}
