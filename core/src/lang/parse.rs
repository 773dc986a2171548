//! From text to syntax tree, with errors that say what is wrong.
//!
//! Spans are bytes of the text as given. The one thing that the parser does not accept and editors do write, a byte order
//! mark, is replaced by as many spaces before parsing, so no span has to be shifted. Line ends of either kind are the
//! parser's business, and count as they are.

use super::chains;
use super::codes;
use super::fmt::{Kind, Token, tokens};
use crate::model::{Diagnostic, Span};
use hcl::edit::expr::Expression;
use hcl::edit::parser::{self, Error};
use hcl::edit::structure::Body;
use hcl::edit::template::Template;
use std::borrow::Cow;
use std::sync::Arc;

/// Parses a file.
pub fn parse_body(source: &str, file: &Arc<str>) -> Result<Body, Diagnostic> {
    let text = without_mark(source);
    let tokens = tokens(&text, 0);
    refuse_early(&text, &tokens, file).map_err(|error| beside_mark(error, source))?;
    let text = without_empty_heredocs(&text, &tokens);
    parser::parse_body(&text).map_err(|error| beside_mark(explain(&error, &text, file), source))
}

/// Parses a single expression, such as the value given to a variable on the command line.
pub fn parse_expression(source: &str, file: &Arc<str>) -> Result<Expression, Diagnostic> {
    let clean = without_mark(source);
    let tokens = tokens(&clean, 0);
    refuse_early(&clean, &tokens, file).map_err(|error| beside_mark(error, source))?;
    let text = without_comment(&clean, &tokens);
    let text = &*without_empty_heredocs(text, &tokens);
    let indent = text.len() - text.trim_start().len();
    // The parser takes no space before an expression. Parentheses in the place of the first space keep all spans, and are
    // taken off again.
    let text = match indent {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(format!("({}{})", " ".repeat(indent - 1), text.trim_start())),
    };
    let expr = parser::parse_expr(&text)
        .map_err(|error| beside_mark(explain(&error, &clean, file), source))?;
    Ok(match expr {
        Expression::Parenthesis(inner) if indent > 0 => inner.into_inner(),
        other => other,
    })
}

/// Parses the text of a template file.
pub fn parse_template(source: &str, file: &Arc<str>) -> Result<Template, Diagnostic> {
    // Its text is that of a heredoc, to whoever cuts it into tokens.
    let heredoc = format!("{HEREDOC}{source}");
    refuse_early(&heredoc, &tokens(&heredoc, 0), file).map_err(|mut error| {
        for label in &mut error.labels {
            label.span.start = label.span.start.saturating_sub(HEREDOC.len());
            label.span.end = label.span.end.saturating_sub(HEREDOC.len());
        }
        error
    })?;
    parser::parse_template(source).map_err(|error| explain(&error, source, file))
}

/// With a delimiter that no text ends it with.
const HEREDOC: &str = "<<\u{1d5c}\n";

/// Refuses what the parser would take for ever to refuse. What it accepts, it sees.
fn refuse_early(source: &str, tokens: &[Token<'_>], file: &Arc<str>) -> Result<(), Diagnostic> {
    if !chains::are_deep(tokens) {
        return Ok(());
    }
    let invalid = |at: usize, label: &str| invalid(source, file, at, label);
    let lone = chains::lone_less(tokens);
    let found = unfinished(source, &invalid)
        .or_else(|| unclosed(source, &invalid))
        .or_else(|| lone.map(|at| invalid(at, "an expression should begin here")));
    found.map_or(Ok(()), Err)
}

fn invalid(source: &str, file: &Arc<str>, at: usize, label: &str) -> Diagnostic {
    Diagnostic::error(codes::SYNTAX.code, codes::SYNTAX.title)
        .at(Span::new(file.clone(), character(source, at)), label)
}

/// Whether a text could stand as a name.
pub(crate) fn is_identifier(text: &str) -> bool {
    hcl::edit::Ident::try_new(text).is_ok()
}

fn without_mark(source: &str) -> Cow<'_, str> {
    match source.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!("   {rest}")),
        None => Cow::Borrowed(source),
    }
}

/// Moves what points into a byte order mark behind it: no one can show a part of a character.
fn beside_mark(mut diagnostic: Diagnostic, source: &str) -> Diagnostic {
    let mark = source.len() - source.strip_prefix('\u{feff}').unwrap_or(source).len();
    for label in &mut diagnostic.labels {
        label.span.start = label.span.start.max(mark);
        label.span.end = label.span.end.max(mark);
    }
    diagnostic
}

