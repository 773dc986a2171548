//! This very machine.

use super::{Output, Transport, TransportError, feed};
use async_trait::async_trait;
use plimsoll_core::model::guest::GuestRef;
use tokio::process::Command;

/// `sh -s` here, as whoever runs plimsoll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

#[async_trait]
impl Transport for Local {
    async fn run(&self, _: &GuestRef, script: &str) -> Result<Output, TransportError> {
        let mut command = Command::new("sh");
        command.arg("-s");
        feed(command, script).await
    }
}
