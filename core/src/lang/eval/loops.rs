//! `for` expressions, and going through a collection for whoever needs it.

use super::{Bound, Env, Outcome, article, operators, problem, to_key, value};
use crate::lang::codes;
use crate::lang::number::Number;
use crate::lang::types::Type;
use crate::lang::value::{Entries, Kind, Value};
use crate::model::{Diagnostic, Span};
use hcl::edit::expr::ForExpr;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn for_expr(expr: &ForExpr, env: &Env<'_>) -> Outcome {
    let collection_expr = &expr.intro.collection_expr;
    let collection = value(collection_expr, env)?;
    let Some(elements) = elements(&collection, &env.span(collection_expr))? else {
        return Ok(Value::unknown(Type::Any).marked_if(collection.is_sensitive()));
    };
    let names = (
        expr.intro.key_var.as_ref().map(|name| name.as_str()),
        expr.intro.value_var.as_str(),
    );
    let mut result = Gathered {
        sensitive: collection.is_sensitive(),
        ..Gathered::default()
    };
    for (key, element) in elements {
        bind(names, key, element, env, |inner| {
            gather(expr, inner, &mut result)
        })?;
    }
    Ok(result.finish(expr))
}

/// What a `for` has made so far.
#[derive(Default)]
struct Gathered {
    /// Whether something that decides which elements there are must not be shown.
    sensitive: bool,
    /// Whether something that decides which elements there are is unknown.
    undecided: bool,
    items: Vec<Value>,
    entries: Entries,
    groups: BTreeMap<Arc<str>, Vec<Value>>,
}

impl Gathered {
    fn finish(self, expr: &ForExpr) -> Value {
        let value = if self.undecided {
            Value::unknown(Type::Any)
        } else if expr.key_expr.is_none() {
            Value::tuple(self.items)
        } else if expr.grouping {
            Value::object(
                self.groups
                    .into_iter()
                    .map(|(key, items)| (key, Value::tuple(items)))
                    .collect(),
            )
        } else {
            Value::object(self.entries)
        };
        value.marked_if(self.sensitive)
    }
}

/// Adds one element, unless the condition leaves it out.
fn gather(expr: &ForExpr, env: &Env<'_>, result: &mut Gathered) -> Result<(), Vec<Diagnostic>> {
    if let Some(cond) = &expr.cond {
        let keep = operators::condition(&value(&cond.expr, env)?, &env.span(&cond.expr))?;
        result.sensitive |= keep.is_sensitive();
        match keep.as_bool() {
            Some(true) => {}
            Some(false) => return Ok(()),
            None => {
                result.undecided = true;
                return Ok(());
            }
        }
    }
    let Some(key_expr) = &expr.key_expr else {
        result.items.push(value(&expr.value_expr, env)?);
        return Ok(());
    };
    let span = env.span(key_expr);
    let key = to_key(&value(key_expr, env)?, &span)?;
    result.sensitive |= key.is_sensitive();
    let item = value(&expr.value_expr, env)?;
    let Some(text) = key.as_str() else {
        result.undecided = true;
        return Ok(());
    };
    if expr.grouping {
        result.groups.entry(Arc::from(text)).or_default().push(item);
    } else if result.entries.insert(Arc::from(text), item).is_some() {
        return Err(vec![duplicate(&key, expr, span, env)]);
    }
    Ok(())
}

fn duplicate(key: &Value, expr: &ForExpr, span: Span, env: &Env<'_>) -> Diagnostic {
    let label = if key.is_sensitive() {
        "two elements give the same key".to_owned()
    } else {
        format!("two elements give the key {key}")
    };
    let end = env.span(&expr.value_expr).end;
    let after = Span {
        start: end,
        end,
        ..span.clone()
    };
    problem(codes::DUPLICATE_KEY, span, label).patch(
        "to collect the values of a key into a list",
        after,
        "...",
    )
}

/// Keys and elements in order, or `None` if what there is to go through is unknown.
pub(super) fn elements(
    collection: &Value,
    span: &Span,
) -> Result<Option<Vec<(Value, Value)>>, Vec<Diagnostic>> {
    if collection.is_null() {
        let label = "this is null, so there is nothing to go through";
        return Err(vec![problem(codes::NULL_VALUE, span.clone(), label)]);
    }
    // What comes out of a secret collection is secret.
    let sensitive = collection.is_sensitive();
    let part = |part: &Value| part.clone().marked_if(sensitive);
    let pairs = match collection.kind() {
        Kind::Unknown(Type::Bool | Type::Number | Type::String) => Vec::new(),
        Kind::Unknown(_) => return Ok(None),
        Kind::List(..) | Kind::Tuple(_) => {
            let items = collection.items().unwrap_or_default().iter().enumerate();
            items
                .map(|(index, item)| (Value::from(Number::count(index)), part(item)))
                .collect()
        }
        Kind::Set(..) => {
            let items = collection.items().unwrap_or_default();
            items.iter().map(|item| (part(item), part(item))).collect()
        }
        Kind::Map(..) | Kind::Object(_) => {
            let entries = collection.entries().into_iter().flatten();
            entries
                .map(|(key, item)| (Value::string(key).marked_if(sensitive), part(item)))
                .collect()
        }
        Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
            let label = format!(
                "`for` goes through a collection, and this is {}",
                article(&collection.ty())
            );
            return Err(vec![
                problem(codes::NOT_ITERABLE, span.clone(), label)
                    .help("put it into brackets to make a list of one"),
            ]);
        }
    };
    Ok(Some(pairs))
}

/// Does something where the names of a `for` mean an element and its key.
pub(super) fn bind<T>(
    (key_name, value_name): (Option<&str>, &str),
    key: Value,
    element: Value,
    env: &Env<'_>,
    inside: impl FnOnce(&Env<'_>) -> T,
) -> T {
    let element = Bound {
        name: value_name,
        value: element,
        outer: env.bound,
    };
    match key_name {
        // The value's name wins where both are the same.
        Some(name) => {
            let key = Bound {
                name,
                value: key,
                outer: env.bound,
            };
            let element = Bound {
                outer: Some(&key),
                ..element
            };
            inside(&Env {
                bound: Some(&element),
                file: env.file,
                scope: env.scope,
            })
        }
        None => inside(&Env {
            bound: Some(&element),
            file: env.file,
            scope: env.scope,
        }),
    }
}
