//! The daemon that holds a lab: the emulator, the namespaces, the fabric, and the control routes.

mod agent_link;
mod world;

pub(crate) use agent_link::AgentLink;
pub use world::GuestStatus;

use std::process::ExitCode;

pub fn daemon_main(_arguments: Vec<String>) -> ExitCode {
    ExitCode::FAILURE
}
