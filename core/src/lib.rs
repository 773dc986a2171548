//! The thinking half of plimsoll. Nothing here reads a file, a clock, the environment or the network.

pub mod config;
pub mod model;
pub mod lang;
pub mod plan;
pub mod apply;
pub mod state;
pub mod explain;
pub mod reference;
