//! From source files to a configuration: parse, evaluate, decode, check. Everything that is wrong is collected and
//! shown at once; nothing is read from disk here.

mod desired;
mod sources;

pub use desired::*;
pub use sources::{Inputs, SourceSet};
