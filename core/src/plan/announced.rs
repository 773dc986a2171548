//! What the configuration says of itself and of others: failed checks, and what `data` blocks expect.

use super::guest::GuestPlan;
use super::{Finding, codes};
use crate::config::Desired;
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, Code};
use std::borrow::Cow;
use std::sync::Arc;

fn new(code: &Code, addr: Option<&Addr>, what: String, note: impl Into<Arc<str>>) -> Finding {
    Finding {
        code: Cow::Borrowed(code.code),
        severity: code.severity,
        addr: addr.cloned(),
        what: what.into(),
        notes: vec![note.into()],
    }
}

pub fn announced(desired: &Desired, observed: &Observed, guests: &[GuestPlan]) -> Vec<Finding> {
    let mut all = Vec::new();
    for failed in &desired.failed_checks {
        let what = format!("check {:?} failed", failed.name);
        all.push(new(
            &codes::CHECK_FAILED,
            None,
            what,
            failed.message.clone(),
        ));
    }
    for (label, data) in &desired.data_load_balancers {
        match observed.load_balancers.get(&data.id) {
            Some(Observation::Absent) => all.push(new(
                &codes::NO_DATA,
                None,
                format!("data.load_balancer.{label} does not exist"),
                "guests get what its expected rules need; nothing is sent to them yet",
            )),
            Some(Observation::Present(found)) => {
                let missing = data
                    .expected
                    .items
                    .iter()
                    .filter(|item| found.item(item.kind, &item.name).is_none());
                all.extend(missing.map(|item| {
                    let kind = item.kind.word();
                    let what = format!(
                        "data.load_balancer.{label} has no {kind} {:?} yet",
                        item.name
                    );
                    let note = "the configuration expects it; its owner has still to add it";
                    new(&codes::NOT_THERE_YET, None, what, note)
                }));
            }
            Some(Observation::Unreadable { .. }) | None => {}
        }
    }
    for guest in guests {
        for (nic, pool) in &guest.missing {
            let load_balancer = pool.parent();
            let load_balancer = load_balancer.as_ref().map_or("", ArmId::name);
            let of_scale_set = nic.is_of_scale_set();
            let (nic, pool) = (nic.name(), pool.name());
            let note = if of_scale_set {
                "the model of its scale set decides that: add the pool there and upgrade the instance; Azure sends it nothing until then"
            } else {
                "that load balancer is only read here, so its owner has to add the NIC; Azure sends it nothing until then"
            };
            let what = format!("{nic} is not in pool {pool:?} of {load_balancer}");
            all.push(new(&codes::NOT_IN_POOL, Some(&guest.addr), what, note));
        }
    }
    all
}
