//! The engine: runs a plan's steps over traits, as concurrently as their edges allow, and records what was done.

mod check;
mod discover;
mod engine;
mod event;
mod fill;
mod observe;
mod perform;
mod resume;
mod traits;

pub use check::Moved;
pub use discover::{Undiscovered, discover};
pub use engine::{GRACE, Halt, Outcome, World, run};
pub use event::Event;
pub use observe::{observe, observe_again, observe_guests};
pub use traits::*;
