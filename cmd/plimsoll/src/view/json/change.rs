//! What changes about one resource.

use super::diagnostic::Place;
use crate::view::PlanShown;
use plimsoll_core::model::{self, Attr};
use plimsoll_core::plan::{self, Action};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionWord {
    NoOp,
    Create,
    Update,
    Replace,
    Delete,
    /// It exists and is ours from now on.
    Adopt,
    /// It is no longer looked after.
    Forget,
}

/// One resource of the configuration or of the state.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Change {
    /// `load_balancer.web`, `guest.vm["a"]`
    address: String,
    r#type: &'static str,
    action: ActionWord,
    /// For people: `Standard · rg-web · westeurope`.
    about: String,
    /// Where it stands in the configuration.
    place: Option<Place>,
    fields: Vec<Field>,
    /// Parts of a load balancer.
    items: Vec<Item>,
    /// What a guest holds.
    entries: Vec<Entry>,
    memberships: Vec<Membership>,
    /// Parts that are neither in the configuration nor in the state: kept.
    foreign: Vec<Foreign>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Field {
    name: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// The value of an attribute.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Item {
    r#type: &'static str,
    name: String,
    action: ActionWord,
    about: String,
    fields: Vec<Field>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Entry {
    /// What it is: `address 65.52.0.1`, `firewall tcp port 80 to 65.52.0.1`.
    entry: String,
    action: ActionWord,
    /// For people: `on lo`.
    how: String,
    /// The rules it is for.
    rules: Vec<String>,
    before: EntryState,
    after: EntryState,
}

/// Running now and surviving a reboot are two facts.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EntryState {
    now: bool,
    after_reboot: bool,
    /// Who claims it.
    claims: Vec<Claim>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Claim {
    deployment: String,
    lineage: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Membership {
    /// An id of Azure Resource Manager.
    network_interface: String,
    ip_configuration: String,
    /// An id of Azure Resource Manager.
    backend_pool: String,
    action: ActionWord,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Foreign {
    r#type: &'static str,
    name: String,
}

pub(super) fn action(action: Action) -> ActionWord {
    match action {
        Action::NoOp => ActionWord::NoOp,
        Action::Create => ActionWord::Create,
        Action::Update => ActionWord::Update,
        Action::Replace => ActionWord::Replace,
        Action::Delete => ActionWord::Delete,
        Action::Adopt => ActionWord::Adopt,
        Action::Forget => ActionWord::Forget,
    }
}

fn value(value: &Attr) -> Value {
    match value {
        Attr::Bool(value) => Value::Bool(*value),
        Attr::Int(value) => Value::Int(*value),
        Attr::Text(value) => Value::Text(value.clone()),
        Attr::List(value) => Value::List(value.clone()),
        Attr::Map(value) => Value::Map(value.clone()),
    }
}

fn fields(fields: &[model::FieldDiff]) -> Vec<Field> {
    fields
        .iter()
        .map(|field| Field {
            name: field.name.clone(),
            before: field.before.as_ref().map(value),
            after: field.after.as_ref().map(value),
        })
        .collect()
}

fn entry_state(state: &model::guest::EntryState) -> EntryState {
    EntryState {
        now: state.live,
        after_reboot: state.survives,
        claims: state
            .claims
            .iter()
            .map(|claim| Claim {
                deployment: claim.deployment.clone(),
                lineage: claim.lineage.clone(),
            })
            .collect(),
    }
}

pub(super) fn change(change: &plan::Change, shown: &PlanShown<'_>) -> Change {
    Change {
        address: change.addr.to_string(),
        r#type: change.addr.kind.word(),
        action: action(change.action),
        about: change.about.clone(),
        place: shown.places.of(&change.addr, "").map(Place::from),
        fields: fields(&change.fields),
        items: change
            .items
            .iter()
            .map(|item| Item {
                r#type: item.kind.word(),
                name: item.name.clone(),
                action: action(item.action),
                about: item.about.clone(),
                fields: fields(&item.fields),
            })
            .collect(),
        entries: change
            .entries
            .iter()
            .map(|entry| Entry {
                entry: entry.key.to_string(),
                action: action(entry.action),
                how: entry.how.clone(),
                rules: entry.because.clone(),
                before: entry_state(&entry.before),
                after: entry_state(&entry.after),
            })
            .collect(),
        memberships: change
            .memberships
            .iter()
            .map(|membership| Membership {
                network_interface: membership.interface.to_string(),
                ip_configuration: membership.ip_configuration.clone(),
                backend_pool: membership.pool.to_string(),
                action: action(membership.action),
            })
            .collect(),
        foreign: change
            .foreign
            .iter()
            .map(|foreign| Foreign {
                r#type: foreign.kind.word(),
                name: foreign.name.clone(),
            })
            .collect(),
        notes: change.notes.clone(),
    }
}
