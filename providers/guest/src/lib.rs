//! Guests: what a backend VM must hold → scripts; what they answer → facts; and how scripts get there.
//!
//! One round trip to read, one to write. A write script ends by printing the facts, which is its verification.

#![forbid(unsafe_code)]

pub mod transport;

pub mod linux;
pub mod windows;

mod claims;
mod enact;
mod guests;
mod observe;
mod verify;

pub use enact::show_script;
pub use guests::{Guests, Limits};
pub use observe::show_probe;
