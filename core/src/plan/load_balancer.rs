//! Load balancers: every change to one of them in one after-image, with what is foreign kept as it is.

mod about;
mod recorded;
mod refused;

pub use about::item_about;
pub use recorded::{Owned, owned};
pub use refused::other_id;

use super::addresses::PublicAddresses;
use super::drift::moved;
use super::needs::Past;
use super::{Action, Change, ForeignItem, ItemChange};
use crate::config::DesiredLoadBalancer;
use crate::model::item::{Attr, diff};
use crate::model::observed::Observation;
use crate::model::schema::LOAD_BALANCER;
use crate::model::{Addr, ArmId, Attributes, FieldDiff, Item, ItemKind, LoadBalancer};
use crate::state::{Recorded, State, StateEdit};
use about::about;
use recorded::{adopted, as_recorded, drain, is_otherwise, meaning, past, recorded_item};
use refused::{dangling, replacing, replacing_items};
use std::collections::BTreeMap;

/// What happens to one load balancer.
#[derive(Debug)]
pub struct LoadBalancerPlan {
    pub addr: Addr,
    pub id: ArmId,
    pub observed: Option<LoadBalancer>,
    /// What it shall be; `None` where it is deleted.
    pub after: Option<LoadBalancer>,
    pub change: Change,
    pub record: Vec<StateEdit>,
    /// How long connections may go on: what the configuration says, and what it said of rules that go.
    pub drain_seconds: u64,
    /// For how long apply waits for listeners, in seconds, by the folded name of the rule.
    pub waits: BTreeMap<String, u64>,
    pub blocked: Vec<String>,
    /// It could be read.
    pub readable: bool,
    pub past: Past,
}

impl LoadBalancerPlan {
    /// Whether Azure has to be told anything.
    pub fn writes(&self) -> bool {
        match (&self.observed, &self.after) {
            // What failed is written again, even if it reads as asked: Azure did not bring it about.
            (Some(observed), Some(after)) => {
                observed.failed || observed.fingerprint() != after.fingerprint()
            }
            (None, Some(_)) | (Some(_), None) => self.readable,
            (None, None) => false,
        }
    }
}

