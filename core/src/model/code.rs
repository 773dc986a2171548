//! The codes of diagnostics and findings: one row each, so that `plimsoll explain` has a page for each.

use super::{Diagnostic, Severity};

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `PL####`
    pub code: &'static str,
    pub severity: Severity,
    /// The summary of every diagnostic with this code; it holds no names of the user's.
    pub title: &'static str,
    pub explanation: &'static str,
    /// Where it is known from; the language's own problems have no source but the language.
    pub source: Option<&'static str>,
}

impl Code {
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::new(self.severity, self.code, self.title)
    }
}

/// Declares a table: `NAME = "PL0000", "title", "explanation";` is an error of the language, and
/// `NAME = "PL0000", "title", "explanation", Warning, "source";` says how bad it is and where that is known from.
macro_rules! codes {
    (@severity) => { $crate::model::Severity::Error };
    (@severity $severity:ident) => { $crate::model::Severity::$severity };
    (@source) => { None };
    (@source $source:literal) => { Some($source) };
    ($($name:ident = $code:literal, $title:literal, $explanation:literal $(, $severity:ident, $source:literal)?;)*) => {
        $(pub const $name: $crate::model::Code = $crate::model::Code {
            code: $code,
            severity: $crate::model::code::codes!(@severity $($severity)?),
            title: $title,
            explanation: $explanation,
            source: $crate::model::code::codes!(@source $($source)?),
        };)*

        /// All of them, in order.
        pub const ALL: &[$crate::model::Code] = &[$($name),*];
    };
}

pub(crate) use codes;
