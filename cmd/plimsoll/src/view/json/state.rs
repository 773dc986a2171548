//! The record, for programs.

use crate::view::shown::StateShown;
use plimsoll_core::state::{Part, Recorded, State};
use serde_json::{Value, json};

pub(super) fn body(shown: &StateShown<'_>) -> Value {
    match shown {
        StateShown::List(state) => json!({ "addresses": addresses(&state.parts()) }),
        StateShown::Overview {
            place,
            state,
            holder,
        } => json!({
            "place": place,
            "deployment": state.deployment,
            "lineage": state.lineage,
            "serial": state.serial,
            "version": state.version,
            "run": state.run,
            "written": state.written,
            "history": state.history,
            "unfinished": state.journal.is_some(),
            "lock": holder,
            "addresses": addresses(&state.parts()),
        }),
        StateShown::Part { part, state } => json!({
            "address": part.to_string(),
            "recorded": recorded(part, state),
        }),
        StateShown::Forgotten { gone, dry_run } => {
            let gone: Vec<Value> = gone
                .iter()
                .map(|(part, forgotten)| {
                    json!({
                        "address": part.to_string(),
                        "id": forgotten.id,
                        "parts": addresses(&forgotten.parts),
                        "stays_in_guest": forgotten.entries,
                    })
                })
                .collect();
            json!({ "forgotten": gone, "dry_run": dry_run })
        }
        StateShown::Moved { from, to } => json!({ "from": from, "to": to }),
    }
}

fn addresses(parts: &[Part]) -> Vec<String> {
    parts.iter().map(Part::to_string).collect()
}

fn recorded(part: &Part, state: &State) -> Value {
    let whole = state.resources.get(&part.addr);
    match (&part.item, whole) {
        (Some((kind, name)), Some(Recorded::LoadBalancer { items, .. })) => {
            json!(items.get(kind).and_then(|names| names.get(name)))
        }
        (_, whole) => json!(whole),
    }
}
