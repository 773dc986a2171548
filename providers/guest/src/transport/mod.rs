//! A transport runs one script in a guest and brings back what it printed.

mod command;
mod local;
mod run_command;
mod ssh;

pub use command::CommandTransport;
pub use local::Local;
pub use run_command::{RunCommand, RunInMachine};
pub use ssh::{Ssh, SshError};

use crate::linux::pack::PartError;
use async_trait::async_trait;
use plimsoll_core::model::guest::GuestRef;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a script printed. Its errors are for people only: login files talk there too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// `None` where a signal ended it.
    pub status: Option<i32>,
}

/// Why a script did not run, or nobody knows whether it did.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error(transparent)]
    Ssh(#[from] SshError),
    #[error("cannot run `{program}`; install it, or name it in PATH")]
    Start {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("talking to `{program}` failed; try again")]
    Pipe {
        program: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no answer within {} s; look whether the guest hangs, or allow it more time", .0.as_secs())]
    TimedOut(Duration),
    #[error("{0}")]
    Unusable(String),
    /// The machine of this guest does not exist any more.
    #[error("{0}")]
    Gone(String),
    /// It may work again later.
    #[error("{0}")]
    Unavailable(String),
    #[error("what came back through Run Command cannot be read")]
    Part(#[from] PartError),
}

impl TransportError {
    /// Whether the same may work later without anyone changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Ssh(error) => error.is_retryable(),
            Self::Pipe { .. } | Self::TimedOut(_) | Self::Unavailable(_) => true,
            Self::Part(error) => error.is_retryable(),
            Self::Start { .. } | Self::Unusable(_) | Self::Gone(_) => false,
        }
    }
}

#[async_trait]
pub trait Transport: Send + Sync {
    /// Feeds the script to `sh -s` as root in the guest, or to PowerShell as an administrator. Dropping the future kills the client, not what the guest began.
    async fn run(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError>;

    /// The same over a connection of its own, so that it shows whether new ones come through.
    async fn run_anew(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        self.run(guest, script).await
    }

    /// How long one script may take where the way itself is slow; `None` where the ordinary limit holds.
    fn time(&self) -> Option<Duration> {
        None
    }
}

/// Runs a client with the script on its standard input; both sides flow at once, so neither pipe can fill up.
async fn feed(mut command: Command, script: &str) -> Result<Output, TransportError> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| TransportError::Start {
            program: program.clone(),
            source,
        })?;
    let stdin = child.stdin.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // A client that ends early closes its side; its status and errors say why.
            let _ = stdin.write_all(script.as_bytes()).await;
            let _ = stdin.shutdown().await;
        }
    };
    let ((), output) = tokio::join!(write, child.wait_with_output());
    let output = output.map_err(|source| TransportError::Pipe { program, source })?;
    Ok(Output {
        stdout: output.stdout,
        stderr: output.stderr,
        status: output.status.code(),
    })
}
