//! Writes guests: one script, which ends by printing the facts that prove it.

use crate::guests::{Guests, chain};
use crate::verify::{NotWritten, verify};
use crate::{linux, windows};
use async_trait::async_trait;
use plimsoll_core::apply::{EnactGuests, GuestOrder, WorldError};
use plimsoll_core::model::guest::{GuestFacts, Os};

#[async_trait]
impl EnactGuests for Guests {
    async fn enact(&self, order: &GuestOrder<'_>) -> Result<GuestFacts, WorldError> {
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
        verify(order, &output).map_err(|error| match error {
            NotWritten::Moved { moved } => WorldError::Stale {
                target: guest.addr.to_string(),
                moved,
            },
            NotWritten::Locked { .. } => WorldError::Unavailable {
                message: said(chain(&error)),
            },
            NotWritten::OlderRun { .. }
            | NotWritten::NotRoot { .. }
            | NotWritten::Tool { .. }
            | NotWritten::Ended { .. }
            | NotWritten::Facts(_)
            | NotWritten::NotAsPlanned { .. } => WorldError::Refused {
                message: said(chain(&error)),
            },
        })
    }
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
