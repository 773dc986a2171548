//! The Azure provider from outside.

/// A Resource Manager in memory.
#[cfg(test)]
mod fake;

/// What is sent to write, and what becomes of it when something moves, breaks or comes late.
#[cfg(test)]
mod enact;
/// The whole way over TLS, against the lab.
#[cfg(test)]
mod lab;
/// Joining and leaving pools.
#[cfg(test)]
mod network_interface;
/// There, not there, or not readable.
#[cfg(test)]
mod observe;
/// Scripts in virtual machines.
#[cfg(test)]
mod run_command;
/// Which requests the sign-in methods of pipelines send.
#[cfg(test)]
mod sign_in;
/// What a GET says and what the PUT after it carries.
#[cfg(test)]
mod wire;
