//! Public IP addresses and blocks of them: created, adopted, updated; given up only when that is asked for by name.

use super::drift::moved_whole;
use super::load_balancer::other_id;
use super::{Action, Change, Mode, Reliance};
use crate::config::{DesiredPublicIp, DesiredPublicIpPrefix, Lifecycle};
use crate::model::item::{Attr, diff, effective};
use crate::model::observed::Observation;
use crate::model::schema::{Attribute, OnChange, PUBLIC_IP, PUBLIC_IP_PREFIX};
use crate::model::{Addr, ArmId, Attributes, FieldDiff, Fingerprint, PublicIp, PublicIpPrefix};
use crate::state::{Recorded, StateEdit};

/// What Azure gives, and gives to someone else once it was given up.
pub trait Given: Clone {
    type Desired;
    /// What a person calls it.
    const WORDS: &'static str;
    /// Its block in the configuration.
    const BLOCK: &'static str;
    const TABLE: &'static [Attribute];

    fn new(id: ArmId, attributes: Attributes) -> Self;
    fn id(&self) -> &ArmId;
    fn attributes(&self) -> &Attributes;
    fn attributes_mut(&mut self) -> &mut Attributes;
    /// Azure says that its last change did not come about.
    fn failed(&self) -> bool;
    fn forget_failure(&mut self);
    /// What Azure gave.
    fn given(&self) -> Option<String>;
    fn fingerprint(&self) -> Fingerprint;
    fn reliance(&self) -> Reliance;

    fn wanted(desired: &Self::Desired) -> (&ArmId, &Attributes, &Lifecycle);
    fn record(addr: Addr, id: ArmId, attributes: Attributes) -> StateEdit;
    fn recorded(recorded: &Recorded) -> Option<(&ArmId, &Attributes)>;
}

impl Given for PublicIp {
    type Desired = DesiredPublicIp;
    const WORDS: &'static str = "public IP address";
    const BLOCK: &'static str = "public_ip";
    const TABLE: &'static [Attribute] = PUBLIC_IP;

    fn new(id: ArmId, attributes: Attributes) -> Self {
        Self {
            id,
            attributes,
            address: None,
            failed: false,
            rest: serde_json::Map::new(),
        }
    }

