//! Lines of text with ink: laid out as plain words, folded at the width, and painted last.

use super::super::words::tame;
use super::super::{Detail, Look};
use console::{Style, measure_text_width};

/// What a word means. The colour says it again to those who see it; the words say it to everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Strong,
    Faint,
    Added,
    Changed,
    Removed,
    Warning,
    Error,
}

impl Ink {
    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Strong => style.bold(),
            Self::Faint => style.dim(),
            Self::Added => style.green(),
            Self::Changed => style.yellow(),
            Self::Removed => style.red(),
            Self::Warning => style.yellow().bold(),
            Self::Error => style.red().bold(),
        }
    }

    pub(crate) fn paint(self, text: &str, look: Look) -> String {
        if look.colour && self != Self::Plain && !text.trim().is_empty() {
            self.style().force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }
}

/// One logical line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    parts: Vec<(Ink, String)>,
    hang: Option<usize>,
}

impl Ink {
    pub(crate) fn line(self, text: impl AsRef<str>) -> Line {
        Line::default().ink(self, text)
    }
}

impl Line {
    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::default().put(text)
    }

    #[must_use]
    pub(crate) fn put(self, text: impl AsRef<str>) -> Self {
        self.ink(Ink::Plain, text)
    }

    #[must_use]
    pub(crate) fn ink(mut self, ink: Ink, text: impl AsRef<str>) -> Self {
        self.parts.push((ink, tame(text.as_ref())));
        self
    }

    /// Goes on at this column, and at least two columns further on.
    #[must_use]
    pub(crate) fn to(self, column: usize) -> Self {
        let gap = column.saturating_sub(self.width()).max(2);
        self.put(" ".repeat(gap))
    }

    /// Where the rest of a line that is too long goes on.
    #[must_use]
    pub(crate) fn hang(mut self, column: usize) -> Self {
        self.hang = Some(column);
        self
    }

    /// What follows hangs where it starts.
    #[must_use]
    pub(crate) fn hang_here(self) -> Self {
        let here = self.width();
        self.hang(here)
    }

    pub(crate) fn width(&self) -> usize {
        self.parts
            .iter()
            .map(|(_, text)| measure_text_width(text))
            .sum()
    }

    fn render(&self, look: Look, out: &mut String) {
        if self.width() <= look.width {
            let mut line = String::new();
            for (ink, text) in &self.parts {
                line.push_str(&ink.paint(text, look));
            }
            out.push_str(line.trim_end());
            out.push('\n');
            return;
        }
        self.fold(look, out);
    }

    /// Breaks at blanks; a word that is longer than the line stays whole, so that it can be copied.
    fn fold(&self, look: Look, out: &mut String) {
        let first = self.parts.first().map_or("", |(_, text)| text);
        let margin = first.len() - first.trim_start().len();
        let hang = self.hang.unwrap_or(margin + 4);
        // A narrow window has no room for a deep indentation.
        let hang = if hang > look.width / 2 {
            margin + 2
        } else {
            hang
        };
        let mut column = 0;
        let mut line = String::new();
        let mut blank = String::new();
        for (ink, text) in &self.parts {
            for piece in pieces(text) {
                let width = measure_text_width(piece);
                if piece.starts_with(' ') {
                    blank.push_str(piece);
                    continue;
                }
                if column > hang && column + blank.len() + width > look.width {
                    out.push_str(line.trim_end());
                    out.push('\n');
                    line = " ".repeat(hang);
                    column = hang;
                    blank.clear();
                }
                line.push_str(&blank);
                column += blank.len() + width;
                blank.clear();
                line.push_str(&ink.paint(piece, look));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Runs of blanks and words, in turn.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest
            .find(|c| (c == ' ') != (first == ' '))
            .unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        Some(piece)
    })
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

/// Lines in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    lines: Vec<Line>,
    detail: Detail,
}

impl Page {
    pub(crate) fn new(detail: Detail) -> Self {
        Self {
            lines: Vec::new(),
            detail,
        }
    }

    pub(crate) fn detail(&self) -> Detail {
        self.detail
    }

    pub(crate) fn line(&mut self, line: impl Into<Line>) {
        self.lines.push(line.into());
    }

    /// An empty line, unless there is one already or nothing is above it.
    pub(crate) fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(crate) fn text(&self, look: Look) -> String {
        let mut out = String::new();
        let filled = |line: &Line| line.width() > 0;
        let end = self
            .lines
            .iter()
            .rposition(filled)
            .map_or(0, |last| last + 1);
        for line in &self.lines[..end] {
            line.render(look, &mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let mut page = Page::default();
        page.line(
            Line::plain("  ")
                .ink(Ink::Added, "+")
                .put(" rule \"purple\"")
                .to(24)
                .hang_here()
                .put("65.52.0.2:80/tcp to vms:80, floating IP and quite a lot more of it"),
        );
        page
    }

    #[test]
    fn a_long_line_folds_at_blanks_and_hangs() {
        let text = page().text(Look::plain(60));
        assert!(text.lines().all(|l| measure_text_width(l) <= 60), "{text}");
        assert!(
            text.lines().nth(1).unwrap().starts_with(&" ".repeat(24)),
            "{text}"
        );
        let narrow = page().text(Look::plain(40));
        assert!(
            narrow.lines().all(|l| measure_text_width(l) <= 40),
            "{narrow}"
        );
    }

    #[test]
    fn folding_loses_no_word_and_paint_changes_no_text() {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let wide = page().text(Look::plain(200));
        for width in 40..100 {
            let plain = page().text(Look::plain(width));
            assert_eq!(words(&wide), words(&plain));
            let painted = page().text(Look {
                colour: true,
                width,
            });
            assert_ne!(painted, plain);
            assert_eq!(console::strip_ansi_codes(&painted), plain);
        }
    }
}
