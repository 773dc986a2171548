//! What a person is told about the configuration: collected, sorted and shown together, never one at a time.

use super::Span;
use serde::{Deserialize, Serialize};

/// How bad it is: an error stops the work, a warning and a piece of advice do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
    Advice,
}

/// One problem: what is wrong, where, why Azure or the guest would fail, and how to fix it.
///
/// The summary is short and holds no names of the user's, so that it can be searched for; names stand in the labels,
/// the notes and the help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// `PL####`; `plimsoll explain` has a page for each.
    pub code: String,
    pub summary: String,
    /// The places it speaks of; the first is where the eye should land.
    pub labels: Vec<Label>,
    /// Why: one full sentence each.
    pub notes: Vec<String>,
    /// How to fix it.
    pub help: Vec<Help>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One way out, with an edit where the fix is mechanical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patch: Option<Patch>,
}

/// Replace the span's text by this one; an empty span inserts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    pub span: Span,
    pub replacement: String,
}

impl Diagnostic {
    pub fn new(severity: Severity, code: &str, summary: impl Into<String>) -> Self {
        Self {
            severity,
            code: code.to_owned(),
            summary: summary.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    pub fn error(code: &str, summary: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, summary)
    }

    pub fn warning(code: &str, summary: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, summary)
    }

    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(Help {
            text: text.into(),
            patch: None,
        });
        self
    }

    #[must_use]
    pub fn patch(
        mut self,
        text: impl Into<String>,
        span: Span,
        replacement: impl Into<String>,
    ) -> Self {
        self.help.push(Help {
            text: text.into(),
            patch: Some(Patch {
                span,
                replacement: replacement.into(),
            }),
        });
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Sorts by place, then severity, and drops exact repeats.
pub fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|a, b| {
        let place = |d: &Diagnostic| d.labels.first().map(|l| l.span.clone());
        (place(a), a.severity, &a.code, &a.summary).cmp(&(
            place(b),
            b.severity,
            &b.code,
            &b.summary,
        ))
    });
    diagnostics.dedup();
    diagnostics
}

/// The nearest of the known words, if it is near enough to be what was meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance with transpositions, on characters without their case.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let swap = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + swap);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_near_word_and_nothing_for_a_far_one() {
        let known = ["frontend", "backend_pool", "probe", "rule"];
        assert_eq!(did_you_mean("frontned", known), Some("frontend"));
        assert_eq!(did_you_mean("backendpool", known), Some("backend_pool"));
        assert_eq!(did_you_mean("listener", known), None);
    }
}
