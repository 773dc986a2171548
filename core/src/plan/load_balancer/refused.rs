//! What Azure would refuse of a change to one load balancer.

use super::all_items;
use crate::model::item::Attr;
use crate::model::schema::{LOAD_BALANCER, OnChange, Shape};
use crate::model::{Addr, ArmId, FieldDiff, LoadBalancer};
use crate::plan::{Action, Change};
use std::collections::BTreeSet;

pub(super) fn replacing(addr: &Addr, fields: &[FieldDiff]) -> Vec<String> {
    let text = |value: &Option<Attr>| {
        value
            .as_ref()
            .map_or("nothing".to_owned(), ToString::to_string)
    };
    fields
        .iter()
        .filter(|f| LOAD_BALANCER.iter().any(|a| a.name == f.name && a.on_change == OnChange::Replace))
        .map(|f| {
            format!(
                "{addr}: Azure cannot change {} in place ({} → {}); put it back, or declare another load balancer",
                f.name,
                text(&f.before),
                text(&f.after)
            )
        })
        .collect()
}

/// A sub-resource is replaced by one of another name in the same write; under its own name Azure changes it in place, or
/// refuses to.
pub(super) fn replacing_items(addr: &Addr, change: &Change) -> Vec<String> {
    let mut all = Vec::new();
    for item in change
        .items
        .iter()
        .filter(|item| item.action != Action::Create)
    {
        let attributes = item.kind.attributes();
        let replaces = |field: &&FieldDiff| {
            attributes
                .iter()
                .any(|a| a.name == field.name && a.on_change == OnChange::Replace)
        };
        all.extend(item.fields.iter().filter(replaces).map(|field| {
            format!(
                "{addr}: Azure cannot change {} of {} {:?} in place; put it back, or give it another name, \
                 so that one write deletes the old one and creates the new",
                field.name,
                item.kind.word(),
                item.name
            )
        }));
    }
    all
}

/// What is deleted must not be referred to by what stays: Azure would refuse the whole PUT.
pub(super) fn dangling(addr: &Addr, after: &LoadBalancer, change: &Change) -> Vec<String> {
    let deleted: BTreeSet<ArmId> = change
        .items
        .iter()
        .filter(|i| i.action == Action::Delete)
        .map(|i| after.id_of(i.kind, &i.name))
        .collect();
    let mut blocked = Vec::new();
    for (kind, item) in all_items(after) {
        for attribute in kind.attributes() {
            let ids: Vec<&str> = match (attribute.shape, item.attributes.get(attribute.name)) {
                (Shape::Id(_), Some(Attr::Text(id))) => vec![id.as_str()],
                (Shape::Ids(_), Some(Attr::List(ids))) => ids.iter().map(String::as_str).collect(),
                (_, _) => Vec::new(),
            };
            for id in ids
                .into_iter()
                .map(ArmId::new)
                .filter(|id| deleted.contains(id))
            {
                blocked.push(format!(
                    "{addr}: {} {:?} still refers to {:?}, which would be deleted; keep it declared until nothing uses it",
                    kind.word(),
                    item.name,
                    id.name()
                ));
            }
        }
    }
    blocked
}

/// Azure renames nothing: another name or resource group is another resource.
pub fn other_id(addr: &Addr, recorded: &ArmId, declared: &ArmId) -> String {
    format!(
        "{addr} was applied as {recorded} and is declared as {declared} now; Azure cannot rename it. \
         Give the new one a label of its own (the old one is deleted then), or put the name back"
    )
}
