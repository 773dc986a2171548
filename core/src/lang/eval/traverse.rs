//! References, attributes, indexes and splats.

use super::{Env, Outcome, article, problem, value};
use crate::lang::codes;
use crate::lang::convert::convert;
use crate::lang::number::Number;
use crate::lang::scope::{Key, Resolved, Step, StepKind};
use crate::lang::types::{Type, unify};
use crate::lang::value::{Kind, Value};
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, Traversal, TraversalOperator};
use hcl::edit::{Decorate as _, Decorated};
use std::ops::Range;
use std::sync::Arc;

type Operators = [Decorated<TraversalOperator>];

pub(super) fn traversal(traversal: &Traversal, env: &Env<'_>) -> Outcome {
    let (base, rest) = match &traversal.expr {
        Expression::Variable(root) => {
            let path = static_path(&traversal.operators, env.file);
            let root_span = env.span(&traversal.expr);
            let end = path.last().map_or(root_span.end, |step| step.span.end);
            let found = reference(root.as_str(), &path, &Span { end, ..root_span }, env)?;
            (
                found.value,
                &traversal.operators[found.consumed.min(path.len())..],
            )
        }
        other => (value(other, env)?, &traversal.operators[..]),
    };
    apply(base, rest, env)
}

/// What a name stands for: one bound around the expression, or one of the scope.
pub(super) fn reference(
    root: &str,
    path: &[Step],
    span: &Span,
    env: &Env<'_>,
) -> Result<Resolved, Vec<Diagnostic>> {
    match env.local(root) {
        Some(bound) => Ok(Resolved {
            value: bound.clone(),
            consumed: 0,
        }),
        None => env.scope.resolve(root, path, span),
    }
}

/// Follows a path of known steps to the end.
pub(super) fn follow(root: &str, path: &[Step], span: &Span, env: &Env<'_>) -> Outcome {
    let found = reference(root, path, span, env)?;
    path[found.consumed.min(path.len())..]
        .iter()
        .try_fold(found.value, |current, step| match &step.kind {
            StepKind::Attr(name) => attribute(&current, name, &step.span),
            StepKind::Index(Key::Text(key)) => index(&current, &Value::string(key), &step.span),
            StepKind::Index(Key::Number(key)) => {
                index(&current, &Value::from(key.clone()), &step.span)
            }
        })
}

/// The leading steps that are known without evaluating: attributes and constant indexes.
pub(crate) fn static_path(operators: &Operators, file: &Arc<str>) -> Vec<Step> {
    operators
        .iter()
        .map_while(|operator| {
            let kind = match operator.value() {
                TraversalOperator::GetAttr(name) => StepKind::Attr(name.as_str().to_owned()),
                TraversalOperator::LegacyIndex(index) => {
                    StepKind::Index(Key::Number(Number::from_u64(*index.value())))
                }
                TraversalOperator::Index(Expression::String(key)) => {
                    StepKind::Index(Key::Text(key.as_str().to_owned()))
                }
                TraversalOperator::Index(Expression::Number(key)) => {
                    let text = key
                        .as_repr()
                        .map_or_else(|| key.value().to_string(), |repr| repr.to_string());
                    StepKind::Index(Key::Number(Number::parse(&text)?))
                }
                TraversalOperator::Index(_)
                | TraversalOperator::AttrSplat(_)
                | TraversalOperator::FullSplat(_) => {
                    return None;
                }
            };
            Some(Step {
                kind,
                span: Span::new(file.clone(), operator_range(operator)),
            })
        })
        .collect()
}

fn operator_range(operator: &Decorated<TraversalOperator>) -> Range<usize> {
    let _ = operator.decor();
    operator
        .span()
        .or_else(|| operator.value().span())
        .unwrap_or(0..0)
}

fn apply(mut current: Value, operators: &Operators, env: &Env<'_>) -> Outcome {
    let mut rest = operators;
    while let Some((operator, after)) = rest.split_first() {
        let span = Span::new(env.file.clone(), operator_range(operator));
        rest = after;
        current = match operator.value() {
            TraversalOperator::GetAttr(name) => attribute(&current, name.as_str(), &span)?,
            TraversalOperator::LegacyIndex(key) => {
                index(&current, &Number::from_u64(*key.value()).into(), &span)?
            }
            TraversalOperator::Index(key) => index(&current, &value(key, env)?, &span)?,
            TraversalOperator::FullSplat(_) => return splat(&current, after, &span, env),
            TraversalOperator::AttrSplat(_) => {
                // The attribute-only splat ends where brackets begin: they apply to its result.
                let reach = after.iter().take_while(|next| {
                    matches!(
                        next.value(),
                        TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_)
                    )
                });
                let (inside, outside) = after.split_at(reach.count());
                rest = outside;
                splat(&current, inside, &span, env)?
            }
        };
    }
    Ok(current)
}

