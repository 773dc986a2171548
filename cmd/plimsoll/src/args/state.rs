//! The state: its lock, and what is done to it by hand.

use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;
use std::time::Duration;

/// How long to wait for a state that is locked.
#[derive(Clone, Debug, Args)]
pub(crate) struct LockArguments {
    /// Wait up to this long for a locked state, for example 90s or 5m; without it, refuse at once
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lock_timeout: Option<Duration>,
}

impl LockArguments {
    pub(crate) fn patience(&self) -> Duration {
        self.lock_timeout.unwrap_or_default()
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| DURATION.to_owned())?;
    let seconds = match &text[digits.len()..] {
        "s" => Some(number),
        "m" => number.checked_mul(60),
        _ => None,
    };
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| DURATION.to_owned())
}

const DURATION: &str = "write a time such as 90s or 5m";

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  plimsoll state list
  plimsoll state show                       who applied what, who holds the lock, what is unfinished
  plimsoll state show load_balancer.web.rule.green
  plimsoll state rm guest.old               forget it; what it is stays as it is
  plimsoll state mv guest.a guest.b
  plimsoll state pull > copy.json
  plimsoll state push copy.json
  plimsoll state unlock                     take the lock of a run that died")]
pub(crate) enum StateCommand {
    /// List what is recorded, one address a line
    List,
    /// Show what is recorded of one resource; without an address, of the state itself
    Show {
        #[arg(value_name = "ADDRESS")]
        part: Option<String>,
    },
    /// Forget resources; neither Azure nor guests are touched
    Rm {
        #[arg(value_name = "ADDRESS", required = true)]
        parts: Vec<String>,
        /// Only say what would be forgotten
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Give a resource another address; neither Azure nor guests are touched
    Mv {
        #[arg(value_name = "FROM")]
        from: String,
        #[arg(value_name = "TO")]
        to: String,
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Print the state as it is kept
    Pull {
        /// The serial before the last instead
        #[arg(long)]
        backup: bool,
    },
    /// Put a file in the state's place; refuses another lineage or an older serial
    Push {
        /// The file; `-` is standard input
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Whatever is there now
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Take the lock away from a run that died
    Unlock {
        /// Do not ask
        #[arg(long)]
        force: bool,
    },
}
