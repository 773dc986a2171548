//! Writes guests: one script, which ends by printing the facts that prove it.

use crate::guests::{Guests, chain};
use crate::verify::{NotWritten, verify};
use crate::{linux, windows};
use async_trait::async_trait;
use plimsoll_core::apply::{EnactGuests, GuestOrder, ObserveGuests as _, WorldError};
use plimsoll_core::model::guest::{GuestFacts, Os, Touch};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::plan::GuestStep;

/// How often a guest is read again because somebody else wrote it in the meantime.
const AGAIN: usize = 3;

#[async_trait]
impl EnactGuests for Guests {
    async fn enact(&self, order: &GuestOrder<'_>) -> Result<GuestFacts, WorldError> {
        let guest = &order.step.guest;
        let mut newest: Option<GuestFacts> = None;
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
        match verify(order, &output) {
            Ok(facts) => Ok(Once::Done(Box::new(facts))),
            Err(NotWritten::Moved { moved }) => Ok(Once::Moved(moved)),
            Err(error @ NotWritten::Locked { .. }) => Err(WorldError::Unavailable {
                message: said(chain(&error)),
            }),
            Err(
                error @ (NotWritten::OlderRun { .. }
                | NotWritten::NotRoot { .. }
                | NotWritten::Tool { .. }
                | NotWritten::Ended { .. }
                | NotWritten::Facts(_)
                | NotWritten::NotAsPlanned { .. }),
            ) => Err(WorldError::Refused {
                message: said(chain(&error)),
            }),
        }
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
