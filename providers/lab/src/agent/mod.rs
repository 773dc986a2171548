//! What the lab runs inside its namespaces: the embedding program itself, started again in a role.
//!
//! `init` roles are process 1 of a PID namespace: they prepare mounts, run the boot, start the role's
//! agent and reap whatever is orphaned. The agents take orders from the daemon on standard input and
//! end when it closes, so nothing of the lab outlives the daemon.

mod boot;
mod health;
mod init;
mod orders;
mod prober;
mod responder;
mod systemctl;
mod unit;
pub(crate) mod wire;

use std::io::Write as _;
use std::process::ExitCode;

pub use wire::{Answer, ProbeAnswer, ProbeOrder};

/// Where a guest finds the lab's own programs.
pub(crate) const GUEST_BIN: &str = "/run/lab/bin";

/// The embedding program inside a guest, and inside the lab's root namespace.
pub(crate) const GUEST_PROGRAM: &str = "/run/lab/bin/plimsoll";
pub(crate) const ROOT_PROGRAM: &str = "/run/plimsoll";

/// The search path of everything that runs in a guest.
pub(crate) const GUEST_PATH: &str =
    "/run/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the hidden command `lab-agent`. Must not be called inside an async runtime.
pub fn agent_main(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["init-root", stage, program] => init::root(stage, program),
        ["init-guest", name, directory, program, boot_id] => {
            init::guest(name, directory, program, boot_id)
        }
        ["fabric"] => orders::run(orders::Role::Fabric),
        ["client"] => orders::run(orders::Role::Client),
        ["guest", name] => orders::run(orders::Role::Guest((*name).to_owned())),
        ["systemctl", arguments @ ..] => return systemctl::systemctl(arguments),
        _ => Err(format!(
            "`lab-agent {}` is not for people: the lab runs it itself.",
            words.join(" ")
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody else is left to tell if standard error is gone.
            let _ = writeln!(std::io::stderr(), "lab-agent: {message}");
            ExitCode::FAILURE
        }
    }
}
