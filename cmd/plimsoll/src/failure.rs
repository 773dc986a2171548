//! What stops a command: what was tried, the chain of causes, and what to do next.

use crate::exit::Exit;
use crate::view::Told;
use std::error::Error;

/// Something that stopped the work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What was tried and did not work.
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    /// What a person can do; a line that starts with two spaces is a command.
    pub(crate) next: Vec<String>,
    /// The configuration's own problems, which say everything themselves.
    pub(crate) told: Option<Box<Told>>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Error,
            message: message.into(),
            causes: Vec::new(),
            next: Vec::new(),
            told: None,
        }
    }

    pub(crate) fn refused(told: Told) -> Self {
        Self {
            told: Some(Box::new(told)),
            ..Self::new("the configuration has errors")
        }
    }

    #[must_use]
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors repeat their source; once is enough.
            if !self.causes.contains(&text) {
                self.causes.push(text);
            }
            cause = error.source();
        }
        self
    }

    #[must_use]
    pub(crate) fn next(mut self, step: impl Into<String>) -> Self {
        self.next.push(step.into());
        self
    }

    #[must_use]
    pub(crate) fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// An error that already says what was tried, and how to go on.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let failure = Self::new(error.to_string());
        match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        }
    }
}
