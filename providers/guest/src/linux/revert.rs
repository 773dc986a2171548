//! What could cut the guest off is taken back by the guest itself, unless someone confirms it over a new connection in time.

use super::script::{compound, facts_functions, here_document};
use plimsoll_core::model::guest::Connection;
use std::time::Duration;

/// How long a change waits. An ssh client gives up a connection after 15 s, so that three fit; a Run Command takes 20 s or
/// more, and the machine runs one at a time.
pub fn confirm_within(connection: &Connection) -> Duration {
    match connection {
        Connection::Ssh { .. } | Connection::Local => Duration::from_secs(60),
        Connection::RunCommand { .. } => Duration::from_secs(300),
    }
}

/// The functions of a script that reloads firewalld, with the text that takes the reload back.
pub(crate) fn functions(run: u64, connection: &Connection) -> String {
    format!(
        "{}revert_text() {{\ncat {}}}\nrun={run}\nconfirm_within={}\n",
        include_str!("revert.sh"),
        here_document(include_str!("revert_firewalld.sh")),
        confirm_within(connection).as_secs()
    )
}

/// The script that confirms: that it came says that new connections come through. It ends with the facts.
pub fn confirm() -> String {
    compound(
        "plimsoll: new connections come through after the last change, so it may stay.",
        &format!(
            "{}{}{}confirm\nprint_facts\n",
            facts_functions(),
            include_str!("apply.sh"),
            include_str!("confirm.sh")
        ),
    )
}
