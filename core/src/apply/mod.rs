//! The engine: runs a plan's steps over traits, as concurrently as their edges allow, and records what was done.

mod event;
mod traits;

pub use event::Event;
pub use traits::*;
