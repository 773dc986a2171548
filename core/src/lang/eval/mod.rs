//! Evaluation: an expression and a scope give a value, or every problem that was found.
//!
//! What is not known stays unknown and what is sensitive stays so; neither is ever an error by itself. The parser limits
//! nesting (64 levels, 128 operators), so plain recursion is safe here.

mod calls;
mod loops;
mod operators;
mod template;
mod traverse;

pub(crate) use template::{describe, render};
pub(crate) use traverse::static_path;

use super::codes;
use super::convert::convert;
use super::number::Number;
use super::scope::{NoFiles, Resolved, Scope, Step};
use super::types::Type;
use super::value::{Entries, Value};
use crate::model::Code;
use crate::model::{Diagnostic, Span};
use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, Object, ObjectKey};
use hcl::edit::structure::Block;
use std::sync::Arc;

pub(crate) type Outcome = Result<Value, Vec<Diagnostic>>;

/// Evaluates an expression of `file`.
pub fn evaluate(expr: &Expression, file: &Arc<str>, scope: &dyn Scope) -> Outcome {
    value(expr, &Env::new(file, scope))
}

/// Evaluates an expression that may not refer to anything.
pub(crate) fn constant(expr: &Expression, file: &Arc<str>) -> Outcome {
    evaluate(expr, file, &Nothing)
}

/// Where an expression is evaluated: its file, what it can refer to, and the names bound around it.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub file: &'a Arc<str>,
    pub scope: &'a dyn Scope,
    bound: Option<&'a Bound<'a>>,
}

/// A name bound by `for`, and those bound around it.
struct Bound<'a> {
    name: &'a str,
    value: Value,
    outer: Option<&'a Bound<'a>>,
}

impl<'a> Env<'a> {
    pub(crate) fn new(file: &'a Arc<str>, scope: &'a dyn Scope) -> Self {
        Self {
            file,
            scope,
            bound: None,
        }
    }

    fn local(&self, name: &str) -> Option<&'a Value> {
        let mut next = self.bound;
        while let Some(bound) = next {
            if bound.name == name {
                return Some(&bound.value);
            }
            next = bound.outer;
        }
        None
    }

    fn span(&self, expr: &Expression) -> Span {
        span_of(expr, self.file)
    }
}

/// Where an expression stands.
pub fn span_of(expr: &Expression, file: &Arc<str>) -> Span {
    Span::new(file.clone(), expr.span().unwrap_or(0..0))
}

/// Where a block begins: its type.
pub fn span_of_block(block: &Block, file: &Arc<str>) -> Span {
    Span::new(file.clone(), block.ident.span().unwrap_or(0..0))
}

fn problem(code: Code, span: Span, label: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code.code, code.title).at(span, label)
}

fn value(expr: &Expression, env: &Env<'_>) -> Outcome {
    env.scope.evaluating();
    match expr {
        Expression::Null(_) => Ok(Value::null()),
        Expression::Bool(value) => Ok(Value::from(*value.value())),
        Expression::Number(number) => {
            let text = number
                .as_repr()
                .map_or_else(|| number.value().to_string(), |repr| repr.to_string());
            // A negative literal may hold spaces after its sign.
            let text: String = text.split_whitespace().collect();
            Number::parse(&text).map(Value::from).ok_or_else(|| {
                vec![problem(
                    codes::SYNTAX,
                    env.span(expr),
                    "this number is outside of what can be calculated with",
                )]
            })
        }
        Expression::String(text) => Ok(Value::string(text.as_str())),
        Expression::Array(items) => Ok(Value::tuple(all(items
            .iter()
            .map(|item| value(item, env)))?)),
        Expression::Object(items) => object(items, env),
        Expression::StringTemplate(quoted) => template::quoted(quoted, env),
        Expression::HeredocTemplate(heredoc) => template::unquoted(&heredoc.template, env),
        Expression::Parenthesis(inner) => value(inner.inner(), env),
        Expression::Variable(name) => {
            traverse::reference(name.as_str(), &[], &env.span(expr), env).map(|found| found.value)
        }
        Expression::Conditional(conditional) => operators::conditional(conditional, env),
        Expression::FuncCall(call) => calls::call(call, &env.span(expr), env),
        Expression::Traversal(traversal) => traverse::traversal(traversal, env),
        Expression::UnaryOp(operation) => operators::unary(operation, env),
        Expression::BinaryOp(operation) => operators::binary(operation, env),
        Expression::ForExpr(expr) => loops::for_expr(expr, env),
    }
}

/// All of the values, or all of the problems: one bad element does not hide the next.
fn all(results: impl Iterator<Item = Outcome>) -> Result<Vec<Value>, Vec<Diagnostic>> {
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

fn object(items: &Object, env: &Env<'_>) -> Outcome {
    let mut entries = Entries::new();
    let mut problems = Vec::new();
    let mut sensitive = false;
    let mut keys_known = true;
    for (key, item) in items {
        let item = value(item.expr(), env).map_err(|more| problems.extend(more));
        match object_key(key, env) {
            Ok(key) if !key.is_known() => keys_known = false,
            Ok(key) => {
                sensitive |= key.is_sensitive();
                if let (Some(key), Ok(item)) = (key.as_str(), item) {
                    entries.insert(Arc::from(key), item);
                }
            }
            Err(more) => problems.extend(more),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if !keys_known {
        return Ok(Value::unknown(Type::Any));
    }
    Ok(Value::object(entries).marked_if(sensitive))
}

fn object_key(key: &ObjectKey, env: &Env<'_>) -> Outcome {
    let expr = match key {
        ObjectKey::Ident(name) => return Ok(Value::string(name.as_str())),
        // Words that mean something elsewhere are plain names here.
        ObjectKey::Expression(Expression::Null(_)) => return Ok(Value::string("null")),
        ObjectKey::Expression(expr @ Expression::Traversal(traversal))
            if matches!(traversal.expr, Expression::Variable(_)) =>
        {
            let span = env.span(expr);
            return Err(vec![
                problem(
                    codes::INVALID_KEY,
                    span.clone(),
                    "is this a reference, or a name with dots in it?",
                )
                .patch(
                    "a reference stands in parentheses",
                    span,
                    format!("({})", expr.to_string().trim()),
                )
                .help("a name with dots in it stands in quotes"),
            ]);
        }
        ObjectKey::Expression(expr) => expr,
    };
    let span = env.span(expr);
    to_key(&value(expr, env)?, &span)
}

/// A value as the key of an object.
fn to_key(key: &Value, span: &Span) -> Outcome {
    if key.is_null() {
        return Err(vec![problem(
            codes::INVALID_KEY,
            span.clone(),
            "this key is null",
        )]);
    }
    convert(key, &Type::String).map_err(|_| {
        let label = format!("a key is a string, and this is {}", article(&key.ty()));
        vec![problem(codes::INVALID_KEY, span.clone(), label)]
    })
}

/// `a string`, `an object`.
fn article(ty: &Type) -> String {
    let name = ty.friendly();
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

/// The scope in which only literals mean anything.
struct Nothing;

impl Scope for Nothing {
    fn resolve(
        &self,
        _root: &str,
        _path: &[Step],
        span: &Span,
    ) -> Result<Resolved, Vec<Diagnostic>> {
        Err(vec![problem(
            codes::UNKNOWN_NAME,
            span.clone(),
            "nothing can be referred to here",
        )])
    }

    fn files(&self) -> &dyn super::scope::Files {
        &NoFiles
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        None
    }
}
