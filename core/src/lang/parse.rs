//! From text to syntax tree, with errors that say what is wrong.
//!
//! Spans are bytes of the text as given. The one thing that the parser does not accept and editors do write, a byte order
//! mark, is replaced by as many spaces before parsing, so no span has to be shifted.

use super::codes;
use crate::model::{Diagnostic, Span};
use hcl::edit::expr::Expression;
use hcl::edit::parser::{self, Error};
use hcl::edit::structure::Body;
use hcl::edit::template::Template;
use std::borrow::Cow;
use std::sync::Arc;

/// Parses a file.
pub fn parse_body(source: &str, file: &Arc<str>) -> Result<Body, Diagnostic> {
    let source = without_mark(source);
    parser::parse_body(&source).map_err(|error| explain(&error, &source, file))
}

/// Parses a single expression, such as the value given to a variable on the command line.
pub fn parse_expression(source: &str, file: &Arc<str>) -> Result<Expression, Diagnostic> {
    let source = without_mark(source);
    let text = source.trim_end();
    let indent = text.len() - text.trim_start().len();
    // The parser takes no space before an expression. Parentheses in the place of the first space keep all spans, and are
    // taken off again.
    let text = match indent {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(format!("({}{})", " ".repeat(indent - 1), text.trim_start())),
    };
    let expr = parser::parse_expr(&text).map_err(|error| explain(&error, &source, file))?;
    Ok(match expr {
        Expression::Parenthesis(inner) if indent > 0 => inner.into_inner(),
        other => other,
    })
}

/// Parses the text of a template file.
pub fn parse_template(source: &str, file: &Arc<str>) -> Result<Template, Diagnostic> {
    parser::parse_template(source).map_err(|error| explain(&error, source, file))
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

fn explain(error: &Error, source: &str, file: &Arc<str>) -> Diagnostic {
    let at = error.location().offset().min(source.len());
    Diagnostic::error(codes::SYNTAX.code, codes::SYNTAX.title)
        .at(Span::new(file.clone(), at..at), error.message())
}
