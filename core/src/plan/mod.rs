//! Planning: desired, observed and prior in; changes, steps, drift and findings out. Pure.

mod map;
mod types;

pub use map::{MapDestination, MapRow};
pub use types::*;
