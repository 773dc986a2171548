//! The smallest program that can hold a lab: the daemon and its agents, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match role.as_str() {
        "lab-daemon" => plimsoll_lab::daemon::daemon_main(rest),
        "lab-agent" => plimsoll_lab::agent::agent_main(&rest),
        _ => ExitCode::FAILURE,
    }
}
