//! What moved since the last apply.

use super::diagnostic::{self, Diagnostic};
use super::noticed::{self, Drift, Finding};
use crate::view::PlanShown;
use schemars::JsonSchema;
use serde::Serialize;

/// What moved since the last apply, and what that does to traffic.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DriftReport {
    /// When the world was read, RFC 3339.
    created: String,
    deployment: String,
    lab: bool,
    /// Everything was read.
    complete: bool,
    drifted: bool,
    drift: Vec<Drift>,
    /// What the configuration asks for since the last apply: nobody moved it, and it is no drift.
    not_yet_applied: Vec<Drift>,
    findings: Vec<Finding>,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn report(shown: &PlanShown<'_>) -> DriftReport {
    let plan = shown.plan;
    DriftReport {
        created: plan.created.clone(),
        deployment: plan.deployment.clone(),
        lab: plan.lab,
        complete: plan.complete,
        drifted: !plan.drift.is_empty(),
        drift: plan
            .drift
            .iter()
            .map(|d| noticed::drift(d, shown))
            .collect(),
        not_yet_applied: plan
            .not_yet_applied
            .iter()
            .map(|d| noticed::drift(d, shown))
            .collect(),
        findings: plan
            .findings
            .iter()
            .map(|f| noticed::finding(f, shown))
            .collect(),
        diagnostics: diagnostic::list(shown.told),
    }
}
