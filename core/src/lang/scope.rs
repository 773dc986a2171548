//! What an expression can refer to. The configuration implements it; the language only asks.

use super::number::Number;
use super::value::Value;
use crate::model::{Diagnostic, Span};
use jiff::Timestamp;

/// The names that an expression sees, and the little of the world that its functions may ask about.
pub trait Scope {
    /// Finds what `root` and as many steps of `path` as it knows stand for; the evaluator applies the rest.
    ///
    /// `span` is the whole reference. The answer is cloned once, so it costs the same however large the value is.
    fn resolve(&self, root: &str, path: &[Step], span: &Span) -> Result<Resolved, Vec<Diagnostic>>;

    /// The files beside the configuration, for `file`, `templatefile` and their like.
    fn files(&self) -> &dyn Files;

    /// The time that `plantimestamp` answers; `None` makes it known only after apply.
    fn now(&self) -> Option<Timestamp>;

    /// Told of every expression that is evaluated in it, parts of others included: tests count the work with it.
    fn evaluating(&self) {}

    /// Whether this is the inside of a template, which may not render another.
    fn renders_template(&self) -> bool {
        false
    }
}

/// The answer to a reference: a value, and how many steps of the path led to it.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub value: Value,
    pub consumed: usize,
}

/// One step of a reference that is known without evaluating anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// `.name`
    Attr(String),
    /// `["key"]`, `[0]` or `.0`
    Index(Key),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Text(String),
    Number(Number),
}

impl Step {
    /// The name of an attribute, or the string in the brackets: either selects from an object or a map.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            StepKind::Attr(name) | StepKind::Index(Key::Text(name)) => Some(name),
            StepKind::Index(Key::Number(_)) => None,
        }
    }
}

/// Files by their path as the configuration writes it. Whoever implements it decides what that is relative to.
pub trait Files {
    /// The error says why in one sentence's part.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    fn exists(&self, path: &str) -> bool;

    /// The paths below a directory that match a pattern of `*`, `**`, `?` and `{a,b}`, relative to that directory.
    fn list(&self, directory: &str, pattern: &str) -> Result<Vec<String>, String>;

    /// What paths are relative to, as an absolute path, for `abspath`; `None` where there is no such place.
    fn root(&self) -> Option<String> {
        None
    }

    /// What `~` stands for.
    fn home(&self) -> Option<String> {
        None
    }
}

/// No files at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no file exists at \"{path}\""))
    }

    fn exists(&self, _path: &str) -> bool {
        false
    }

    fn list(&self, _directory: &str, _pattern: &str) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}
