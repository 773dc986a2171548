//! The scripts that the guest steps of a plan send, as they would be sent now.

use crate::view::GuestScript;
use crate::world::World;
use plimsoll_core::apply::{self, GuestOrder};
use plimsoll_core::model::guest::Claim;
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::plan::{Plan, StepAction, Wanted};

/// Of a saved plan: its guests are read for that.
pub(crate) async fn as_sent_now(plan: &Plan, world: &World) -> Vec<GuestScript> {
    let guests = plan.steps.iter().filter_map(|step| match &step.action {
        StepAction::Guest(work) => Some((work.guest.addr.clone(), work.guest.clone())),
        _ => None,
    });
    let wanted = Wanted {
        guests: guests.collect(),
        ..Wanted::default()
    };
    let observed = apply::observe(&wanted, &world.read_azure, &world.guests).await;
    of_plan(plan, &observed)
}

pub(crate) fn of_plan(plan: &Plan, observed: &Observed) -> Vec<GuestScript> {
    let claim = Claim {
        deployment: plan.deployment.clone(),
        lineage: plan.lineage.clone(),
    };
    let one = |step: &plimsoll_core::plan::Step| {
        let StepAction::Guest(work) = &step.action else {
            return None;
        };
        // Such a step only waits, or forgets.
        if work.ensure.is_empty() && work.release.is_empty() {
            return None;
        }
        let facts = observed.guests.get(&work.guest.addr);
        let text = match facts.and_then(Observation::present) {
            Some(facts) => plimsoll_guest::show_script(&GuestOrder {
                step: work,
                facts,
                claim: &claim,
                run: plan.run,
            })
            .map_err(|error| {
                match work.ensure.iter().all(|touch| is_known(&touch.key)) {
                    true => error.to_string(),
                    false => "it names an address that Azure has yet to choose".to_owned(),
                }
            }),
            None => Err("the guest could not be read".to_owned()),
        };
        Some(GuestScript {
            step: step.id,
            guest: work.guest.addr.clone(),
            os: work.guest.os,
            text,
        })
    };
    plan.steps.iter().filter_map(one).collect()
}

fn is_known(key: &plimsoll_core::model::guest::EntryKey) -> bool {
    key.destination()
        .is_none_or(|place| place.known().is_some())
}
