//! Templates: quoted strings, heredocs and template files.

use super::{Env, Outcome, article, loops, operators, problem, value};
use crate::lang::codes;
use crate::lang::convert::convert;
use crate::lang::types::Type;
use crate::lang::value::Value;
use crate::model::{Diagnostic, Span};
use hcl::edit::template::{
    Directive, Element, ForDirective, IfDirective, Interpolation, StringTemplate, Strip, Template,
};
use std::borrow::Cow;

/// How literals are cut into the pieces that `~` trims.
#[derive(Clone, Copy)]
enum Literals {
    /// Within quotes a literal is one piece.
    Whole,
    /// In a heredoc or a file every line is a piece by itself, so `~` reaches to the end of its own line only.
    Lines,
}

/// Which ends of a template lie beside a `~`.
#[derive(Clone, Copy, Default)]
struct Trim {
    start: bool,
    end: bool,
}

pub(super) fn quoted(template: &StringTemplate, env: &Env<'_>) -> Outcome {
    let elements: Vec<&Element> = template.iter().collect();
    whole(&elements, Literals::Whole, env)
}

pub(super) fn unquoted(template: &Template, env: &Env<'_>) -> Outcome {
    let elements: Vec<&Element> = template.iter().collect();
    whole(&elements, Literals::Lines, env)
}

/// Renders a template that is not part of a configuration's text.
pub(crate) fn render(template: &Template, env: &Env<'_>) -> Outcome {
    unquoted(template, env)
}

/// A template that is nothing but one interpolation is that value, whatever its type.
fn whole(elements: &[&Element], literals: Literals, env: &Env<'_>) -> Outcome {
    match elements {
        [Element::Interpolation(only)] => value(&only.expr, env),
        _ => {
            let mut text = Text::default();
            concat(elements, literals, Trim::default(), env, &mut text);
            text.finish()
        }
    }
}

/// The result so far.
#[derive(Default)]
struct Text {
    text: String,
    unknown: bool,
    sensitive: bool,
    problems: Vec<Diagnostic>,
}

impl Text {
    fn finish(self) -> Outcome {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let value = if self.unknown {
            Value::unknown(Type::String)
        } else {
            Value::string(self.text)
        };
        Ok(value.marked_if(self.sensitive))
    }

    fn push(&mut self, part: &Value) {
        self.sensitive |= part.is_sensitive();
        match part.as_str() {
            Some(text) => self.text.push_str(text),
            None => self.unknown = true,
        }
    }
}

fn concat(elements: &[&Element], literals: Literals, trim: Trim, env: &Env<'_>, out: &mut Text) {
    for (index, element) in elements.iter().enumerate() {
        match element {
            Element::Literal(literal) => {
                let before = index
                    .checked_sub(1)
                    .map_or(trim.start, |before| strips_after(elements[before]));
                let after = elements
                    .get(index + 1)
                    .map_or(trim.end, |after| strips_before(after));
                out.text.push_str(&trimmed(
                    literal,
                    Trim {
                        start: before,
                        end: after,
                    },
                    literals,
                ));
            }
            Element::Interpolation(interpolation) => match interpolated(interpolation, env) {
                Ok(part) => out.push(&part),
                Err(problems) => out.problems.extend(problems),
            },
            Element::Directive(directive) => {
                let result = match &**directive {
                    Directive::If(directive) => if_directive(directive, literals, env, out),
                    Directive::For(directive) => for_directive(directive, literals, env, out),
                };
                if let Err(problems) = result {
                    out.problems.extend(problems);
                }
            }
        }
    }
}

fn interpolated(interpolation: &Interpolation, env: &Env<'_>) -> Outcome {
    let span = env.span(&interpolation.expr);
    let found = value(&interpolation.expr, env)?;
    if found.is_null() {
        return Err(vec![
            problem(
                codes::INVALID_INTERPOLATION,
                span,
                "this is null, which cannot be part of a string",
            )
            .help("give a value for that case, for example with coalesce(…, \"none\")"),
        ]);
    }
    convert(&found, &Type::String).map_err(|_| {
        let label = format!(
            "this is {}, which cannot be part of a string",
            article(&found.ty())
        );
        let help = if found.items().is_some() {
            "join(\", \", …)"
        } else {
            "jsonencode(…)"
        };
        vec![
            problem(codes::INVALID_INTERPOLATION, span, label)
                .help(format!("say how it should look, for example {help}")),
        ]
    })
}