/// The parser takes a heredoc whose first line is its end for one that goes on to the next such line, if there is one. An
/// empty string of the same length stands in for it, so that every span is true.
fn without_empty_heredocs<'a>(source: &'a str, tokens: &[Token<'_>]) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(source);
    for pair in tokens.windows(2) {
        let (open, close) = (&pair[0], &pair[1]);
        let end = close.at + close.text.len();
        if open.kind == Kind::OpenHeredoc && close.kind == Kind::CloseHeredoc && end <= source.len()
        {
            let blank: String = source[open.at + 2..end]
                .chars()
                .flat_map(|c| {
                    let kept = if matches!(c, '\r' | '\n') { c } else { ' ' };
                    std::iter::once(kept).chain(std::iter::repeat_n(' ', c.len_utf8() - 1))
                })
                .collect();
            text.to_mut()
                .replace_range(open.at..end, &format!("\"\"{blank}"));
        }
    }
    text
}

/// The text up to the end of the last token that means something.
fn without_comment<'a>(source: &'a str, tokens: &[Token<'_>]) -> &'a str {
    let meaning = tokens
        .iter()
        .rev()
        .find(|token| !matches!(token.kind, Kind::Comment | Kind::Newline));
    meaning.map_or("", |last| &source[..last.at + last.text.len()])
}

/// The parser's error in words that say what to do about it.
fn explain(error: &Error, source: &str, file: &Arc<str>) -> Diagnostic {
    let at = offset(error, source);
    let invalid = |at: usize, label: &str| invalid(source, file, at, label);
    if let Some(diagnostic) = unfinished(source, &invalid) {
        return diagnostic;
    }
    let message = error.message();
    let rest = &source[at..];
    if rest.trim().is_empty()
        && let Some(diagnostic) = unclosed(source, &invalid)
    {
        return diagnostic;
    }
    let line = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let before = source[line..at].trim_end();
    if message.contains("redefined attribute") {
        return invalid(at, "this attribute is set before in the same block")
            .help("keep one of them; several values for one attribute are a list");
    }
    if message.contains("redefined object key") {
        return invalid(at, "this key is in the object before").help("keep one of them");
    }
    if message.contains("nesting depth")
        || message.contains("operator depth")
        || message.contains("at most")
    {
        return invalid(
            at,
            "this is nested too deeply: 64 levels and 128 operators are read",
        )
        .help("give the inner parts names of their own in `locals`");
    }
    if message.contains("escape sequence") {
        return invalid(at, "this is not an escape sequence")
            .help("\\n, \\r, \\t, \\\", \\\\, \\uNNNN and \\UNNNNNNNN are; a backslash itself is written \\\\");
    }
    if rest.starts_with(':') && is_identifier(before.trim()) {
        return invalid(at, "an attribute is set with `=`").patch(
            "use an equals sign",
            Span::new(file.clone(), character(source, at)),
            " =",
        );
    }
    if rest.starts_with(',') && message.contains("newline") {
        return invalid(
            at,
            "attributes of a block stand on lines of their own, without commas",
        )
        .patch(
            "remove the comma",
            Span::new(file.clone(), character(source, at)),
            "",
        );
    }
    if message.starts_with("invalid object item") {
        return invalid(at, "a comma or a line end separates the items of an object");
    }
    if message == "expected `]`" {
        return invalid(at, "a comma or the closing bracket should stand here");
    }
    if message.starts_with("expected `)`") && !rest.trim().is_empty() {
        return invalid(at, "a comma or the closing parenthesis should stand here");
    }
    if message.contains("newline") && !before.is_empty() {
        return invalid(at, "the line should end here")
            .note("A block holds one attribute or one block a line; a block on one line holds one attribute at most.");
    }
    // The parser lists all that can begin an expression.
    if message.starts_with("invalid expression") {
        return invalid(at, "an expression should begin here");
    }
    if rest.trim().is_empty() {
        let expected = message
            .strip_prefix("unexpected token")
            .map_or_else(|| format!("; {message}"), str::to_owned);
        return invalid(at, &format!("the text ends too early{expected}"));
    }
    if message == "unexpected token" {
        return invalid(at, "nothing can stand here that begins like this");
    }
    invalid(at, message)
}

/// A brace, bracket or parenthesis that is never closed: the parser sees only that the text ends. Which one it is, layout
/// tells: a closing brace that stands further left than the line it would close belongs to something further out.
fn unclosed(source: &str, invalid: &dyn Fn(usize, &str) -> Diagnostic) -> Option<Diagnostic> {
    let tokens = tokens(source, 0);
    let indent = |at: usize| {
        let line = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let blank = source[line..].find(|c: char| c != ' ' && c != '\t');
        (blank.unwrap_or(0), line + blank.unwrap_or(0) == at)
    };
    let mut open: Vec<&Token<'_>> = Vec::new();
    let mut suspect: Option<&Token<'_>> = None;
    for token in &tokens {
        match token.kind {
            Kind::OpenBrace | Kind::OpenBracket | Kind::OpenParenthesis => open.push(token),
            Kind::CloseBrace | Kind::CloseBracket | Kind::CloseParenthesis => {
                let opened = open.pop()?;
                let (depth, first_of_line) = indent(token.at);
                if first_of_line && depth < indent(opened.at).0 {
                    suspect = suspect.or(Some(opened));
                }
            }
            _ => {}
        }
    }
    let last = *open.last()?;
    let opened = suspect.unwrap_or(last);
    let (name, closing) = match opened.kind {
        Kind::OpenBracket => ("bracket", "]"),
        Kind::OpenParenthesis => ("parenthesis", ")"),
        _ => ("brace", "}"),
    };
    Some(
        invalid(opened.at, &format!("this {name} is never closed"))
            .help(format!("close it with `{closing}`")),
    )
}

/// What is opened and never closed: the parser reports it far from where the mistake is.
fn unfinished(source: &str, invalid: &dyn Fn(usize, &str) -> Diagnostic) -> Option<Diagnostic> {
    let tokens = tokens(source, 0);
    // Strings, heredocs and interpolations, the innermost last; and the `if` and `for` directives within them.
    let mut open: Vec<&Token<'_>> = Vec::new();
    let mut directives: Vec<(&Token<'_>, usize)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::OpenQuote | Kind::OpenHeredoc | Kind::OpenInterpolation => open.push(token),
            Kind::OpenDirective => {
                open.push(token);
                match tokens.get(index + 1).map(|word| &*word.text) {
                    Some("if" | "for") => directives.push((token, open.len())),
                    Some("endif" | "endfor") => _ = directives.pop(),
                    _ => {}
                }
            }
            Kind::CloseTemplate => _ = open.pop(),
            Kind::CloseQuote | Kind::CloseHeredoc => {
                if let Some((directive, depth)) = directives.last()
                    && *depth > open.len()
                {
                    let label = "this directive has no end within its string";
                    return Some(
                        invalid(directive.at, label).help("end it with %{ endif } or %{ endfor }"),
                    );
                }
                open.pop();
            }
            Kind::QuotedText if token.text.contains('\n') => {
                return open
                    .iter()
                    .rev()
                    .find(|opened| is_template(opened))
                    .or(open.last())
                    .map(|opened| never_closed(opened, invalid));
            }
            Kind::Comment if token.text.starts_with("/*") && !token.text.ends_with("*/") => {
                return Some(invalid(token.at, "this comment has no end").help("end it with */"));
            }
            Kind::Dot
                if matches!(
                    tokens.get(index + 1).map(|next| next.kind),
                    None | Some(Kind::Newline)
                ) =>
            {
                return Some(invalid(token.at, "a name should follow this dot"));
            }
            _ => {}
        }
    }
    open.iter()
        .rev()
        .find(|opened| is_template(opened))
        .or(open.first())
        .map(|opened| never_closed(opened, invalid))
}

