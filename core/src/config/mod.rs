//! From source files to a configuration: parse, evaluate, decode, check. Everything that is wrong is collected and
//! shown at once; nothing is read from disk here.

mod attribute;
mod block;
pub mod checks;
pub mod codes;
mod data;
mod desired;
mod evaluate;
pub mod generate;
mod guest_settings;
mod guests;
mod instances;
mod lifecycle;
mod load;
mod module;
mod named;
mod pointed;
mod refactor;
mod resources;
pub mod scaffold;
mod settings;
mod sources;
mod variables;

pub use desired::*;
pub use load::load;
pub use sources::{Inputs, SourceSet};
