//! The Azure provider from outside.

/// A Resource Manager in memory.
#[cfg(test)]
mod fake;

/// Creating what is not there.
#[cfg(test)]
mod creation;
/// What is sent to write, and what becomes of it when something moves, breaks or comes late.
#[cfg(test)]
mod enact;
/// The whole way over TLS, against the lab.
#[cfg(test)]
mod lab;
/// The metadata service of a virtual machine.
#[cfg(test)]
mod managed_identity;
/// Joining and leaving pools.
#[cfg(test)]
mod network_interface;
/// There, not there, or not readable.
#[cfg(test)]
mod observe;
/// Operations that outlive a run.
#[cfg(test)]
mod operation;
/// Below Azure's limits, in paused time.
#[cfg(test)]
mod pace;
/// What is not modelled goes through a write unchanged.
#[cfg(test)]
mod preserved;
/// Scripts in virtual machines.
#[cfg(test)]
mod run_command;
/// Which requests the sign-in methods of pipelines send.
#[cfg(test)]
mod sign_in;
/// What each sign-in method sends to the token endpoint.
#[cfg(test)]
mod token_requests;
/// What a GET says and what the PUT after it carries.
#[cfg(test)]
mod wire;
