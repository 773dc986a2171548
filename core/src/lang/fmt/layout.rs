//! Spaces: the indentation of lines, the gaps between tokens, and what stands below each other.

use super::tokens::{Kind, Token};
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// A line as the tokens of its up to three cells. What stands below each other is the second and the third.
struct Line {
    lead: Range<usize>,
    /// From the `=` of an attribute whose value ends on the same line; empty if there is none.
    assign: Range<usize>,
    /// The comment at the end of a line that holds something else too.
    comment: Option<usize>,
}

pub(super) fn lay_out(tokens: &mut [Token<'_>]) {
    let lines = lines(tokens);
    for line in &lines {
        space(tokens, line.lead.clone());
        space(tokens, line.assign.clone());
    }
    indent(tokens, &lines);
    align(
        tokens,
        &lines,
        |line| (!line.assign.is_empty()).then_some(line.assign.start),
        |line| line.lead.start..line.lead.end,
    );
    align(
        tokens,
        &lines,
        |line| line.comment,
        |line| line.lead.start..line.lead.end.max(line.assign.end),
    );
}

/// How many brackets a token opens, or closes.
fn brackets(kind: Kind) -> isize {
    match kind {
        Kind::OpenBrace
        | Kind::OpenBracket
        | Kind::OpenParenthesis
        | Kind::OpenInterpolation
        | Kind::OpenDirective => 1,
        Kind::CloseBrace | Kind::CloseBracket | Kind::CloseParenthesis | Kind::CloseTemplate => -1,
        _ => 0,
    }
}

fn ends_line(token: &Token<'_>) -> bool {
    match token.kind {
        Kind::Newline => true,
        Kind::Comment => token.text.ends_with('\n'),
        _ => false,
    }
}

fn lines(tokens: &[Token<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (index, token) in tokens.iter().enumerate() {
        if ends_line(token) || index + 1 == tokens.len() {
            lines.push(cells(tokens, start..index + 1));
            start = index + 1;
        }
    }
    lines
}

fn cells(tokens: &[Token<'_>], mut line: Range<usize>) -> Line {
    let comment =
        (line.len() > 1 && tokens[line.end - 1].kind == Kind::Comment).then(|| line.end - 1);
    if comment.is_some() {
        line.end -= 1;
    }
    let assign = (line.start + 1..line.end).find(|index| tokens[*index].kind == Kind::Assign);
    // A value that goes on in the next line is not set below others.
    let whole = |start: &usize| {
        tokens[*start..line.end]
            .iter()
            .map(|token| brackets(token.kind))
            .sum::<isize>()
            == 0
    };
    let assign = assign.filter(whole).unwrap_or(line.end);
    Line {
        lead: line.start..assign,
        assign: assign..line.end,
        comment,
    }
}

/// Two spaces for each line above that opened more than it closed, however many brackets those were.
fn indent(tokens: &mut [Token<'_>], lines: &[Line]) {
    let mut open: Vec<isize> = Vec::new();
    for line in lines {
        let Some(first) = tokens.get(line.lead.start).map(|token| token.kind) else {
            continue;
        };
        if first == Kind::Newline {
            tokens[line.lead.start].spaces = 0;
            continue;
        }
        // Brackets within the text of a heredoc do not count.
        let lead = &tokens[line.lead.clone()];
        let reach = lead
            .iter()
            .position(|token| token.kind == Kind::OpenHeredoc)
            .unwrap_or(lead.len());
        let mut change: isize = lead[..reach].iter().map(|token| brackets(token.kind)).sum();
        change += tokens[line.assign.clone()]
            .iter()
            .map(|token| brackets(token.kind))
            .sum::<isize>();
        let mut closing = -change;
        while closing > 0
            && let Some(last) = open.last_mut()
        {
            if closing < *last {
                *last -= closing;
                closing = 0;
            } else {
                closing -= *last;
                open.pop();
            }
        }
        tokens[line.lead.start].spaces = 2 * open.len();
        if change > 0 {
            open.push(change);
        }
    }
}

/// One space or none before each token of a cell but the first.
fn space(tokens: &mut [Token<'_>], cell: Range<usize>) {
    for index in cell.start + 1..cell.end {
        let before = (index >= cell.start + 2).then(|| tokens[index - 2].kind);
        let spaced = is_spaced(before, &tokens[index - 1], tokens[index].kind);
        tokens[index].spaces = usize::from(spaced);
    }
}

/// Whether a space stands between two tokens, `before` being what comes before the left one in its cell.
#[expect(
    clippy::match_same_arms,
    reason = "the first rule that fits decides, so their order matters"
)]
fn is_spaced(before: Option<Kind>, left: &Token<'_>, right: Kind) -> bool {
    use Kind::*;
    let text = |kind| matches!(kind, QuotedText | HeredocText);
    match (left.kind, right) {
        (_, Newline)
        | (Identifier, OpenParenthesis)
        | (Identifier, DoubleColon)
        | (DoubleColon, Identifier)
        | (Dot, _)
        | (_, Dot)
        | (_, Comma | Ellipsis) => false,
        (Comma, _) => true,
        (left, right) if text(left) || text(right) => false,
        (OpenQuote | OpenHeredoc, _) | (_, CloseQuote | CloseHeredoc) => false,
        // `for x in [1]` is not the index of something called `in`.
        (Identifier, _) if left.text == "in" && before == Some(Identifier) => true,
        (
            Identifier | Number | CloseBrace | CloseBracket | CloseParenthesis | CloseTemplate,
            OpenBracket,
        ) => false,
        (Bang, _) => false,
        (Minus, _) => !is_sign(before),
        (OpenBrace, CloseBrace) => false,
        (OpenBrace, _) | (_, CloseBrace) => true,
        // `${ {` and `} }` stay apart.
        (OpenInterpolation | OpenDirective, OpenBrace) | (CloseBrace, CloseTemplate) => true,
        (CloseTemplate, OpenInterpolation | OpenDirective) => false,
        (left, right) => brackets(left) <= 0 && brackets(right) >= 0,
    }
}

/// Whether a minus is a sign, judged by what comes before it: nothing that could end an operand.
fn is_sign(before: Option<Kind>) -> bool {
    use Kind::*;
    matches!(
        before,
        None | Some(
            OpenParenthesis
                | OpenBrace
                | OpenBracket
                | Assign
                | Colon
                | Comma
                | Question
                | Minus
                | Operator
                | Bang
        )
    )
}

fn columns(tokens: &[Token<'_>]) -> usize {
    tokens
        .iter()
        .map(|token| token.spaces + token.text.graphemes(true).count())
        .sum()
}

/// Sets a cell of neighbouring lines below each other, one space after the longest of what comes before it.
fn align(
    tokens: &mut [Token<'_>],
    lines: &[Line],
    cell: impl Fn(&Line) -> Option<usize>,
    before: impl Fn(&Line) -> Range<usize>,
) {
    for block in lines.chunk_by(|a, b| cell(a).is_some() == cell(b).is_some()) {
        let widths: Vec<usize> = block
            .iter()
            .map(|line| columns(&tokens[before(line)]))
            .collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        for (line, width) in block.iter().zip(widths) {
            if let Some(first) = cell(line) {
                tokens[first].spaces = widest - width + 1;
            }
        }
    }
}
