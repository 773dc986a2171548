//! The record, for programs: a document for each question.

use super::Document;
use super::pretty;
use super::versioned;
use crate::view::shown::StateShown;
use plimsoll_core::state::{Forgotten, Part, Recorded, State};
use plimsoll_store::LockInfo;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Everything that is recorded, one address each.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct List {
    addresses: Vec<String>,
}

/// The state itself: who applied what, who holds the lock, what is unfinished.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Overview {
    /// Where it is kept.
    place: String,
    deployment: String,
    lineage: String,
    serial: u64,
    /// The version of the format that it is kept in.
    version: u32,
    /// The newest run.
    run: u64,
    written: Option<Written>,
    /// The newest last.
    history: Vec<Applied>,
    /// A run is going on, or ended before its last step.
    unfinished: bool,
    lock: Option<Lock>,
    addresses: Vec<String>,
}

/// Who wrote it last, when, with what.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Written {
    at: String,
    by: String,
    plimsoll_version: String,
    commit: Option<String>,
}

/// One run that wrote.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Applied {
    run: u64,
    mode: super::plan::PlanMode,
    /// Digest of the plan: runs that went on with the same plan share it.
    plan: String,
    began: String,
    /// `null` while it goes on, and when it died.
    ended: Option<String>,
    /// Every step of the plan is done.
    complete: bool,
    by: String,
    plimsoll_version: String,
    commit: Option<String>,
    /// `update load_balancer.web`
    what: Vec<String>,
}

/// Who holds it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Lock {
    who: String,
    at: String,
    pid: u32,
    operation: String,
    /// Where the pipeline shows the run.
    url: Option<String>,
}

/// What is recorded of one resource.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OfPart {
    address: String,
    /// As it stands in the state, whose format has a version of its own.
    recorded: Map<String, Value>,
}

/// What was forgotten, or would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Gone {
    forgotten: Vec<Forgot>,
    dry_run: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Forgot {
    address: String,
    /// An id of Azure Resource Manager.
    id: Option<String>,
    /// Parts of a load balancer: foreign from now on.
    parts: Vec<String>,
    /// Entries that stay in the guest, with our claim on them.
    stays_in_guest: Vec<String>,
}

/// One address became another.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Moved {
    from: String,
    to: String,
}

/// The document that answers.
pub(super) fn text(shown: &StateShown<'_>) -> String {
    match shown {
        StateShown::List(state) => pretty(&list(state)),
        StateShown::Overview {
            place,
            state,
            holder,
        } => pretty(&overview(place, state, *holder)),
        StateShown::Part { part, state } => pretty(&of_part(part, state)),
        StateShown::Forgotten { gone, dry_run } => pretty(&forgotten(gone, *dry_run)),
        StateShown::Moved { from, to } => pretty(&moved(from.to_string(), to.to_string())),
    }
}

pub(super) fn list(state: &State) -> Document<List> {
    let addresses = addresses(&state.parts());
    versioned(super::STATE, "state-list", List { addresses })
}

pub(super) fn overview(
    place: &str,
    state: &State,
    holder: Option<&LockInfo>,
) -> Document<Overview> {
    let body = Overview {
        place: place.to_owned(),
        deployment: state.deployment.clone(),
        lineage: state.lineage.clone(),
        serial: state.serial,
        version: state.version,
        run: state.run,
        written: state.written.as_ref().map(|writer| Written {
            at: writer.at.clone(),
            by: writer.by.clone(),
            plimsoll_version: writer.plimsoll_version.clone(),
            commit: writer.commit.clone(),
        }),
        history: state
            .history
            .iter()
            .map(|run| Applied {
                run: run.run,
                mode: super::plan::mode(run.mode),
                plan: run.plan.to_string(),
                began: run.began.clone(),
                ended: run.ended.clone(),
                complete: run.complete,
                by: run.by.clone(),
                plimsoll_version: run.plimsoll_version.clone(),
                commit: run.commit.clone(),
                what: run.what.clone(),
            })
            .collect(),
        unfinished: state.journal.is_some(),
        lock: holder.map(|holder| Lock {
            who: holder.who.clone(),
            at: holder.at.clone(),
            pid: holder.pid,
            operation: holder.operation.clone(),
            url: holder.url.clone(),
        }),
        addresses: addresses(&state.parts()),
    };
    versioned(super::STATE, "state", body)
}

pub(super) fn of_part(part: &Part, state: &State) -> Document<OfPart> {
    let body = OfPart {
        address: part.to_string(),
        recorded: recorded(part, state),
    };
    versioned(super::STATE, "state-part", body)
}

pub(super) fn forgotten(gone: &[(Part, Forgotten)], dry_run: bool) -> Document<Gone> {
    let forgotten = gone
        .iter()
        .map(|(part, forgotten)| Forgot {
            address: part.to_string(),
            id: forgotten.id.as_ref().map(ToString::to_string),
            parts: addresses(&forgotten.parts),
            stays_in_guest: forgotten.entries.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let body = Gone { forgotten, dry_run };
    versioned(super::STATE, "state-forgotten", body)
}

pub(super) fn moved(from: String, to: String) -> Document<Moved> {
    versioned(super::STATE, "state-moved", Moved { from, to })
}

fn addresses(parts: &[Part]) -> Vec<String> {
    parts.iter().map(Part::to_string).collect()
}

fn recorded(part: &Part, state: &State) -> Map<String, Value> {
    let whole = state.resources.get(&part.addr);
    let value = match (&part.item, whole) {
        (Some((kind, name)), Some(Recorded::LoadBalancer { items, .. })) => {
            json!(items.get(kind).and_then(|names| names.get(name)))
        }
        (_, whole) => json!(whole),
    };
    match value {
        Value::Object(recorded) => recorded,
        // A part that is not in the state is refused before it is shown.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
