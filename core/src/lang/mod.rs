//! The expression language: Terraform's values, expressions, functions and formatting, over HCL's syntax.
//!
//! Text goes in, values and diagnostics come out. What an expression refers to, the files it reads and the clock are
//! arguments (`scope`); nothing here does I/O.

pub mod codes;
pub mod constraint;
pub mod convert;
mod display;
mod eval;
pub mod fmt;
mod functions;
pub mod json;
pub mod number;
pub mod parse;
pub mod references;
pub mod scope;
pub mod types;
pub mod value;

pub use constraint::parse_type;
pub use convert::convert;
pub use display::quoted;
pub(crate) use eval::constant;
pub use eval::{evaluate, span_of};
pub use fmt::format;
pub use functions::names as function_names;
pub use json::{from_json, to_json};
pub use parse::{parse_body, parse_expression};
pub use references::{Reference, references};
pub use scope::{Files, Key, NoFiles, Resolved, Scope, Step, StepKind};
pub use types::Type;
pub use value::Value;
