//! What the state knows of a load balancer: which of its sub-resources are ours, and what no body in Azure says of them.

use crate::config::{DesiredItem, DesiredLoadBalancer, GuestMode};
use crate::model::item::Attr;
use crate::model::schema::LOAD_BALANCER;
use crate::model::{Addr, ArmId, Attributes, FieldDiff, Item, ItemKind, LoadBalancer, Rule};
use crate::plan::drift::moved_whole;
use crate::plan::needs::Past;
use crate::state::{Recorded, State};
use std::collections::BTreeSet;

/// Sub-resources of a load balancer that are ours, by kind and folded name.
pub type Owned = BTreeSet<(ItemKind, String)>;

/// Ours is what the state recorded; planning is given a settled one, with what an interrupted run was about to make.
pub fn owned(prior: Option<&State>, addr: &Addr) -> Owned {
    let mut owned = Owned::new();
    let Some(prior) = prior else {
        return owned;
    };
    if let Some(Recorded::LoadBalancer { items, .. }) = prior.resources.get(addr) {
        for (kind, names) in items {
            owned.extend(names.keys().map(|name| (*kind, name.to_ascii_lowercase())));
        }
    }
    owned
}

/// How guests see a frontend, recorded beside Azure's own attributes: no body says it. Not there is `loopback`.
const GUEST_MODE: &str = "guest_mode";

/// How long connections may go on once the rule is gone, in seconds, recorded beside Azure's own attributes. Not there is 0.
const DRAIN: &str = "drain_seconds";

/// What the state records of an item: once it left the configuration, only this says how it was meant.
pub(super) fn as_recorded(desired: &DesiredItem, whole: &Item) -> Attributes {
    let mut attributes = whole.attributes.clone();
    let mode = match desired.guest.mode {
        GuestMode::Cluster => Some("cluster"),
        GuestMode::None => Some("none"),
        GuestMode::Loopback => None,
    };
    attributes.extend(mode.map(|mode| (GUEST_MODE.to_owned(), Attr::Text(mode.to_owned()))));
    attributes.extend(drain(desired.guest.drain_seconds));
    attributes
}

pub(super) fn drain(seconds: u64) -> Option<(String, Attr)> {
    let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    Some((DRAIN.to_owned(), Attr::Int(seconds)))
}

fn drain_of(attributes: &Attributes) -> u64 {
    let seconds = attributes.get(DRAIN).and_then(Attr::as_int);
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or(0)
}

/// What an item means to guests where that changes. No body says it, so that Azure is not written for it.
pub(super) fn meaning(known: &Attributes, desired: &DesiredItem, whole: &Item) -> Vec<FieldDiff> {
    let meant = as_recorded(desired, whole);
    let defaults = [
        (GUEST_MODE, Attr::Text("loopback".to_owned())),
        (DRAIN, Attr::Int(0)),
    ];
    let changes = defaults.into_iter().filter_map(|(name, default)| {
        let of = |attributes: &Attributes| attributes.get(name).unwrap_or(&default).clone();
        let (before, after) = (of(known), of(&meant));
        (before != after).then(|| FieldDiff {
            name: name.to_owned(),
            before: Some(before),
            after: Some(after),
        })
    });
    changes.collect()
}

/// It reads otherwise than was recorded of it as a whole.
pub(super) fn is_otherwise(
    prior: Option<&State>,
    addr: &Addr,
    desired: &DesiredLoadBalancer,
    observed: &LoadBalancer,
) -> bool {
    let Some(Recorded::LoadBalancer { attributes, .. }) = prior.and_then(|p| p.resources.get(addr))
    else {
        return false;
    };
    let ignored = &desired.lifecycle.ignore_changes;
    let (now, declared) = (&observed.attributes, &desired.attributes);
    !moved_whole(LOAD_BALANCER, attributes, now, declared, ignored).is_empty()
}

pub(super) fn past(prior: Option<&State>, addr: &Addr) -> Past {
    let mut past = Past::default();
    let Some(Recorded::LoadBalancer {
        items, attributes, ..
    }) = prior.and_then(|p| p.resources.get(addr))
    else {
        return past;
    };
    past.drain_seconds = drain_of(attributes);
    for (kind, names) in items {
        for (name, attributes) in names {
            past.drain_seconds = past.drain_seconds.max(drain_of(attributes));
            let mode = match attributes.get(GUEST_MODE).and_then(Attr::as_text) {
                Some("cluster") => Some(GuestMode::Cluster),
                Some(_) => Some(GuestMode::None),
                None => None,
            };
            let name = name.to_ascii_lowercase();
            past.modes.extend(mode.map(|mode| (name.clone(), mode)));
            past.rules.insert((*kind, name));
        }
    }
    past
}

/// What is declared and not recorded is adopted: ours as it is now, where it is known how guests see its frontend.
pub(super) fn adopted(
    past: &mut Past,
    desired: &DesiredLoadBalancer,
    observed: Option<&LoadBalancer>,
    owned: &Owned,
) {
    for item in &desired.items {
        let name = item.name.to_ascii_lowercase();
        if owned.contains(&(item.kind, name.clone())) {
            continue;
        }
        match (item.kind, item.guest.mode) {
            (ItemKind::Frontend, mode @ (GuestMode::Cluster | GuestMode::None)) => {
                past.modes.insert(name, mode);
            }
            (ItemKind::Rule | ItemKind::InboundNatRule, _) => {
                let found = observed.and_then(|lb| lb.item(item.kind, &item.name));
                let frontend = found.and_then(|found| Rule { item: found }.frontend());
                let is_known = |id: ArmId| {
                    let kind = ItemKind::Frontend;
                    desired.item(kind, id.name()).is_some()
                        || owned.contains(&(kind, id.name().to_ascii_lowercase()))
                };
                if frontend.is_some_and(is_known) {
                    past.rules.insert((item.kind, name));
                }
            }
            (ItemKind::Frontend, GuestMode::Loopback)
            | (ItemKind::BackendPool | ItemKind::Probe | ItemKind::OutboundRule, _) => {}
        }
    }
}

/// What the state says an item was when it was last applied.
pub(super) fn recorded_item<'a>(
    prior: Option<&'a State>,
    addr: &Addr,
    kind: ItemKind,
    name: &str,
) -> Option<&'a Attributes> {
    match prior?.resources.get(addr)? {
        Recorded::LoadBalancer { items, .. } => items
            .get(&kind)?
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, found)| found),
        Recorded::PublicIpPrefix { .. } | Recorded::PublicIp { .. } | Recorded::Guest { .. } => {
            None
        }
    }
}
