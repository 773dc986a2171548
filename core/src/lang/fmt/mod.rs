//! The canonical layout of a configuration: `terraform fmt`'s, byte for byte.
//!
//! Like Terraform's, it works on tokens: only the spaces between them change, and lines stay where they are. So comments,
//! heredocs and line ends come out as they went in. A few old ways of writing are replaced first (`rewrite`).

mod layout;
mod rewrite;
mod tokens;

pub(crate) use tokens::{Kind, Token, tokens};

use super::parse::parse_body;
use crate::model::Diagnostic;
use std::sync::Arc;

/// Formats a file, unless it is not well-formed: then nobody can say which spaces matter.
///
/// A byte order mark is dropped, and the last line ends like the others.
pub fn format(source: &str) -> Result<String, Diagnostic> {
    let file: Arc<str> = Arc::from("");
    let body = parse_body(source, &file)?;
    let mark = source.len() - source.trim_start_matches('\u{feff}').len();
    let mut tokens = tokens(source, mark.min('\u{feff}'.len_utf8()));
    rewrite::modernise(&mut tokens, &body);
    layout::lay_out(&mut tokens);
    let mut out = String::with_capacity(source.len() + source.len() / 8);
    for token in &tokens {
        out.extend(std::iter::repeat_n(' ', token.spaces));
        out.push_str(&token.text);
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str(if out.contains("\r\n") { "\r\n" } else { "\n" });
    }
    Ok(out)
}
