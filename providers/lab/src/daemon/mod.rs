//! The daemon that holds a lab: the emulator, the namespaces, the fabric, and the control routes.
//!
//! It ends by itself when nothing has asked it anything for a while, when it is told to, or when a
//! signal says so; and whatever it made in the kernel ends with it.

mod agent_link;
mod control;
mod delivered;
mod run;
mod scripts;
mod world;

pub(crate) use agent_link::AgentLink;
pub(crate) use control::{ArmOrder, FaultOrder, WorldStatus};
pub use run::{DaemonOptions, run_daemon};
pub use world::GuestStatus;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the hidden command `lab-daemon DIRECTORY [--port N] [--idle SECONDS]`. Must not be called
/// inside an async runtime.
pub fn daemon_main(arguments: Vec<String>) -> ExitCode {
    // A session of its own: the terminal's hangup and Ctrl-C are not for the lab. It fails only for
    // who already leads a group, and then there is nothing to leave.
    let _ = rustix::process::setsid();
    let outcome = parse(arguments).and_then(|(directory, options)| {
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        let ended = runtime.block_on(run_daemon(&directory, options));
        ended.map_err(|error| crate::error::chain(&error))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            log(&format!("{ERROR}{message}"));
            ExitCode::FAILURE
        }
    }
}

/// Begins the line by which whoever started the daemon finds out why it did not start.
pub(crate) const ERROR: &str = "error: ";

/// Writes to the daemon's log, which is its standard error.
pub(crate) fn log(text: &str) {
    // A log that cannot be written has nowhere to complain.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn parse(arguments: Vec<String>) -> Result<(PathBuf, DaemonOptions), String> {
    let mut directory = None;
    let mut options = DaemonOptions::default();
    let mut words = arguments.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--port" => options.port = Some(number(&word, words.next())?),
            "--idle" => options.idle = Duration::from_secs(number(&word, words.next())?),
            _ => directory = Some(PathBuf::from(word)),
        }
    }
    let directory = directory.ok_or("`lab-daemon` needs the configuration's directory.")?;
    Ok((directory, options))
}

fn number<N: std::str::FromStr>(option: &str, word: Option<String>) -> Result<N, String> {
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("`{option}` needs a number."))
}
