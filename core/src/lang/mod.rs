//! The expression language: Terraform's values, expressions, functions and formatting, over HCL's syntax.
//!
//! Text goes in, values and diagnostics come out. What an expression refers to, the files it reads and the clock are
//! arguments (`scope`); nothing here does I/O. Where Terraform's own words are vague, its answers decide: the tests
//! compare against them.

// From text to a tree.
pub mod parse;

mod chains;

// What a tree can stand for.
pub mod value;

pub mod number;
pub mod types;

mod display;
pub mod json;

pub mod convert;

pub mod constraint;

// From a tree to what it stands for.
pub mod scope;

mod eval;

mod functions;

pub mod references;

// From text to better text.
pub mod fmt;

pub mod codes;

pub use constraint::parse_type;
pub use convert::convert;
pub use display::quoted;
pub(crate) use eval::constant;
pub use eval::{evaluate, span_of, span_of_block};
pub use fmt::format;
pub use functions::names as function_names;
pub use json::{from_json, to_json};
pub use parse::{parse_body, parse_expression};
pub use references::{Reference, references};
pub use scope::{Files, Key, NoFiles, Resolved, Scope, Step, StepKind};
pub use types::Type;
pub use value::Value;