fn is_template(token: &Token<'_>) -> bool {
    matches!(token.kind, Kind::OpenInterpolation | Kind::OpenDirective)
}

fn never_closed(opened: &Token<'_>, invalid: &dyn Fn(usize, &str) -> Diagnostic) -> Diagnostic {
    match opened.kind {
        Kind::OpenHeredoc => {
            let delimiter = opened.text.trim_start_matches(['<', '-']).trim();
            invalid(opened.at, "this heredoc has no end").help(format!("end it with a line that holds nothing but {delimiter}"))
        }
        Kind::OpenQuote => invalid(opened.at, "this string has no closing quote on its line").help(
            "close it with `\"`; a line end within a string is written \\n, and long texts are heredocs (<<EOT)",
        ),
        _ => invalid(opened.at, "this has no closing brace within its string").help("close it with `}`; to mean the characters themselves, write $${ or %%{"),
    }
}

/// Where the parser stopped. At the end of the text it answers the place before.
fn offset(error: &Error, source: &str) -> usize {
    let location = error.location();
    let mut at = location.offset().min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    let line = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let column = source[line..]
        .char_indices()
        .nth(location.column().saturating_sub(1))
        .map_or(source.len(), |(at, _)| line + at);
    if at + 1 >= source.len() {
        column.max(at)
    } else {
        at
    }
}