/// Applies the operators to every element; what is not a sequence counts as one of one element, and null as an empty one.
fn splat(source: &Value, operators: &Operators, span: &Span, env: &Env<'_>) -> Outcome {
    let sensitive = source.is_sensitive();
    let result = match source.kind() {
        Kind::Null(Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
            return Err(vec![problem(
                codes::NULL_VALUE,
                span.clone(),
                "the list that this goes through is null",
            )]);
        }
        Kind::Null(_) => Value::tuple(Vec::new()),
        Kind::Unknown(Type::List(element) | Type::Set(element)) => {
            let sample = apply(Value::unknown((**element).clone()), operators, env)?;
            Value::unknown(Type::list(sample.ty()))
        }
        Kind::Unknown(_) => Value::unknown(Type::Any),
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => {
            let items = source.items().unwrap_or_default();
            let results = items
                .iter()
                .map(|item| apply(item.clone().marked_if(sensitive), operators, env));
            let results = super::all(results)?;
            match source.kind() {
                Kind::Tuple(_) => Value::tuple(results),
                _ => list_of(results, source, operators, env),
            }
        }
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Map(..) | Kind::Object(_) => {
            Value::tuple(vec![apply(source.clone(), operators, env)?])
        }
    };
    Ok(result.marked_if(sensitive))
}

/// What comes out of a list is a list, where the results agree on a type.
fn list_of(results: Vec<Value>, source: &Value, operators: &Operators, env: &Env<'_>) -> Value {
    if results.is_empty() {
        let element = match source.ty() {
            Type::List(element) | Type::Set(element) => {
                let sample = apply(Value::unknown((*element).clone()), operators, env);
                sample.map_or(Type::Any, |sample| sample.ty())
            }
            _ => Type::Any,
        };
        return Value::list(element, results);
    }
    let types: Vec<Type> = results.iter().map(Value::ty).collect();
    let Some(element) = unify(&types) else {
        return Value::tuple(results);
    };
    match results
        .iter()
        .map(|item| convert(item, &element))
        .collect::<Result<Vec<_>, _>>()
    {
        Ok(items) => Value::list(element, items),
        Err(_) => Value::tuple(results),
    }
}

pub(super) fn attribute(object: &Value, name: &str, span: &Span) -> Outcome {
    let sensitive = object.is_sensitive();
    let found = match object.kind() {
        Kind::Null(_) => {
            let label = format!("the value before it is null, so it has no attribute `{name}`");
            return Err(vec![problem(codes::NULL_VALUE, span.clone(), label)]);
        }
        Kind::Unknown(Type::Any) => Value::unknown(Type::Any),
        Kind::Unknown(Type::Map(element)) => Value::unknown((**element).clone()),
        Kind::Unknown(Type::Object(ty)) if ty.attributes.contains_key(name) => {
            Value::unknown(ty.attributes[name].ty.clone())
        }
        _ => match object.get(name) {
            Some(found) => found,
            None => return Err(vec![no_attribute(object, name, span)]),
        },
    };
    Ok(found.marked_if(sensitive))
}

fn no_attribute(object: &Value, name: &str, span: &Span) -> Diagnostic {
    let unsupported = |label: String| problem(codes::UNSUPPORTED_ATTRIBUTE, span.clone(), label);
    if object.is_sensitive() {
        return unsupported(format!("this has no attribute `{name}`"));
    }
    let ty = object.ty();
    let known: Vec<&str> = match (&ty, object.entries()) {
        (_, Some(entries)) => entries.keys().map(|key| &**key).collect(),
        (Type::Object(ty), None) => ty.attributes.keys().map(|key| &**key).collect(),
        _ => {
            let diagnostic = unsupported(format!("{} has no attributes", article(&ty)));
            return match ty {
                Type::List(_) | Type::Set(_) | Type::Tuple(_) => diagnostic
                    .help(format!("for one element: [0].{name}"))
                    .help(format!("for all elements: [*].{name}")),
                _ => diagnostic,
            };
        }
    };
    let what = if matches!(ty, Type::Map(_)) {
        "map has no element"
    } else {
        "object has no attribute"
    };
    let diagnostic = unsupported(format!("this {what} `{name}`"));
    match did_you_mean(name, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.note("It is empty."),
        None if known.len() <= 12 => diagnostic.help(format!("it has {}", known.join(", "))),
        None => diagnostic,
    }
}