/// One that is declared.
pub fn declared(
    addr: &Addr,
    desired: &DesiredLoadBalancer,
    observation: Option<&Observation<LoadBalancer>>,
    prior: Option<&State>,
    let_go: &Owned,
    public: &PublicAddresses,
) -> LoadBalancerPlan {
    let observed = observation.and_then(Observation::present);
    let recorded = prior.is_some_and(|p| p.resources.contains_key(addr));
    let owned = owned(prior, addr);
    let mut after = desired.over(observed);
    if observed.is_none() {
        // Everything new is Standard and regional; the Basic SKU was retired on 30 September 2025.
        for (name, value) in [("sku", "Standard"), ("sku_tier", "Regional")] {
            after
                .attributes
                .entry(name.to_owned())
                .or_insert_with(|| Attr::Text(value.to_owned()));
        }
    }
    let is_declared = |kind: ItemKind, name: &str| desired.item(kind, name).is_some();
    let is_ours = |kind: ItemKind, name: &str| owned.contains(&(kind, name.to_ascii_lowercase()));
    let is_let_go =
        |kind: ItemKind, name: &str| let_go.contains(&(kind, name.to_ascii_lowercase()));
    let observed_names = observed.map(LoadBalancer::names).unwrap_or_default();
    let find = |kind: ItemKind, name: &str| {
        let name = observed_names.get(&(kind, name.to_ascii_lowercase()))?;
        observed?.item(kind, name)
    };
    let after_names = after.names();

    let mut change = Change::new(addr.clone(), Action::NoOp);
    change.about = about(&after);
    let mut record = vec![StateEdit::LoadBalancer {
        addr: addr.clone(),
        id: desired.id.clone(),
        attributes: desired
            .attributes
            .clone()
            .into_iter()
            .chain(drain(desired.drain_seconds))
            .collect(),
    }];
    for item in observed.into_iter().flat_map(all_items) {
        let (kind, item) = item;
        if is_declared(kind, &item.name) {
            continue;
        }
        if is_ours(kind, &item.name) && is_let_go(kind, &item.name) {
            change.items.push(ItemChange {
                kind,
                name: item.name.clone(),
                action: Action::Forget,
                about: String::new(),
                fields: vec![],
            });
        } else if is_ours(kind, &item.name) {
            let about = observed
                .map(|o| item_about(o, kind, item, public))
                .unwrap_or_default();
            change.items.push(ItemChange {
                kind,
                name: item.name.clone(),
                action: Action::Delete,
                about,
                fields: vec![],
            });
            after.remove(kind, &item.name);
        } else {
            change.foreign.push(ForeignItem {
                kind,
                name: item.name.clone(),
            });
        }
    }
    for (kind, name) in &owned {
        if is_declared(*kind, name) {
            continue;
        }
        record.push(StateEdit::RemoveItem {
            addr: addr.clone(),
            kind: *kind,
            name: name.clone(),
        });
        // Somebody deleted it before us: only the state has to learn of it.
        if observed.is_some_and(|o| o.item(*kind, name).is_none()) {
            change.items.push(ItemChange {
                kind: *kind,
                name: name.clone(),
                action: Action::Forget,
                about: String::new(),
                fields: Vec::new(),
            });
        }
    }
    for item in &desired.items {
        let whole = after_names
            .get(&(item.kind, item.name.to_ascii_lowercase()))
            .and_then(|name| after.item(item.kind, name))
            .cloned()
            .unwrap_or_else(|| Item::new(item.name.clone()));
        let before = find(item.kind, &item.name);
        let empty = Attributes::new();
        let mut fields = diff(
            item.kind.attributes(),
            before.map_or(&empty, |b| &b.attributes),
            &whole.attributes,
        );
        let action = match before {
            None => {
                fields.retain(|f| f.after.is_some());
                Action::Create
            }
            Some(_) if !is_ours(item.kind, &item.name) => Action::Adopt,
            Some(before) => {
                let known = recorded_item(prior, addr, item.kind, &whole.name);
                fields.extend(known.into_iter().flat_map(|k| meaning(k, item, &whole)));
                let moved = |known| {
                    let ignored = &item.lifecycle.ignore_changes;
                    moved(item.kind.attributes(), known, &before.attributes, ignored)
                };
                match known {
                    _ if !fields.is_empty() => Action::Update,
                    // It is as declared and not as recorded (an edit by hand, a run that died before it could record):
                    // without this the difference would be drift that nothing heals.
                    Some(known) if !moved(known).is_empty() => Action::Adopt,
                    Some(_) | None => Action::NoOp,
                }
            }
        };
        change.items.push(ItemChange {
            kind: item.kind,
            name: whole.name.clone(),
            action,
            about: item_about(&after, item.kind, &whole, public),
            fields,
        });
        record.push(StateEdit::Item {
            addr: addr.clone(),
            kind: item.kind,
            name: whole.name.clone(),
            attributes: as_recorded(item, &whole),
        });
    }
    let empty = Attributes::new();
    let mut fields = diff(
        LOAD_BALANCER,
        observed.map_or(&empty, |o| &o.attributes),
        &after.attributes,
    );
    if observed.is_some_and(|o| o.failed) {
        fields.push(FieldDiff::failed_before());
    }
    let mut blocked = Vec::new();
    if let Some(Observation::Unreadable { why }) = observation {
        blocked.push(format!("{addr} could not be read: {why}"));
    }
    if observed.is_some() {
        blocked.extend(replacing(addr, &fields));
    }
    if let Some(Recorded::LoadBalancer { id, .. }) = prior.and_then(|p| p.resources.get(addr))
        && *id != desired.id
    {
        blocked.push(other_id(addr, id, &desired.id));
    }
    blocked.extend(replacing_items(addr, &change));
    blocked.extend(dangling(addr, &after, &change));
    let touched = change.items.iter().any(|i| {
        !matches!(i.action, Action::NoOp | Action::Adopt | Action::Forget) || !i.fields.is_empty()
    });
    change.action = match observed {
        None => Action::Create,
        Some(_) if !recorded => Action::Adopt,
        Some(_) if touched || !fields.is_empty() => Action::Update,
        Some(observed)
            if is_otherwise(prior, addr, desired, observed)
                || change
                    .items
                    .iter()
                    .any(|i| matches!(i.action, Action::Adopt | Action::Forget)) =>
        {
            Action::Adopt
        }
        Some(_) => Action::NoOp,
    };
    if observed.is_some() {
        change.fields = fields;
    }
    let mut past = past(prior, addr);
    adopted(&mut past, desired, observed, &owned);
    LoadBalancerPlan {
        addr: addr.clone(),
        id: desired.id.clone(),
        observed: observed.cloned(),
        after: Some(after),
        change,
        record,
        drain_seconds: desired.drain_seconds.max(past.drain_seconds),
        waits: desired
            .items
            .iter()
            .filter(|item| item.guest.wait_for_listener_seconds > 0)
            .map(|item| {
                let seconds = item.guest.wait_for_listener_seconds;
                (item.name.to_ascii_lowercase(), seconds)
            })
            .collect(),
        blocked,
        readable: !matches!(observation, Some(Observation::Unreadable { .. })),
        past,
    }
}

