//! Old ways of writing that the formatter replaces: `"${x}"` alone, types without elements or in quotes, bare labels.

use super::tokens::{Kind, Token};
use hcl::edit::Span as _;
use hcl::edit::expr::Expression;
use hcl::edit::structure::{Block, BlockLabel, Body, Structure};
use hcl::edit::template::Element;
use std::borrow::Cow;
use std::ops::Range;

/// A part of the source, and what is done with its tokens.
enum Edit {
    Unwrap(Range<usize>),
    Quote(usize),
    /// The type at this place becomes this text.
    Type(Range<usize>, String),
}

pub(super) fn modernise(tokens: &mut Vec<Token<'_>>, body: &Body) {
    let mut edits = Vec::new();
    collect(body, &[], &mut edits);
    // From the end, so that the places of those before stay true.
    for edit in edits.into_iter().rev() {
        match edit {
            Edit::Unwrap(range) => unwrap(tokens, &range),
            Edit::Quote(at) => quote(tokens, at),
            Edit::Type(range, text) => {
                let inside = between(tokens, &range);
                let replacement = words(&text, range.start);
                tokens.splice(inside, replacement);
            }
        }
    }
}

fn collect(body: &Body, around: &[&str], edits: &mut Vec<Edit>) {
    for structure in body {
        match structure {
            Structure::Attribute(attribute)
                if *around == ["variable"] && attribute.key.as_str() == "type" =>
            {
                if let (Some(text), Some(range)) =
                    (modern_type(&attribute.value), attribute.value.span())
                {
                    edits.push(Edit::Type(range, text));
                }
            }
            Structure::Attribute(attribute) => wrapped(&attribute.value, edits),
            Structure::Block(block) => {
                labels(block, edits);
                let around: Vec<&str> = around
                    .iter()
                    .copied()
                    .chain([block.ident.as_str()])
                    .collect();
                collect(&block.body, &around, edits);
            }
        }
    }
}

/// A template that is nothing but one interpolation. One within it goes at once, for which Terraform needs a second run.
fn wrapped(value: &Expression, edits: &mut Vec<Edit>) {
    let Expression::StringTemplate(template) = value else {
        return;
    };
    let mut elements = template.iter();
    if let (Some(Element::Interpolation(only)), None, Some(range)) =
        (elements.next(), elements.next(), value.span())
    {
        edits.push(Edit::Unwrap(range));
        wrapped(&only.expr, edits);
    }
}

fn labels(block: &Block, edits: &mut Vec<Edit>) {
    for label in &block.labels {
        if let BlockLabel::Ident(name) = label
            && let Some(range) = name.span()
        {
            edits.push(Edit::Quote(range.start));
        }
    }
}

/// A collection without the type of its elements takes any; the quoted types of Terraform 0.11 meant strings.
fn modern_type(value: &Expression) -> Option<String> {
    match value {
        Expression::Variable(name) if matches!(name.as_str(), "list" | "map" | "set") => {
            Some(format!("{}(any)", name.as_str()))
        }
        Expression::String(text) => match text.as_str() {
            "string" => Some("string".to_owned()),
            "list" | "map" => Some(format!("{}(string)", text.as_str())),
            _ => None,
        },
        _ => None,
    }
}

/// The tokens that begin within a part of the source.
fn between(tokens: &[Token<'_>], range: &Range<usize>) -> Range<usize> {
    let start = tokens.partition_point(|token| token.at < range.start);
    let end = tokens.partition_point(|token| token.at < range.end);
    start..end
}

fn token(kind: Kind, text: impl Into<Cow<'static, str>>, at: usize) -> Token<'static> {
    Token {
        kind,
        text: text.into(),
        spaces: 0,
        at,
    }
}

/// `name` or `name(element)` as tokens.
fn words(text: &str, at: usize) -> Vec<Token<'static>> {
    let Some((name, element)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) else {
        return vec![token(Kind::Identifier, text.to_owned(), at)];
    };
    vec![
        token(Kind::Identifier, name.to_owned(), at),
        token(Kind::OpenParenthesis, "(", at),
        token(Kind::Identifier, element.to_owned(), at),
        token(Kind::CloseParenthesis, ")", at),
    ]
}

/// Takes `"${` and `}"` away; what stands on several lines gets parentheses in their stead.
fn unwrap(tokens: &mut Vec<Token<'_>>, range: &Range<usize>) {
    let whole = between(tokens, range);
    if whole.len() < 5 {
        return;
    }
    let mut inner: Vec<Token<'_>> = tokens[whole.start + 2..whole.end - 2].to_vec();
    let blank = |token: &Token<'_>| token.kind == Kind::Newline;
    while inner.last().is_some_and(blank) {
        inner.pop();
    }
    inner.drain(..inner.iter().take_while(|token| blank(token)).count());
    // A comment would take the rest of its line with it.
    if inner.iter().any(|token| token.kind == Kind::Comment) {
        return;
    }
    let parenthesised = inner
        .first()
        .is_some_and(|token| token.kind == Kind::OpenParenthesis)
        && inner
            .last()
            .is_some_and(|token| token.kind == Kind::CloseParenthesis);
    if inner.iter().any(blank) && !parenthesised {
        inner.insert(0, token(Kind::OpenParenthesis, "(", range.start));
        inner.push(token(Kind::CloseParenthesis, ")", range.end - 1));
    }
    if let Some(first) = inner.first_mut() {
        first.spaces = 0;
    }
    tokens.splice(whole, inner);
}

fn quote(tokens: &mut Vec<Token<'_>>, at: usize) {
    let index = tokens.partition_point(|token| token.at < at);
    let Some(Token {
        kind: Kind::Identifier,
        text,
        ..
    }) = tokens.get(index)
    else {
        return;
    };
    let quoted = [
        token(Kind::OpenQuote, "\"", at),
        token(Kind::QuotedText, text.clone().into_owned(), at),
        token(Kind::CloseQuote, "\"", at),
    ];
    tokens.splice(index..=index, quoted);
}
