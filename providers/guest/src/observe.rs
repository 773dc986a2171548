//! Reads guests: one script, one answer, typed facts.

use crate::guests::{Guests, chain};
use crate::transport::TransportError;
use crate::{linux, windows};
use async_trait::async_trait;
use plimsoll_core::apply::ObserveGuests;
use plimsoll_core::model::guest::{GuestFacts, GuestRef, Os};
use plimsoll_core::model::observed::Observation;

/// Why an answer holds no facts to rely on.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFacts {
    #[error(transparent)]
    Linux(#[from] linux::facts::FactsError),
    #[error(transparent)]
    Windows(#[from] windows::facts::FactsError),
}

/// The facts in what a probe or a write printed.
pub(crate) fn facts(os: Os, output: &[u8]) -> Result<GuestFacts, UnreadableFacts> {
    Ok(match os {
        Os::Linux => linux::facts::parse(output)?,
        Os::Windows => windows::facts::parse(output)?,
    })
}

#[async_trait]
impl ObserveGuests for Guests {
    async fn facts(&self, guest: &GuestRef) -> Observation<GuestFacts> {
        let why = match self.run(guest, &show_probe(guest.os), 0).await {
            Err(TransportError::Gone(_)) => return Observation::Absent,
            Err(error) => chain(&error),
            Ok(output) => match facts(guest.os, &output.stdout) {
                Ok(facts) => return Observation::Present(facts),
                Err(error) => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    match said.lines().map(str::trim).rfind(|line| !line.is_empty()) {
                        Some(said) => format!("{} (it also said: {said})", chain(&error)),
                        None => chain(&error),
                    }
                }
            },
        };
        Observation::Unreadable { why }
    }
}

/// The script that reads a guest, as text.
pub fn show_probe(os: Os) -> String {
    match os {
        Os::Linux => linux::probe(),
        Os::Windows => windows::probe(),
    }
}
