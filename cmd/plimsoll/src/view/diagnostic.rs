//! Diagnostics as a compiler shows them: the excerpt, every place labelled, why, and the edit that helps.

use super::Look;
use super::shown::Told;
use super::words;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use plimsoll_core::model::diag::Label;
use plimsoll_core::model::{Diagnostic, Severity, Span};
use std::collections::BTreeSet;
use std::ops::Range;

/// An excerpt that is wider is cut by the renderer around what it points at.
const WIDEST: usize = 160;

pub(crate) fn text(told: &Told, look: Look) -> String {
    if told.diagnostics.is_empty() {
        return String::new();
    }
    let renderer = if look.colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer
        .decor_style(DecorStyle::Ascii)
        .term_width(look.width.min(WIDEST));
    let mut out = String::new();
    for diagnostic in &told.diagnostics {
        out.push_str(&one(diagnostic, told, &renderer));
        out.push_str("\n\n");
    }
    out.push_str(&summary(&told.diagnostics));
    out.push('\n');
    out
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Advice => Level::INFO.with_name("advice"),
    }
}

fn one(diagnostic: &Diagnostic, told: &Told, renderer: &Renderer) -> String {
    let title = level(diagnostic.severity)
        .primary_title(diagnostic.summary.as_str())
        .id(diagnostic.code.as_str());
    let mut main = Group::with_title(title);
    for (first, labels) in by_file(&diagnostic.labels) {
        let file = &labels[0].span.file;
        let Some(source) = told.texts.get(file) else {
            let place = annotate_snippets::Origin::path(path(told, file));
            main = main.element(place);
            continue;
        };
        let spans: Vec<&Span> = labels.iter().map(|l| &l.span).collect();
        let excerpt = Excerpt::around(source, &spans);
        let annotations: Vec<_> = labels
            .iter()
            .enumerate()
            .map(|(index, label)| {
                let kind = if first && index == 0 {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                kind.span(excerpt.within(&label.span))
                    .label(label.text.as_str())
            })
            .collect();
        main = main.element(
            Snippet::source(excerpt.text)
                .line_start(excerpt.first_line)
                .path(path(told, file))
                .annotations(annotations),
        );
    }
    for note in &diagnostic.notes {
        main = main.element(Level::NOTE.message(note.as_str()));
    }
    let mut groups = Vec::new();
    for help in &diagnostic.help {
        let patch = help
            .patch
            .as_ref()
            .and_then(|p| Some((p, told.texts.get(&p.span.file)?)));
        match patch {
            None => main = main.element(Level::HELP.message(help.text.as_str())),
            Some((patch, source)) => {
                let excerpt = Excerpt::around(source, &[&patch.span]);
                let edit = Patch::new(excerpt.within(&patch.span), patch.replacement.as_str());
                groups.push(
                    Group::with_title(Level::HELP.secondary_title(help.text.as_str())).element(
                        Snippet::source(excerpt.text)
                            .line_start(excerpt.first_line)
                            .path(path(told, &patch.span.file))
                            .patch(edit),
                    ),
                );
            }
        }
    }
    groups.insert(0, main);
    renderer.render(&groups)
}

/// The labels of each file together, the first label's file first; whether it is that one.
fn by_file(labels: &[Label]) -> Vec<(bool, Vec<&Label>)> {
    let mut files: Vec<(bool, Vec<&Label>)> = Vec::new();
    for label in labels {
        match files
            .iter_mut()
            .find(|(_, of)| of[0].span.file == label.span.file)
        {
            Some((_, of)) => of.push(label),
            None => files.push((files.is_empty(), vec![label])),
        }
    }
    files
}

/// From where the person stands.
pub(crate) fn path(told: &Told, file: &str) -> String {
    if told.directory.as_os_str().is_empty() || told.directory.as_os_str() == "." {
        file.to_owned()
    } else {
        told.directory.join(file).display().to_string()
    }
}

/// The lines that matter: rendering takes time in proportion to the text that it is given.
struct Excerpt {
    text: String,
    first_line: usize,
    /// Where it starts in the source.
    start: usize,
    end: usize,
}

/// Lines of context above and below.
const CONTEXT: usize = 2;

impl Excerpt {
    fn around(source: &str, spans: &[&Span]) -> Self {
        let clamped: Vec<Range<usize>> = spans.iter().map(|s| clamp(source, s.range())).collect();
        let low = clamped.iter().map(|r| r.start).min().unwrap_or(0);
        let high = clamped.iter().map(|r| r.end).max().unwrap_or(low);
        let mut start = low;
        for _ in 0..=CONTEXT {
            start = source[..start]
                .trim_end_matches(not_newline)
                .len()
                .saturating_sub(1);
        }
        // On the newline before the excerpt, or at the very start.
        if source[start..].starts_with('\n') {
            start += 1;
        }
        let mut end = high;
        for _ in 0..=CONTEXT {
            end = source[end..]
                .find('\n')
                .map_or(source.len(), |at| end + at + 1);
        }
        // A byte order mark has no width, and nobody wants to see it.
        if source[start..].starts_with('\u{feff}') && low >= '\u{feff}'.len_utf8() {
            start += '\u{feff}'.len_utf8();
        }
        Self {
            // As long as what it replaces, so that spans stay; shown, it would be a stray sign at each line's end.
            text: source[start..end].replace('\r', " "),
            first_line: source[..start].matches('\n').count() + 1,
            start,
            end,
        }
    }

    fn within(&self, span: &Span) -> Range<usize> {
        let shift = |at: usize| at.clamp(self.start, self.end) - self.start;
        clamp(&self.text, shift(span.start)..shift(span.end))
    }
}

fn not_newline(c: char) -> bool {
    c != '\n'
}

/// Into the text, and onto the borders of characters.
fn clamp(text: &str, range: Range<usize>) -> Range<usize> {
    let border = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = border(range.start);
    start..border(range.end).max(start)
}

/// `2 errors and 1 warning · plimsoll explain PL0101`
fn summary(diagnostics: &[Diagnostic]) -> String {
    let mut parts = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Advice] {
        let number = diagnostics
            .iter()
            .filter(|d| d.severity == severity)
            .count();
        match severity {
            _ if number == 0 => {}
            Severity::Advice => parts.push(words::count(number, "piece") + " of advice"),
            Severity::Error | Severity::Warning => {
                parts.push(words::count(number, words::severity(severity)));
            }
        }
    }
    let codes: BTreeSet<&str> = diagnostics.iter().map(|d| d.code.as_str()).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    format!(
        "{} · plimsoll explain {}",
        words::list(&parts),
        codes.join(", ")
    )
}

/// Line and column from 1, the column in characters.
pub(crate) fn position(text: &str, at: usize) -> (usize, usize) {
    let at = clamp(text, at..at).start;
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let from = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[from..].chars().filter(|c| *c != '\u{feff}').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
