//! Azure Resource Manager for plimsoll: sign-in, a thin client over `azure_core`'s pipeline, the wire format of load
//! balancers, public IP addresses and network interfaces, and the traits of `core` that read and write them.
//!
//! Modules in reading order. **Invariant:** nothing here reads the environment or prints; `cmd` passes both in.

pub mod client;
mod enact;
pub mod endpoint;
pub mod error;
pub mod judge;
mod observe;
mod operation;
mod pace;
mod patience;
pub mod run_command;
pub mod sign_in;
pub mod versions;
pub mod wire;

pub use client::{Client, Document};
pub use enact::Writer;
pub use endpoint::Endpoint;
pub use error::ArmError;
pub use observe::{Quiet, Reader};
pub use patience::Patience;
pub use run_command::{RunCommandError, Shell};
pub use sign_in::{ClientSecret, SignInError, sign_in};
