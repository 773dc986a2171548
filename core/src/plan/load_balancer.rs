//! Load balancers: every change to one of them in one after-image, with what is foreign kept as it is.

use super::addresses::{PublicAddresses, frontend_address};
use super::needs::Past;
use super::{Action, Change, ForeignItem, ItemChange};
use crate::config::{DesiredItem, DesiredLoadBalancer, GuestMode};
use crate::model::item::{Attr, diff, effective};
use crate::model::observed::Observation;
use crate::model::schema::{LOAD_BALANCER, OnChange, Shape};
use crate::model::{Addr, ArmId, Attributes, FieldDiff, Item, ItemKind, LoadBalancer, Rule, Where};
use crate::state::{Recorded, State, StateEdit};
use std::collections::{BTreeMap, BTreeSet};

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
fn as_recorded(desired: &DesiredItem, whole: &Item) -> Attributes {
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

fn drain(seconds: u64) -> Option<(String, Attr)> {
    let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    Some((DRAIN.to_owned(), Attr::Int(seconds)))
}

fn drain_of(attributes: &Attributes) -> u64 {
    let seconds = attributes.get(DRAIN).and_then(Attr::as_int);
    seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or(0)
}

/// What the state knows beside Azure's own attributes is still as the configuration says.
fn is_meant_as_recorded(known: &Attributes, desired: &DesiredItem, whole: &Item) -> bool {
    let meant = as_recorded(desired, whole);
    [GUEST_MODE, DRAIN]
        .iter()
        .all(|name| known.get(*name) == meant.get(*name))
}

fn past(prior: Option<&State>, addr: &Addr) -> Past {
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
fn adopted(
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
fn recorded_item<'a>(
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
        Recorded::PublicIp { .. } | Recorded::Guest { .. } => None,
    }
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
            Some(before) if fields.is_empty() => {
                match recorded_item(prior, addr, item.kind, &whole.name) {
                    // It is as declared and not as recorded (an edit by hand, a run that died before it could record):
                    // without this the difference would be drift that nothing heals.
                    Some(known)
                        if !diff(item.kind.attributes(), known, &before.attributes).is_empty()
                            || !is_meant_as_recorded(known, item, &whole) =>
                    {
                        Action::Adopt
                    }
                    Some(_) | None => Action::NoOp,
                }
            }
            Some(_) => Action::Update,
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
        Some(_)
            if change
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

fn replacing(addr: &Addr, fields: &[FieldDiff]) -> Vec<String> {
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
fn replacing_items(addr: &Addr, change: &Change) -> Vec<String> {
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
fn dangling(addr: &Addr, after: &LoadBalancer, change: &Change) -> Vec<String> {
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

fn about(load_balancer: &LoadBalancer) -> String {
    let text = |name: &str| load_balancer.attributes.get(name).map(ToString::to_string);
    let group = load_balancer.id.resource_group().map(str::to_owned);
    let parts: Vec<String> = [text("sku"), group, text("location")]
        .into_iter()
        .flatten()
        .collect();
    parts.join(" · ")
}

/// One line that says what the item is.
pub fn item_about(
    load_balancer: &LoadBalancer,
    kind: ItemKind,
    item: &Item,
    public: &PublicAddresses,
) -> String {
    match kind {
        ItemKind::Frontend => match frontend_address(load_balancer, &item.name, public) {
            Some(Where::Known(address)) => address.to_string(),
            Some(Where::AfterApply(_)) => "address known after apply".to_owned(),
            None => String::new(),
        },
        ItemKind::BackendPool => String::new(),
        ItemKind::Probe => {
            let path = item.text("request_path").unwrap_or_default();
            format!(
                "{} {}{path}",
                item.text("protocol").unwrap_or("?").to_lowercase(),
                item.int("port").unwrap_or(0)
            )
        }
        ItemKind::Rule => rule_about(load_balancer, item, public),
        ItemKind::InboundNatRule | ItemKind::OutboundRule => {
            let attributes = kind.attributes().iter().find(|a| a.name == "protocol");
            let protocol = attributes.and_then(|a| effective(&item.attributes, a));
            protocol
                .map(|p| p.to_string().to_lowercase())
                .unwrap_or_default()
        }
    }
}

fn rule_about(load_balancer: &LoadBalancer, item: &Item, public: &PublicAddresses) -> String {
    let rule = Rule { item };
    let address = rule
        .frontend()
        .and_then(|id| frontend_address(load_balancer, id.name(), public))
        .and_then(|w| w.known())
        .map_or_else(
            || {
                rule.frontend()
                    .map_or("?".to_owned(), |id| id.name().to_owned())
            },
            display,
        );
    let protocol = rule.protocol().map_or("?", |p| p.word());
    let pools: Vec<String> = rule.pools().map(|p| p.name().to_owned()).collect();
    let pools = if pools.is_empty() {
        "no pool".to_owned()
    } else {
        pools.join(", ")
    };
    let floating = if rule.floating() { ", floating IP" } else { "" };
    if protocol == "all" {
        format!("{address}, every port → {pools}{floating}")
    } else {
        format!(
            "{address}:{}/{protocol} → {pools}:{}{floating}",
            rule.frontend_port(),
            rule.backend_port()
        )
    }
}

fn display(address: std::net::IpAddr) -> String {
    if address.is_ipv6() {
        format!("[{address}]")
    } else {
        address.to_string()
    }
}

/// Azure renames nothing: another name or resource group is another resource.
pub fn other_id(addr: &Addr, recorded: &ArmId, declared: &ArmId) -> String {
    format!(
        "{addr} was applied as {recorded} and is declared as {declared} now; Azure cannot rename it. \
         Give the new one a label of its own (the old one is deleted then), or put the name back"
    )
}