/// The character at a place, or nothing at the end.
fn character(source: &str, at: usize) -> std::ops::Range<usize> {
    let length = source
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .filter(|first| *first != '\n')
        .map_or(0, char::len_utf8);
    at..at + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::span_of;

    fn fails(source: &str) -> (std::ops::Range<usize>, String) {
        let diagnostic = parse_body(source, &"f".into()).unwrap_err();
        let label = &diagnostic.labels[0];
        (label.span.range(), label.text.clone())
    }

    #[test]
    fn says_what_is_wrong_where_it_is_wrong() {
        assert_eq!(
            fails("a = \"x\nb = 1\n"),
            (4..5, "this string has no closing quote on its line".into())
        );
        assert_eq!(
            fails("a = <<EOT\nx\n"),
            (4..5, "this heredoc has no end".into())
        );
        assert_eq!(
            fails("a: 1\n"),
            (1..2, "an attribute is set with `=`".into())
        );
        assert_eq!(fails("b {\n  a = 1,\n  c = 2\n}\n").0, 11..12);
        assert_eq!(fails("b { a = 1, c = 2 }\n").0, 9..10);
        assert_eq!(
            fails("a = 1\na = 2\n"),
            (
                6..7,
                "this attribute is set before in the same block".into()
            )
        );
        assert_eq!(
            fails("a = [1,\n"),
            (4..5, "this bracket is never closed".into())
        );
        assert_eq!(
            fails("a {\n  b {\n    c = f(1)\n  d {\n  }\n}\ne {\n}\n"),
            (8..9, "this brace is never closed".into())
        );
        assert_eq!(fails("a {\n  b {\n  }\n").0, 2..3);
        assert_eq!(fails("a = f(1\n").1, "this parenthesis is never closed");
        assert_eq!(fails("a = \n").1, "an expression should begin here");
        assert_eq!(
            fails("a = \"${x\"\n"),
            (5..6, "this has no closing brace within its string".into())
        );
        assert_eq!(
            fails("a = \"%{ if x }y\"\n"),
            (5..6, "this directive has no end within its string".into())
        );
        assert_eq!(
            fails("a = var.\n"),
            (7..8, "a name should follow this dot".into())
        );
        assert_eq!(
            fails("a = [1 2]\n"),
            (
                7..8,
                "a comma or the closing bracket should stand here".into()
            )
        );
        assert_eq!(
            fails("/* x\na = 1\n"),
            (0..1, "this comment has no end".into())
        );
        assert_eq!(fails("a = \"\\x\"\n").1, "this is not an escape sequence");
        let deep = format!("a = {}1{}\n", "[".repeat(3000), "]".repeat(3000));
        assert!(fails(&deep).1.contains("nested too deeply"));
    }

    /// The parser alone would take 2 to the power of 60 steps for each.
    #[test]
    fn what_breaks_off_deep_inside_is_refused_at_once() {
        let file: Arc<str> = "f".into();
        let deep = |unit: &str| unit.repeat(60);
        for (text, why) in [
            (deep("1+1+["), "this bracket is never closed"),
            (deep("1 + 1 + f("), "this parenthesis is never closed"),
            (deep("1-1-{a="), "this brace is never closed"),
            (
                deep("1+1+\"${"),
                "this has no closing brace within its string",
            ),
            (
                format!("{}\"x\n{}", deep("1+1+["), "]".repeat(60)),
                "this string has no closing quote on its line",
            ),
            (
                format!("{}<{}", deep("1+1+["), "]".repeat(60)),
                "an expression should begin here",
            ),
        ] {
            let problem = parse_expression(&text, &file).unwrap_err();
            assert_eq!(problem.labels[0].text, why, "{text}");
            assert!(parse_body(&format!("a = {text}"), &file).is_err());
            assert!(parse_template(&format!("${{{text}"), &file).is_err());
        }
        let whole = format!("{}1{}", "1+1+[".repeat(30), "]".repeat(30));
        assert!(parse_expression(&whole, &file).is_ok());
        let strings = format!("{}1{}", "1+1+\"${".repeat(30), "}\"".repeat(30));
        assert!(parse_expression(&strings, &file).is_ok());
    }

    #[test]
    fn an_empty_heredoc_ends_where_it_ends() {
        let file: Arc<str> = "f".into();
        let source = "a = <<EOT\nEOT\nb = [<<-É\n  É\n]\nc = <<EOT\nx\nEOT\n";
        let body = parse_body(source, &file).unwrap();
        let names: Vec<&str> = body.attributes().map(|a| a.key.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let last = body.attributes().last().unwrap();
        assert!(source[span_of(&last.value, &file).range()].starts_with("<<EOT\nx"));
    }

    #[test]
    fn spans_are_those_of_the_text_as_given() {
        let file: Arc<str> = "f".into();
        let source = "\u{feff}a = 1\r\nbé = var.x\r\n";
        let body = parse_body(source, &file).unwrap();
        let last = body.attributes().last().unwrap();
        assert_eq!(&source[span_of(&last.value, &file).range()], "var.x");
        let expr = parse_expression("  \n var.x # why", &file).unwrap();
        assert_eq!(span_of(&expr, &file).range(), 4..9);
        assert!(parse_expression("", &file).is_err());
    }
}
