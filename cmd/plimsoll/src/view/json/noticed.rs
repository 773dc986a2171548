//! What was noticed: drift and findings, with ids that stay the same from run to run.

use super::diagnostic::Place;
use crate::view::PlanShown;
use plimsoll_core::{model, plan};
use schemars::JsonSchema;
use serde::Serialize;

/// Observed differs from what was last applied.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Drift {
    /// The same drift has the same id in every run.
    id: String,
    address: String,
    severity: SeverityWord,
    kind: DriftKind,
    what: String,
    /// What it does to traffic, a sentence for each rule.
    impact: Vec<String>,
    cause: String,
    place: Option<Place>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DriftKind {
    Changed,
    WouldNotSurviveReboot,
    NotYetApplied,
    NeverRecorded,
    Cluster,
}

/// A check's result.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Finding {
    /// The same finding has the same id in every run.
    id: String,
    /// `plimsoll explain CODE` says more.
    code: String,
    severity: SeverityWord,
    address: Option<String>,
    what: String,
    notes: Vec<String>,
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SeverityWord {
    Error,
    Warning,
    Advice,
}

pub(super) fn severity(severity: model::Severity) -> SeverityWord {
    match severity {
        model::Severity::Error => SeverityWord::Error,
        model::Severity::Warning => SeverityWord::Warning,
        model::Severity::Advice => SeverityWord::Advice,
    }
}

pub(super) fn drift(drift: &plan::Drift, shown: &PlanShown<'_>) -> Drift {
    Drift {
        id: drift.id.clone(),
        address: drift.addr.to_string(),
        severity: severity(drift.severity),
        kind: match drift.kind {
            plan::DriftKind::Changed => DriftKind::Changed,
            plan::DriftKind::WouldNotSurviveReboot => DriftKind::WouldNotSurviveReboot,
            plan::DriftKind::NotYetApplied => DriftKind::NotYetApplied,
            plan::DriftKind::NeverRecorded => DriftKind::NeverRecorded,
            plan::DriftKind::Cluster => DriftKind::Cluster,
        },
        what: drift.what.to_string(),
        impact: drift.impact.clone(),
        cause: drift.cause.to_string(),
        place: shown.places.of(&drift.addr, &drift.what).map(Place::from),
    }
}

pub(super) fn finding(finding: &plan::Finding, shown: &PlanShown<'_>) -> Finding {
    Finding {
        id: finding.id(),
        code: finding.code.to_string(),
        severity: severity(finding.severity),
        address: finding.addr.as_ref().map(ToString::to_string),
        what: finding.what.to_string(),
        notes: finding.notes.iter().map(ToString::to_string).collect(),
        place: finding
            .addr
            .as_ref()
            .and_then(|addr| shown.places.of(addr, &finding.what))
            .map(Place::from),
    }
}