/// One that the state knows and the configuration does not.
pub fn undeclared(
    addr: &Addr,
    id: &ArmId,
    observation: Option<&Observation<LoadBalancer>>,
    prior: Option<&State>,
    public: &PublicAddresses,
) -> LoadBalancerPlan {
    let observed = observation.and_then(Observation::present);
    let owned = owned(prior, addr);
    let mut change = Change::new(
        addr.clone(),
        if observed.is_some() {
            Action::Delete
        } else {
            Action::Forget
        },
    );
    let mut blocked = Vec::new();
    if let Some(observed) = observed {
        change.about = about(observed);
        for (kind, item) in all_items(observed) {
            if owned.contains(&(kind, item.name.to_ascii_lowercase())) {
                change.items.push(ItemChange {
                    kind,
                    name: item.name.clone(),
                    action: Action::Delete,
                    about: item_about(observed, kind, item, public),
                    fields: vec![],
                });
            } else {
                change.foreign.push(ForeignItem {
                    kind,
                    name: item.name.clone(),
                });
            }
        }
        if !change.foreign.is_empty() {
            let names: Vec<String> = change
                .foreign
                .iter()
                .map(|f| format!("{} {:?}", f.kind.word(), f.name))
                .collect();
            blocked.push(format!(
                "{addr} holds what is not ours ({}): deleting it would delete that too; \
                 keep the load_balancer block and remove only its own rules, or delete those first",
                names.join(", ")
            ));
        }
    }
    if let Some(Observation::Unreadable { why }) = observation {
        blocked.push(format!("{addr} could not be read: {why}"));
    }
    let past = past(prior, addr);
    LoadBalancerPlan {
        addr: addr.clone(),
        id: id.clone(),
        observed: observed.cloned(),
        after: None,
        change,
        record: vec![StateEdit::Remove { addr: addr.clone() }],
        drain_seconds: past.drain_seconds,
        waits: BTreeMap::new(),
        blocked,
        readable: !matches!(observation, Some(Observation::Unreadable { .. })),
        past,
    }
}

/// One that the configuration lets go: Azure keeps it as it is, and the state forgets it.
pub fn let_go(
    addr: &Addr,
    id: &ArmId,
    observation: Option<&Observation<LoadBalancer>>,
) -> LoadBalancerPlan {
    let observed = observation.and_then(Observation::present);
    let mut change = Change::new(addr.clone(), Action::Forget);
    if let Some(observed) = observed {
        change.about = about(observed);
        change
            .notes
            .push("kept in Azure as it is; plimsoll no longer looks after it".to_owned());
    }
    LoadBalancerPlan {
        addr: addr.clone(),
        id: id.clone(),
        observed: observed.cloned(),
        after: observed.cloned(),
        change,
        record: vec![StateEdit::Remove { addr: addr.clone() }],
        drain_seconds: 0,
        waits: BTreeMap::new(),
        blocked: Vec::new(),
        readable: true,
        past: Past::default(),
    }
}

pub fn all_items(load_balancer: &LoadBalancer) -> impl Iterator<Item = (ItemKind, &Item)> {
    ItemKind::ALL
        .into_iter()
        .flat_map(|kind| load_balancer.of_kind(kind).map(move |item| (kind, item)))
}
