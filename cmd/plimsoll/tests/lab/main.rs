//! The binary in the lab, with real packets: what the README promises.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and says what it skips"
)]

/// A real Azurite, for a state in a blob.
#[path = "../../../../providers/store/tests/azurite/mod.rs"]
mod azurite;
/// A first configuration: asked for, or taken from what exists.
mod begin;
/// Ten changes in one PUT, a removal under load, a lost state.
mod changes;
/// How many requests the largest load balancer takes: one to plan, four and the polls to apply.
mod counts;
/// Load balancers recorded from real Azure, with one rule of ours.
mod existing;
/// `kill -9` between any two requests and at any write of the journal.
mod kills;
/// Plan, apply, packets, drift, heal, reboot, destroy: as root and as an ordinary user.
mod main_job;
/// The README's picture, from a real run.
mod picture;
/// Somebody else writes at the same moment.
mod races;
/// Bad input: a diagnostic with its place and help, exit 1, nothing written.
mod refusals;
/// A saved plan that was applied in part, on other runners.
mod run_command;
mod runners;
/// Each scenario of `examples`: what must be true in packets, its map, and its known mistakes.
mod scenarios;
/// Sessions that read as documentation: a pull request, a drift.
mod sessions;
/// Ctrl-C and SIGTERM.
mod signals;
/// A plan from recorded facts.
mod snapshot;
/// The ordinary path without `--lab`: sign-in, TLS, and guests over real OpenSSH.
mod ssh;
/// The record by hand, and a lock that is taken away.
mod state;
mod support;
/// Progress in a terminal of forty columns, in one that is dumb, and in a pipeline.
mod terminal;
/// What `trace` says, held against packets.
mod trace;
/// What a client under way notices of moves, replacements and rebuilt guests.
mod traffic;
