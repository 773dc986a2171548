//! The nouns: what everything else speaks of.

pub mod diag;
mod span;

pub use diag::{Diagnostic, Severity};
pub use span::Span;
