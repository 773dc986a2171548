//! A transport made of a command that someone else knows: how the lab enters its guests.

use super::{Output, Transport, TransportError, feed};
use async_trait::async_trait;
use plimsoll_core::model::guest::GuestRef;
use std::fmt;
use tokio::process::Command;

type MakeCommand = dyn Fn(&GuestRef) -> Result<std::process::Command, String> + Send + Sync;

/// Runs the command that a function names for a guest, with the script on its standard input.
pub struct CommandTransport {
    make: Box<MakeCommand>,
}

impl CommandTransport {
    pub fn new(
        make: impl Fn(&GuestRef) -> Result<std::process::Command, String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            make: Box::new(make),
        }
    }
}

impl fmt::Debug for CommandTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandTransport")
    }
}

#[async_trait]
impl Transport for CommandTransport {
    async fn run(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        let command = (self.make)(guest).map_err(TransportError::Unusable)?;
        feed(Command::from(command), script).await
    }
}
