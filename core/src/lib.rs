//! The thinking half of plimsoll. Nothing here reads a file, a clock, the environment or the network.

pub mod apply;
pub mod config;
pub mod explain;
pub mod lang;
pub mod model;
pub mod plan;
pub mod reference;
pub mod snapshot;
pub mod state;