    fn id(&self) -> &ArmId {
        &self.id
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn attributes_mut(&mut self) -> &mut Attributes {
        &mut self.attributes
    }

    fn failed(&self) -> bool {
        self.failed
    }

    fn forget_failure(&mut self) {
        self.failed = false;
    }

    fn given(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    fn fingerprint(&self) -> Fingerprint {
        Self::fingerprint(self)
    }

    fn reliance(&self) -> Reliance {
        Reliance::PublicIp {
            id: self.id.clone(),
            fingerprint: Self::fingerprint(self),
            address: self.address,
        }
    }

    fn wanted(desired: &DesiredPublicIp) -> (&ArmId, &Attributes, &Lifecycle) {
        (&desired.id, &desired.attributes, &desired.lifecycle)
    }

    fn record(addr: Addr, id: ArmId, attributes: Attributes) -> StateEdit {
        StateEdit::PublicIp {
            addr,
            id,
            attributes,
        }
    }

    fn recorded(recorded: &Recorded) -> Option<(&ArmId, &Attributes)> {
        match recorded {
            Recorded::PublicIp { id, attributes } => Some((id, attributes)),
            Recorded::PublicIpPrefix { .. }
            | Recorded::LoadBalancer { .. }
            | Recorded::Guest { .. } => None,
        }
    }
}

impl Given for PublicIpPrefix {
    type Desired = DesiredPublicIpPrefix;
    const WORDS: &'static str = "public IP prefix";
    const BLOCK: &'static str = "public_ip_prefix";
    const TABLE: &'static [Attribute] = PUBLIC_IP_PREFIX;

    fn new(id: ArmId, attributes: Attributes) -> Self {
        Self {
            id,
            attributes,
            block: None,
            failed: false,
            rest: serde_json::Map::new(),
        }
    }

    fn id(&self) -> &ArmId {
        &self.id
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn attributes_mut(&mut self) -> &mut Attributes {
        &mut self.attributes
    }

    fn failed(&self) -> bool {
        self.failed
    }

    fn forget_failure(&mut self) {
        self.failed = false;
    }

    fn given(&self) -> Option<String> {
        self.block.map(|block| block.to_string())
    }

    fn fingerprint(&self) -> Fingerprint {
        Self::fingerprint(self)
    }

    fn reliance(&self) -> Reliance {
        Reliance::PublicIpPrefix {
            id: self.id.clone(),
            fingerprint: Self::fingerprint(self),
        }
    }

    fn wanted(desired: &DesiredPublicIpPrefix) -> (&ArmId, &Attributes, &Lifecycle) {
        (&desired.id, &desired.attributes, &desired.lifecycle)
    }

    fn record(addr: Addr, id: ArmId, attributes: Attributes) -> StateEdit {
        StateEdit::PublicIpPrefix {
            addr,
            id,
            attributes,
        }
    }

    fn recorded(recorded: &Recorded) -> Option<(&ArmId, &Attributes)> {
        match recorded {
            Recorded::PublicIpPrefix { id, attributes } => Some((id, attributes)),
            Recorded::PublicIp { .. } | Recorded::LoadBalancer { .. } | Recorded::Guest { .. } => {
                None
            }
        }
    }
}

pub type PublicIpPlan = GivenPlan<PublicIp>;
pub type PublicIpPrefixPlan = GivenPlan<PublicIpPrefix>;

/// What happens to one of them.
#[derive(Debug)]
pub struct GivenPlan<T> {
    pub addr: Addr,
    pub id: ArmId,
    pub change: Change,
    pub before: Fingerprint,
    /// What to PUT; `None` where nothing is written.
    pub put: Option<T>,
    pub delete: bool,
    pub record: Vec<StateEdit>,
    pub relies_on: Option<Reliance>,
    pub blocked: Vec<String>,
    /// It could be read.
    pub readable: bool,
}

fn overlay<T: Given>(desired: &T::Desired, observed: Option<&T>) -> T {
    let (id, wanted, lifecycle) = T::wanted(desired);
    let mut after = observed.cloned().unwrap_or_else(|| {
        // Everything new is Standard: Basic was retired on 30 September 2025.
        let attributes = [("sku".to_owned(), Attr::Text("Standard".to_owned()))].into();
        T::new(id.clone(), attributes)
    });
    after.forget_failure();
    for (name, value) in wanted {
        if observed.is_some() && lifecycle.ignore_changes.ignores(name) {
            continue;
        }
        after.attributes_mut().insert(name.clone(), value.clone());
    }
    if observed.is_none() {
        for attribute in T::TABLE {
            if let Some(value) = effective(after.attributes(), attribute) {
                let name = attribute.name.to_owned();
                after.attributes_mut().entry(name).or_insert(value);
            }
        }
    }
    after
}

/// One that is declared.
pub fn declared<T: Given>(
    addr: &Addr,
    desired: &T::Desired,
    observation: Option<&Observation<T>>,
    recorded: Option<&Recorded>,
) -> GivenPlan<T> {
    let observed = observation.and_then(Observation::present);
    let id = T::wanted(desired).0;
    let after = overlay(desired, observed);
    let mut fields = diff(
        T::TABLE,
        &observed.map(|o| o.attributes().clone()).unwrap_or_default(),
        after.attributes(),
    );
    // What failed is written again, even if it reads as asked: Azure did not bring it about.
    if observed.is_some_and(T::failed) {
        fields.push(FieldDiff::failed_before());
    }
    let mut plan = GivenPlan {
        addr: addr.clone(),
        id: id.clone(),
        before: observed.map(T::fingerprint).unwrap_or_default(),
        change: change(addr, Action::NoOp, about(&after)),
        put: None,
        delete: false,
        record: vec![T::record(
            addr.clone(),
            id.clone(),
            after.attributes().clone(),
        )],
        relies_on: None,
        blocked: unread(addr, observation),
        readable: !matches!(observation, Some(Observation::Unreadable { .. })),
    };
    if !plan.readable {
        return plan;
    }
    plan.blocked = replacing::<T>(addr, &fields, observed.is_some());
    let recorded = recorded.and_then(T::recorded);
    if let Some((known, _)) = recorded.filter(|(known, _)| *known != id) {
        plan.blocked.push(other_id(addr, known, id));
    }
    plan.change.action = match (observed, recorded) {
        (None, _) => Action::Create,
        (Some(_), None) => Action::Adopt,
        (Some(_), Some(_)) if !fields.is_empty() => Action::Update,
        (Some(now), Some((_, known))) if is_otherwise::<T>(desired, known, now) => Action::Adopt,
        (Some(_), Some(_)) => Action::NoOp,
    };
    match observed {
        Some(observed) if fields.is_empty() => plan.relies_on = Some(observed.reliance()),
        Some(_) | None => plan.put = Some(after),
    }
    plan.change.fields = fields;
    plan
}

/// It is as declared and not as recorded: without being recorded anew, the difference would be drift that nothing heals.
fn is_otherwise<T: Given>(desired: &T::Desired, known: &Attributes, now: &T) -> bool {
    let (_, wanted, lifecycle) = T::wanted(desired);
    let ignored = &lifecycle.ignore_changes;
    !moved_whole(T::TABLE, known, now.attributes(), wanted, ignored).is_empty()
}

fn replacing<T: Given>(addr: &Addr, fields: &[FieldDiff], exists: bool) -> Vec<String> {
    let replaces = |field: &&FieldDiff| {
        T::TABLE
            .iter()
            .any(|a| a.name == field.name && a.on_change == OnChange::Replace)
    };
    fields
        .iter()
        .filter(|_| exists)
        .filter(replaces)
        .map(|field| {
            format!(
                "{addr}: {} cannot be changed in place, and a {} is never given up by the way; \
                 put the value back or declare another {}",
                field.name,
                T::WORDS,
                T::BLOCK
            )
        })
        .collect()
}

/// One that the state knows and the configuration does not.
pub fn undeclared<T: Given>(
    addr: &Addr,
    id: &ArmId,
    observation: Option<&Observation<T>>,
    mode: Mode,
    release: bool,
) -> GivenPlan<T> {
    let observed = observation.and_then(Observation::present);
    let mut change = change(
        addr,
        Action::Forget,
        observed.map(about).unwrap_or_default(),
    );
    let delete = release && observed.is_some();
    if delete {
        change.action = Action::Delete;
    } else if observed.is_some() {
        let how = match mode {
            Mode::Destroy => "kept in Azure; destroy --release-addresses gives it up",
            Mode::Apply => "kept in Azure; plimsoll no longer looks after it",
        };
        change.notes.push(how.to_owned());
    }
    GivenPlan {
        addr: addr.clone(),
        id: id.clone(),
        change,
        before: observed.map(T::fingerprint).unwrap_or_default(),
        put: None,
        delete,
        record: vec![StateEdit::Remove { addr: addr.clone() }],
        relies_on: None,
        blocked: unread(addr, observation),
        readable: !matches!(observation, Some(Observation::Unreadable { .. })),
    }
}

fn unread<T>(addr: &Addr, observation: Option<&Observation<T>>) -> Vec<String> {
    match observation {
        Some(Observation::Unreadable { why }) => vec![format!("{addr} could not be read: {why}")],
        Some(Observation::Present(_) | Observation::Absent) | None => Vec::new(),
    }
}

fn change(addr: &Addr, action: Action, about: String) -> Change {
    Change {
        about,
        ..Change::new(addr.clone(), action)
    }
}

fn about<T: Given>(given: &T) -> String {
    let text = |name: &str| given.attributes().get(name).map(ToString::to_string);
    let group = given.id().resource_group().map(str::to_owned);
    let parts: Vec<String> = [given.given(), text("sku"), group, text("location")]
        .into_iter()
        .flatten()
        .collect();
    parts.join(" · ")
}
