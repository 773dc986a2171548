//! Scripts run for real, in namespaces that each test makes for itself:
//! - `writes`: expand, run again, boot, contract, on nftables and without a firewall
//! - `enact`: the engine's traits, tools that lie, a huge guest, every shell
//! - `kinds`: the same life on ufw, iptables (both backends) and firewalld
//! - `standalone`: the script for machines that nobody has read
//! - `traps`: what goes wrong on real machines, each with the care that it takes
//! - `revert`: a reload of firewalld that cuts new connections off, taken back by the guest or confirmed
//! - `refusals`: cut, late, locked, moved, denied

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot run here says so out loud, and one that cannot go on fails"
)]

mod enact;
mod kinds;
mod namespace;
mod refusals;
mod revert;
mod standalone;
mod traps;
mod writes;