fn if_directive(
    directive: &IfDirective,
    literals: Literals,
    env: &Env<'_>,
    out: &mut Text,
) -> Result<(), Vec<Diagnostic>> {
    let cond_expr = &directive.if_expr.cond_expr;
    let condition = operators::condition(&value(cond_expr, env)?, &env.span(cond_expr))?;
    out.sensitive |= condition.is_sensitive();
    let end = starts(directive.endif_expr.strip);
    let closing = directive
        .else_expr
        .as_ref()
        .map_or(end, |otherwise| starts(otherwise.strip));
    let yes = (
        &directive.if_expr.template,
        Trim {
            start: ends(directive.if_expr.strip),
            end: closing,
        },
    );
    let no = directive.else_expr.as_ref().map(|otherwise| {
        (
            &otherwise.template,
            Trim {
                start: ends(otherwise.strip),
                end,
            },
        )
    });
    // With an unknown condition both are gone through, for their problems.
    let (take_yes, take_no) = condition
        .as_bool()
        .map_or((true, true), |truth| (truth, !truth));
    out.unknown |= condition.as_bool().is_none();
    for (template, trim) in [take_yes.then_some(yes), no.filter(|_| take_no)]
        .into_iter()
        .flatten()
    {
        let elements: Vec<&Element> = template.iter().collect();
        concat(&elements, literals, trim, env, out);
    }
    Ok(())
}

fn for_directive(
    directive: &ForDirective,
    literals: Literals,
    env: &Env<'_>,
    out: &mut Text,
) -> Result<(), Vec<Diagnostic>> {
    let expr = &directive.for_expr;
    let collection = value(&expr.collection_expr, env)?;
    let elements = loops::elements(&collection, &env.span(&expr.collection_expr))?;
    out.sensitive |= collection.is_sensitive();
    let Some(elements) = elements else {
        out.unknown = true;
        return Ok(());
    };
    let names = (
        expr.key_var.as_ref().map(|name| name.as_str()),
        expr.value_var.as_str(),
    );
    let trim = Trim {
        start: ends(expr.strip),
        end: starts(directive.endfor_expr.strip),
    };
    let template: Vec<&Element> = expr.template.iter().collect();
    for (key, element) in elements {
        loops::bind(names, key, element, env, |inner| {
            concat(&template, literals, trim, inner, out);
        });
        // The same mistake once a round would bury the others.
        if !out.problems.is_empty() {
            break;
        }
    }
    Ok(())
}

fn starts(strip: Strip) -> bool {
    matches!(strip, Strip::Start | Strip::Both)
}

fn ends(strip: Strip) -> bool {
    matches!(strip, Strip::End | Strip::Both)
}

/// Whether what comes before this element is trimmed.
fn strips_before(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(interpolation) => starts(interpolation.strip),
        Element::Directive(directive) => match &**directive {
            Directive::If(directive) => starts(directive.if_expr.strip),
            Directive::For(directive) => starts(directive.for_expr.strip),
        },
    }
}

/// Whether what comes after this element is trimmed.
fn strips_after(element: &Element) -> bool {
    match element {
        Element::Literal(_) => false,
        Element::Interpolation(interpolation) => ends(interpolation.strip),
        Element::Directive(directive) => match &**directive {
            Directive::If(directive) => ends(directive.endif_expr.strip),
            Directive::For(directive) => ends(directive.endfor_expr.strip),
        },
    }
}

fn trimmed(literal: &str, trim: Trim, literals: Literals) -> Cow<'_, str> {
    let (first, last) = match literals {
        Literals::Whole => (literal.len(), 0),
        Literals::Lines => {
            let first = literal.find('\n').map_or(literal.len(), |at| at + 1);
            let last = literal
                .strip_suffix('\n')
                .unwrap_or(literal)
                .rfind('\n')
                .map_or(0, |at| at + 1);
            (first, last)
        }
    };
    let start = if trim.start {
        first - literal[..first].trim_start().len()
    } else {
        0
    };
    let end = if trim.end {
        last + literal[last..].trim_end().len()
    } else {
        literal.len()
    };
    Cow::Borrowed(literal.get(start..end).unwrap_or_default())
}

/// The place of a template that is not in any file of the configuration.
pub(crate) fn describe(problem: &Diagnostic, source: &str) -> String {
    let at = problem
        .labels
        .first()
        .map(|label| (&label.span, &label.text));
    match at {
        Some((Span { file, start, .. }, text)) => {
            let before = source.get(..*start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before
                .chars()
                .rev()
                .take_while(|character| *character != '\n')
                .count()
                + 1;
            format!("{file}:{line}:{column}: {}: {text}", problem.summary)
        }
        None => problem.summary.clone(),
    }
}
