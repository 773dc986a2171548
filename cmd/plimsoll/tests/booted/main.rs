//! Guests that really boot: systemd, sshd, netplan and the firewall of each kind in namespaces, behind a fabric that delivers
//! as Azure does, with the real binary, the real OpenSSH client and the emulated Resource Manager. Needs root.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and says what it skips"
)]

/// Client, fabric and machines in one set of namespaces, which end with the test.
mod bed;
/// The emulated Resource Manager, the configuration, and the binary that is driven.
mod deployment;
/// What can go wrong, one at a time: packets, what `trace` says of it, and what mends it.
mod faults;
/// Each kind of firewall: how an administrator set it up, with what belongs to them.
mod firewalls;
/// Guests that are shared, renamed rules, scripts that come too late; facts and findings; clusters.
mod lives;
/// The matrix: broken, applied, applied again, rebooted, destroyed.
mod matrix;
/// A change that cuts a guest off, which the guest takes back.
mod reverts;
