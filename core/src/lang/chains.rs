//! Texts that the parser must not see, because it would take for ever to refuse them.
//!
//! Where the second or a later operand of a chain of operators breaks off, the parser reads that operand a second time. A
//! chain within such an operand doubles that, and so on: `1+1+[1+1+[1+1+[…` costs 2 to the power of its depth. Only what
//! breaks off in the middle of an operand is read again: at the end of the text, in a string that is not closed, at a lone
//! `<`. Deep chains are therefore looked through for these first. Whoever writes a configuration never meets this.

use super::fmt::{Kind, Token};

/// So deep, chains cost 16 times at most, and nobody writes deeper ones.
const HARMLESS: usize = 4;

/// Whether the text has operands of chains within operands of chains, deeper than is harmless.
pub(super) fn are_deep(tokens: &[Token<'_>]) -> bool {
    // For each bracket that is open: operators before it at its level, and how many of the brackets around count.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let (mut operators, mut depth) = (0, 0);
    for token in tokens {
        match token.kind {
            Kind::OpenBrace
            | Kind::OpenBracket
            | Kind::OpenParenthesis
            | Kind::OpenInterpolation
            | Kind::OpenDirective
            | Kind::OpenQuote
            | Kind::OpenHeredoc => {
                open.push((operators, depth));
                depth += usize::from(operators > 1);
                operators = 0;
                if depth > HARMLESS {
                    return true;
                }
            }
            Kind::CloseBrace
            | Kind::CloseBracket
            | Kind::CloseParenthesis
            | Kind::CloseTemplate
            | Kind::CloseQuote
            | Kind::CloseHeredoc => (operators, depth) = open.pop().unwrap_or_default(),
            // Where an operand is no number, a minus or a bang before it nests it as well.
            Kind::Operator | Kind::Minus | Kind::Bang => operators += 1,
            // A line end within brackets ends no chain; outside of them it does.
            Kind::Newline if open.is_empty() => operators = 0,
            Kind::Comma | Kind::Assign => operators = 0,
            _ => {}
        }
    }
    false
}

/// A `<` where an operand should begin: neither an operator nor the beginning of a heredoc.
pub(super) fn lone_less(tokens: &[Token<'_>]) -> Option<usize> {
    tokens.windows(2).find_map(|pair| {
        let operand = matches!(
            pair[0].kind,
            Kind::Operator
                | Kind::Minus
                | Kind::Bang
                | Kind::OpenBrace
                | Kind::OpenBracket
                | Kind::OpenParenthesis
                | Kind::OpenInterpolation
                | Kind::Comma
                | Kind::Colon
                | Kind::Question
                | Kind::Assign
                | Kind::Arrow
        );
        (operand && pair[1].text.starts_with('<') && pair[1].kind == Kind::Operator)
            .then_some(pair[1].at)
    })
}
