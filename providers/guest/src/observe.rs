//! Reads guests: one script, one answer, typed facts.

use crate::guests::{Guests, chain};
use crate::transport::TransportError;
use crate::{linux, windows};
use async_trait::async_trait;
use plimsoll_core::apply::ObserveGuests;
use plimsoll_core::model::guest::{GuestFacts, GuestRef, Os};
use plimsoll_core::model::observed::Observation;

#[async_trait]
impl ObserveGuests for Guests {
    async fn facts(&self, guest: &GuestRef) -> Observation<GuestFacts> {
        let why = match guest.os {
            Os::Windows => windows::NOT_YET.to_owned(),
            Os::Linux => match self.run(guest, &linux::probe(), 0).await {
                Err(TransportError::Gone(_)) => return Observation::Absent,
                Err(error) => chain(&error),
                Ok(output) => match linux::facts::parse(&output.stdout) {
                    Ok(facts) => return Observation::Present(facts),
                    Err(error) => {
                        let said = String::from_utf8_lossy(&output.stderr);
                        match said.lines().map(str::trim).rfind(|line| !line.is_empty()) {
                            Some(said) => format!("{} (it also said: {said})", chain(&error)),
                            None => chain(&error),
                        }
                    }
                },
            },
        };
        Observation::Unreadable { why }
    }
}

/// The script that reads a guest, as text.
pub fn show_probe(os: Os) -> Result<String, &'static str> {
    match os {
        Os::Linux => Ok(linux::probe()),
        Os::Windows => Err(windows::NOT_YET),
    }
}
