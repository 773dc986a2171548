//! Writes guests: one script, which ends by printing the facts that prove it.

use crate::guests::{Guests, chain};
use crate::verify::{NotWritten, answered, verified};
use crate::{linux, windows};
use async_trait::async_trait;
use plimsoll_core::apply::{EnactGuests, GuestOrder, ObserveGuests as _, WorldError};
use plimsoll_core::model::guest::{GuestFacts, GuestRef, Os, Touch};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::plan::GuestStep;
use std::time::{Duration, Instant};

/// How often a guest is read again because somebody else wrote it in the meantime.
const AGAIN: usize = 3;
/// Between two attempts to confirm a change.
const BREATH: Duration = Duration::from_secs(2);
/// How long a guest may take to put things back and be reached again, once its time is over.
const GRACE: Duration = Duration::from_secs(30);

#[async_trait]
impl EnactGuests for Guests {
    async fn enact(&self, order: &GuestOrder<'_>) -> Result<GuestFacts, WorldError> {
        let guest = &order.step.guest;
        let mut newest: Option<GuestFacts> = None;
        if order.facts.waits() {
            // An earlier run ended before it could confirm what it did.
            let confirmed = self.confirm(guest, order.facts).await;
            newest = Some(confirmed.map_err(|error| failed(guest, &error))?);
        }
        let mut left = AGAIN;
        loop {
            let order = GuestOrder {
                facts: newest.as_ref().unwrap_or(order.facts),
                ..*order
            };
            let moved = match self.once(&order).await? {
                Once::Done(facts) => return Ok(*facts),
                Once::Moved(moved) => moved,
            };
            // Another deployment may have written what this step has nothing to do with.
            match self.facts(guest).await {
                Observation::Present(facts) if left > 0 && fits(order.step, &facts) => {
                    left -= 1;
                    newest = Some(facts);
                }
                Observation::Present(_) | Observation::Absent | Observation::Unreadable { .. } => {
                    return Err(WorldError::Stale {
                        target: guest.addr.to_string(),
                        moved,
                    });
                }
            }
        }
    }
}

enum Once {
    Done(Box<GuestFacts>),
    /// The guest is not as the facts of the order say; nothing was set.
    Moved(Vec<String>),
}

impl Guests {
    async fn once(&self, order: &GuestOrder<'_>) -> Result<Once, WorldError> {
        let guest = &order.step.guest;
        let script = show_script(order)?;
        let entries = order.step.ensure.len() + order.step.release.len();
        let said = |text: String| format!("{}: {text}", guest.addr);
        let output = self.run(guest, &script, entries).await.map_err(|error| {
            let message = said(chain(&error));
            if error.is_retryable() {
                WorldError::Unavailable { message }
            } else {
                WorldError::Refused { message }
            }
        })?;
        let written = match answered(guest.os, &output) {
            Ok(facts) if facts.waits() => self.confirm(guest, &facts).await,
            written => written,
        };
        match written.and_then(|facts| verified(order, facts)) {
            Ok(facts) => Ok(Once::Done(Box::new(facts))),
            Err(NotWritten::Moved { moved }) => Ok(Once::Moved(moved)),
            Err(error) => Err(failed(guest, &error)),
        }
    }

    /// Confirms over new connections, one after the other, until one comes through or the guest has taken the change back.
    async fn confirm(
        &self,
        guest: &GuestRef,
        waiting: &GuestFacts,
    ) -> Result<GuestFacts, NotWritten> {
        let until = Instant::now() + linux::revert::confirm_within(&guest.connection) + GRACE;
        loop {
            match self.run_anew(guest, &linux::revert::confirm()).await {
                Ok(output) => return answered(guest.os, &output),
                Err(error) if error.is_retryable() && Instant::now() < until => {
                    tokio::time::sleep(BREATH).await;
                }
                Err(error) => {
                    let unconfirmed = waiting.unconfirmed.as_ref();
                    let what = unconfirmed.map(|change| change.what.clone());
                    return Err(NotWritten::Lost {
                        what: what.unwrap_or_default(),
                        why: chain(&error),
                    });
                }
            }
        }
    }
}

fn failed(guest: &GuestRef, error: &NotWritten) -> WorldError {
    let message = format!("{}: {}", guest.addr, chain(error));
    match error {
        NotWritten::Locked { .. } => WorldError::Unavailable { message },
        NotWritten::Moved { .. }
        | NotWritten::OlderRun { .. }
        | NotWritten::TakenBack { .. }
        | NotWritten::Lost { .. }
        | NotWritten::NotRoot { .. }
        | NotWritten::Tool { .. }
        | NotWritten::Ended { .. }
        | NotWritten::Facts(_)
        | NotWritten::NotAsPlanned { .. } => WorldError::Refused { message },
    }
}

/// Whether each entry of the step is as the plan found it, or as it leaves it. What is released may stay open for another
/// reason, so that only its claims count then.
fn fits(step: &GuestStep, facts: &GuestFacts) -> bool {
    let as_planned = |touch: &Touch, released: bool| {
        let now = facts.state_of(&touch.key);
        now == touch.before || now == touch.after || (released && now.claims == touch.after.claims)
    };
    step.ensure.iter().all(|touch| as_planned(touch, false))
        && step.release.iter().all(|touch| as_planned(touch, true))
}

/// The exact script of a step, as text.
pub fn show_script(order: &GuestOrder<'_>) -> Result<String, WorldError> {
    let refused = |message: String| WorldError::Refused {
        message: format!("{}: {message}", order.step.guest.addr),
    };
    match order.step.guest.os {
        Os::Linux => linux::write::script(order)
            .map(|script| script.text)
            .map_err(|error| refused(chain(&error))),
        Os::Windows => windows::write::script(order)
            .map(|script| script.text)
            .map_err(|error| refused(chain(&error))),
    }
}
