//! Which transport serves which guest, how many run at once, how long each may take.

use crate::transport::{Local, Output, Ssh, Transport, TransportError};
use plimsoll_core::model::guest::{Connection, GuestRef};
use std::fmt;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Bounds on talking to guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Scripts that run at the same time. 32 ssh clients hide the network's latency and still leave a small runner usable.
    pub at_once: usize,
    /// For one script in one guest, from connecting to its last line. A hung guest times out alone.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 32,
            time: Duration::from_secs(120),
        }
    }
}

/// All guests, reached each in its own way.
pub struct Guests {
    limits: Limits,
    turns: Semaphore,
    ssh: Box<dyn Transport>,
    local: Box<dyn Transport>,
    run_command: Option<Box<dyn Transport>>,
    instead: Option<Box<dyn Transport>>,
}

impl Guests {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            turns: Semaphore::new(limits.at_once.max(1)),
            ssh: Box::new(Ssh::default()),
            local: Box::new(Local),
            run_command: None,
            instead: None,
        }
    }

    /// Run Command goes through Azure Resource Manager, which only its provider can speak to.
    #[must_use]
    pub fn with_run_command(mut self, transport: Box<dyn Transport>) -> Self {
        self.run_command = Some(transport);
        self
    }

    /// One transport for every guest, whatever its connection says: the lab's. Run Command, where it is given too, stays.
    #[must_use]
    pub fn instead(mut self, transport: Box<dyn Transport>) -> Self {
        self.instead = Some(transport);
        self
    }

    fn transport(&self, guest: &GuestRef) -> Result<&dyn Transport, TransportError> {
        match (&guest.connection, &self.run_command, &self.instead) {
            (Connection::RunCommand { .. }, Some(transport), _) | (_, _, Some(transport)) => {
                return Ok(transport.as_ref());
            }
            _ => {}
        }
        match guest.connection {
            Connection::Ssh { .. } => Ok(self.ssh.as_ref()),
            Connection::Local => Ok(self.local.as_ref()),
            Connection::RunCommand { .. } => self.run_command.as_deref().ok_or_else(|| {
                TransportError::Unusable(
                    "Run Command is not supported here yet; use a connection \"ssh\" block"
                        .to_owned(),
                )
            }),
        }
    }

    /// Runs one script when its turn comes; waiting for the turn does not count against its time. Each entry that it writes
    /// allows it a second more: ufw takes that long for each rule.
    pub(crate) async fn run(
        &self,
        guest: &GuestRef,
        script: &str,
        entries: usize,
    ) -> Result<Output, TransportError> {
        let more = Duration::from_secs(u64::try_from(entries).unwrap_or(u64::MAX));
        let transport = self.transport(guest)?;
        let time = self.time(transport).saturating_add(more);
        let _turn = self
            .turns
            .acquire()
            .await
            .expect("nobody closes the semaphore");
        within(time, transport.run(guest, script)).await
    }

    /// Over a new connection, without an entry, and at once: a guest that waits to be reached has no time for the turns of
    /// others.
    pub(crate) async fn run_anew(
        &self,
        guest: &GuestRef,
        script: &str,
    ) -> Result<Output, TransportError> {
        let transport = self.transport(guest)?;
        within(self.time(transport), transport.run_anew(guest, script)).await
    }

    fn time(&self, transport: &dyn Transport) -> Duration {
        transport.time().unwrap_or(self.limits.time)
    }
}

async fn within(
    time: Duration,
    work: impl Future<Output = Result<Output, TransportError>>,
) -> Result<Output, TransportError> {
    match tokio::time::timeout(time, work).await {
        Ok(result) => result,
        Err(_) => Err(TransportError::TimedOut(time)),
    }
}

impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guests")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// An error with what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