pub(super) fn index(collection: &Value, key: &Value, span: &Span) -> Outcome {
    let invalid = |label: String| vec![problem(codes::INVALID_INDEX, span.clone(), label)];
    let sensitive = collection.is_sensitive() || key.is_sensitive();
    if sensitive {
        // Neither the key nor what it was looked for in may be told.
        let found = index(
            &collection.unmarked_shallow(),
            &key.unmarked_shallow(),
            span,
        );
        let hidden = |_| {
            invalid(
                "this does not select anything; why is not shown, because it is sensitive"
                    .to_owned(),
            )
        };
        return found.map(Value::sensitive).map_err(hidden);
    }
    if collection.is_null() {
        let label = "the value before it is null, so it has no elements";
        return Err(vec![problem(codes::NULL_VALUE, span.clone(), label)]);
    }
    if key.is_null() {
        return Err(invalid("this index is null".to_owned()));
    }
    let found = match shape(collection) {
        Shape::Open => Value::unknown(Type::Any),
        Shape::Sequence => {
            let key = convert(key, &Type::Number).map_err(|_| {
                invalid(format!(
                    "a list takes a number here, and this is {}",
                    article(&key.ty())
                ))
            })?;
            position(collection, &key, span)?
        }
        Shape::Mapping => {
            let key = convert(key, &Type::String).map_err(|_| {
                invalid(format!(
                    "a string is needed here, and this is {}",
                    article(&key.ty())
                ))
            })?;
            match (key.as_str(), collection.kind()) {
                (Some(key), _) => {
                    attribute(collection, key, span).map_err(|problems| rename(problems, span))?
                }
                (None, Kind::Map(element, _)) => Value::unknown(element.clone()),
                (None, Kind::Unknown(Type::Map(element))) => Value::unknown((**element).clone()),
                (None, _) => Value::unknown(Type::Any),
            }
        }
        Shape::Set => {
            return Err(vec![
                problem(
                    codes::INVALID_INDEX,
                    span.clone(),
                    "the elements of a set have no index",
                )
                .help("tolist(…) gives them an order; for_each and `for` go through all of them"),
            ]);
        }
        Shape::Single => {
            return Err(invalid(format!(
                "{} has no elements",
                article(&collection.ty())
            )));
        }
    };
    Ok(found)
}

/// What an index does to a value, found without building the type of a large object.
enum Shape {
    Sequence,
    Set,
    Mapping,
    Single,
    /// Not even the type is known.
    Open,
}

fn shape(value: &Value) -> Shape {
    match value.kind() {
        Kind::List(..) | Kind::Tuple(_) | Kind::Unknown(Type::List(_) | Type::Tuple(_)) => {
            Shape::Sequence
        }
        Kind::Set(..) | Kind::Unknown(Type::Set(_)) => Shape::Set,
        Kind::Map(..) | Kind::Object(_) | Kind::Unknown(Type::Map(_) | Type::Object(_)) => {
            Shape::Mapping
        }
        Kind::Unknown(Type::Any) | Kind::Null(_) => Shape::Open,
        Kind::Bool(_)
        | Kind::Number(_)
        | Kind::String(_)
        | Kind::Unknown(Type::Bool | Type::Number | Type::String) => Shape::Single,
    }
}

/// The missing key of an index is an invalid index, not an unsupported attribute.
fn rename(problems: Vec<Diagnostic>, span: &Span) -> Vec<Diagnostic> {
    let code = codes::INVALID_INDEX;
    let rename = |found: Diagnostic| {
        let found = Diagnostic {
            code: code.code.to_owned(),
            summary: code.title.to_owned(),
            ..found
        };
        if found.labels.is_empty() {
            found.at(span.clone(), "here")
        } else {
            found
        }
    };
    problems.into_iter().map(rename).collect()
}

fn position(sequence: &Value, key: &Value, span: &Span) -> Outcome {
    let invalid = |label: String| vec![problem(codes::INVALID_INDEX, span.clone(), label)];
    let element = match sequence.kind() {
        Kind::List(element, _) => element.clone(),
        Kind::Unknown(Type::List(element)) => (**element).clone(),
        _ => Type::Any,
    };
    let Some(number) = key.as_number() else {
        return Ok(Value::unknown(element));
    };
    if !number.is_integer() {
        return Err(invalid(format!("{number} is not a whole number")));
    }
    if number.is_negative() {
        return Err(vec![
            problem(
                codes::INVALID_INDEX,
                span.clone(),
                "an index is not negative",
            )
            .help("to count from the end: element(list, -1), or list[length(list) - 1]"),
        ]);
    }
    let length = match (sequence.items(), sequence.kind()) {
        (Some(items), _) => items.len(),
        (None, Kind::Unknown(Type::Tuple(types))) => types.len(),
        // How long an unknown list is, is unknown.
        (None, _) => return Ok(Value::unknown(element)),
    };
    let at = number.to_usize().filter(|at| *at < length).ok_or_else(|| {
        invalid(match length {
            0 => "this list is empty".to_owned(),
            1 => "this list has only one element, at index 0".to_owned(),
            _ => format!(
                "this list has {length} elements, so the last is at index {}",
                length - 1
            ),
        })
    })?;
    Ok(match (sequence.items(), sequence.kind()) {
        (Some(items), _) => items[at].clone(),
        (None, Kind::Unknown(Type::Tuple(types))) => Value::unknown(types[at].clone()),
        (None, _) => Value::unknown(element),
    })
}
