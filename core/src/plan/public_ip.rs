//! Public IP addresses: created, adopted, updated; given up only when that is asked for by name.

use super::load_balancer::other_id;
use super::{Action, Change, Mode, Reliance};
use crate::config::DesiredPublicIp;
use crate::model::item::{Attr, diff};
use crate::model::observed::Observation;
use crate::model::schema::{OnChange, PUBLIC_IP};
use crate::model::{Addr, ArmId, FieldDiff, Fingerprint, PublicIp};
use crate::state::{Recorded, StateEdit};

/// What happens to one public IP address.
#[derive(Debug)]
pub struct PublicIpPlan {
    pub addr: Addr,
    pub id: ArmId,
    pub change: Change,
    pub before: Fingerprint,
    /// What to PUT; `None` where nothing is written.
    pub put: Option<PublicIp>,
    pub delete: bool,
    pub record: Vec<StateEdit>,
    pub relies_on: Option<Reliance>,
    pub blocked: Vec<String>,
    /// It could be read.
    pub readable: bool,
}

fn overlay(desired: &DesiredPublicIp, observed: Option<&PublicIp>) -> PublicIp {
    let mut after = observed.cloned().unwrap_or_else(|| {
        // A new address is Standard: Basic was retired on 30 September 2025.
        let attributes = [("sku".to_owned(), Attr::Text("Standard".to_owned()))].into();
        PublicIp {
            id: desired.id.clone(),
            attributes,
            address: None,
            failed: false,
            rest: serde_json::Map::new(),
        }
    });
    after.failed = false;
    for (name, value) in &desired.attributes {
        if observed.is_some() && desired.lifecycle.ignore_changes.ignores(name) {
            continue;
        }
        after.attributes.insert(name.clone(), value.clone());
    }
    if observed.is_none() {
        for attribute in PUBLIC_IP {
            if let Some(value) = crate::model::item::effective(&after.attributes, attribute) {
                after
                    .attributes
                    .entry(attribute.name.to_owned())
                    .or_insert(value);
            }
        }
    }
    after
}

/// One that is declared.
pub fn declared(
    addr: &Addr,
    desired: &DesiredPublicIp,
    observation: Option<&Observation<PublicIp>>,
    recorded: Option<&Recorded>,
) -> PublicIpPlan {
    let observed = observation.and_then(Observation::present);
    let after = overlay(desired, observed);
    let mut fields = diff(
        PUBLIC_IP,
        &observed.map(|o| o.attributes.clone()).unwrap_or_default(),
        &after.attributes,
    );
    // What failed is written again, even if it reads as asked: Azure did not bring it about.
    if observed.is_some_and(|o| o.failed) {
        fields.push(FieldDiff::failed_before());
    }
    let mut plan = PublicIpPlan {
        addr: addr.clone(),
        id: desired.id.clone(),
        before: observed.map(PublicIp::fingerprint).unwrap_or_default(),
        change: change(addr, Action::NoOp, about(&after)),
        put: None,
        delete: false,
        record: vec![StateEdit::PublicIp {
            addr: addr.clone(),
            id: desired.id.clone(),
            attributes: after.attributes.clone(),
        }],
        relies_on: None,
        blocked: unread(addr, observation),
        readable: !matches!(observation, Some(Observation::Unreadable { .. })),
    };
    if !plan.readable {
        return plan;
    }
    plan.blocked = replacing(addr, &fields, observed.is_some());
    if let Some(Recorded::PublicIp { id, .. }) = recorded
        && *id != desired.id
    {
        plan.blocked.push(other_id(addr, id, &desired.id));
    }
    plan.change.action = match (observed, recorded) {
        (None, _) => Action::Create,
        (Some(_), None) => Action::Adopt,
        (Some(_), Some(_)) if fields.is_empty() => Action::NoOp,
        (Some(_), Some(_)) => Action::Update,
    };
    match observed {
        Some(observed) if fields.is_empty() => {
            plan.relies_on = Some(Reliance::PublicIp {
                id: observed.id.clone(),
                fingerprint: observed.fingerprint(),
                address: observed.address,
            });
        }
        Some(_) | None => plan.put = Some(after),
    }
    plan.change.fields = fields;
    plan
}

fn replacing(addr: &Addr, fields: &[FieldDiff], exists: bool) -> Vec<String> {
    let replaces = |field: &&FieldDiff| {
        PUBLIC_IP
            .iter()
            .any(|a| a.name == field.name && a.on_change == OnChange::Replace)
    };
    fields
        .iter()
        .filter(|_| exists)
        .filter(replaces)
        .map(|field| {
            format!(
                "{addr}: {} cannot be changed in place, and a public IP address is never given up by the way; \
                 put the value back or declare another public_ip",
                field.name
            )
        })
        .collect()
}

/// One that the state knows and the configuration does not.
pub fn undeclared(
    addr: &Addr,
    id: &ArmId,
    observation: Option<&Observation<PublicIp>>,
    mode: Mode,
    release: bool,
) -> PublicIpPlan {
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
    PublicIpPlan {
        addr: addr.clone(),
        id: id.clone(),
        change,
        before: observed.map(PublicIp::fingerprint).unwrap_or_default(),
        put: None,
        delete,
        record: vec![StateEdit::Remove { addr: addr.clone() }],
        relies_on: None,
        blocked: unread(addr, observation),
        readable: !matches!(observation, Some(Observation::Unreadable { .. })),
    }
}

fn unread(addr: &Addr, observation: Option<&Observation<PublicIp>>) -> Vec<String> {
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

fn about(public_ip: &PublicIp) -> String {
    let text = |name: &str| public_ip.attributes.get(name).map(ToString::to_string);
    let address = public_ip.address.map(|a| a.to_string());
    let group = public_ip.id.resource_group().map(str::to_owned);
    let parts: Vec<String> = [address, text("sku"), group, text("location")]
        .into_iter()
        .flatten()
        .collect();
    parts.join(" · ")
}
