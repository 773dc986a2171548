//! Planning: desired, observed and prior in; changes, steps, drift and findings out. Pure.

mod types;

pub use types::*;
