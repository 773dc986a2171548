//! This very machine.

use super::{Output, Transport, TransportError, feed};
use crate::windows;
use async_trait::async_trait;
use plimsoll_core::model::guest::{GuestRef, Os};
use tokio::process::Command;

/// `sh -s` here, or PowerShell, as whoever runs plimsoll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

#[async_trait]
impl Transport for Local {
    async fn run(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        let words = match guest.os {
            Os::Linux => vec!["sh".to_owned(), "-s".to_owned()],
            Os::Windows => windows::script::command(),
        };
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        feed(command, script).await
    }
}
