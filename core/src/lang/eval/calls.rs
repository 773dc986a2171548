//! Function calls: finding the function, matching the arguments to its parameters, and what is unknown or sensitive.

use super::{Env, Outcome, all, article, problem, traverse, value};
use crate::lang::codes;
use crate::lang::convert::convert;
use crate::lang::functions::{self, Context, Failure, Function, Parameter, Returns};
use crate::lang::references::references;
use crate::lang::types::Type;
use crate::lang::value::{Kind, Value};
use crate::model::diag::did_you_mean;
use crate::model::{Diagnostic, Span};
use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, FuncCall};

pub(super) fn call(call: &FuncCall, span: &Span, env: &Env<'_>) -> Outcome {
    let name = call.name.name.as_str();
    let name_span = call
        .name
        .name
        .span()
        .map_or_else(|| span.clone(), |range| Span::new(env.file.clone(), range));
    // `core::` is Terraform's own name for what is built in.
    let foreign = call
        .name
        .namespace
        .iter()
        .any(|part| part.as_str() != "core");
    match name {
        _ if foreign => Err(vec![problem(
            codes::UNKNOWN_FUNCTION,
            name_span,
            "there are no provider functions here",
        )]),
        "try" => attempt(call, span, env),
        "can" => can(call, span, env),
        _ => match functions::find(name) {
            Some(function) => apply(function, call, span, env),
            None => Err(vec![unknown(name, name_span)]),
        },
    }
}

fn unknown(name: &str, span: Span) -> Diagnostic {
    let diagnostic = problem(
        codes::UNKNOWN_FUNCTION,
        span.clone(),
        format!("there is no function `{name}`"),
    );
    // Terraform had these once.
    if let "list" | "map" = name {
        let now = if name == "list" {
            "tolist([…])"
        } else {
            "tomap({…})"
        };
        return diagnostic.help(format!("write {now}"));
    }
    match did_you_mean(name, functions::names()) {
        Some(near) => diagnostic.patch(format!("did you mean `{near}`?"), span, near),
        None => diagnostic,
    }
}

/// An argument and where it stands.
struct Argument {
    value: Value,
    span: Span,
}

fn apply(function: &Function, call: &FuncCall, span: &Span, env: &Env<'_>) -> Outcome {
    let exprs: Vec<&Expression> = call.args.iter().collect();
    let mut values = all(exprs.iter().map(|expr| value(expr, env)))?;
    let mut spans: Vec<Span> = exprs.iter().map(|expr| env.span(expr)).collect();
    let mut sensitive = false;
    if call.args.expand_final()
        && let (Some(last), Some(last_span)) = (values.pop(), spans.pop())
    {
        sensitive = last.is_sensitive();
        match expand(&last, &last_span)? {
            Some(items) => {
                spans.extend(std::iter::repeat_n(last_span, items.len()));
                values.extend(items);
            }
            // How many arguments there are is unknown, so nothing can be said about the result.
            None => return Ok(Value::unknown(Type::Any).marked_if(sensitive)),
        }
    }
    check_count(function, values.len(), span)?;
    if function.name == "templatestring" && matches!(exprs.first(), Some(Expression::String(_))) {
        let label = "this template is written out here, so it can stand as a string of its own";
        return Err(vec![
            problem(codes::INVALID_ARGUMENT, spans[0].clone(), label)
                .note("`templatestring` renders templates that come from elsewhere."),
        ]);
    }
    let arguments: Vec<Argument> = values
        .into_iter()
        .zip(spans)
        .map(|(value, span)| Argument { value, span })
        .collect();
    let result = run(function, arguments, span, env)?;
    Ok(result.marked_if(sensitive))
}

/// The elements that `...` spreads over the arguments, or `None` if they are unknown.
fn expand(last: &Value, span: &Span) -> Result<Option<Vec<Value>>, Vec<Diagnostic>> {
    let invalid = |label: String| Err(vec![problem(codes::INVALID_ARGUMENT, span.clone(), label)]);
    match last.kind() {
        Kind::Null(_) => {
            invalid("this is null, so it cannot be spread over the arguments".to_owned())
        }
        Kind::Unknown(_) => Ok(None),
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => Ok(last.items().map(<[Value]>::to_vec)),
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Map(..) | Kind::Object(_) => {
            invalid(format!(
                "`...` spreads a list over the arguments, and this is {}",
                article(&last.ty())
            ))
        }
    }
}

fn check_count(function: &Function, given: usize, span: &Span) -> Result<(), Vec<Diagnostic>> {
    let wanted = function.parameters.len();
    let wrong = given < wanted || given > wanted && function.variadic.is_none();
    if !wrong {
        return Ok(());
    }
    let names: Vec<&str> = function
        .parameters
        .iter()
        .chain(&function.variadic)
        .map(|parameter| parameter.name)
        .collect();
    let more = if function.variadic.is_some() {
        "at least "
    } else {
        ""
    };
    let plural = if wanted == 1 { "argument" } else { "arguments" };
    let dots = if function.variadic.is_some() {
        "..."
    } else {
        ""
    };
    Err(vec![
        problem(
            codes::WRONG_ARGUMENT_COUNT,
            span.clone(),
            format!(
                "`{}` takes {more}{wanted} {plural}, and this call has {given}",
                function.name
            ),
        )
        .help(format!("{}({}{dots})", function.name, names.join(", "))),
    ])
}

fn run(function: &Function, arguments: Vec<Argument>, span: &Span, env: &Env<'_>) -> Outcome {
    let secret = arguments
        .iter()
        .any(|argument| argument.value.contains_sensitive());
    let mut problems = Vec::new();
    let mut values = Vec::with_capacity(arguments.len());
    let mut sensitive = false;
    let mut unknown = false;
    let mut untyped = false;
    let mut spans = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.into_iter().enumerate() {
        let Some(parameter) = function
            .parameters
            .get(index)
            .or(function.variadic.as_ref())
        else {
            continue;
        };
        match accept(parameter, &argument) {
            Ok(value) => {
                let value = if parameter.takes_sensitive {
                    value
                } else {
                    sensitive |= value.contains_sensitive();
                    value.unmarked()
                };
                unknown |= !value.is_known() && !parameter.takes_unknown;
                untyped |= value.is_untyped() && !parameter.takes_untyped;
                values.push(value);
            }
            Err(diagnostic) => problems.push(diagnostic),
        }
        spans.push(argument.span);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if untyped {
        return Ok(Value::unknown(Type::Any).marked_if(sensitive));
    }
    let context = Context { scope: env.scope };
    let result = if unknown {
        match &function.returns {
            Returns::Always(ty) => Ok(Value::unknown(ty.ty())),
            Returns::Depends(result) => result(&values).map(Value::unknown),
        }
    } else {
        (function.run)(&context, &values)
    };
    result
        .map(|result| result.marked_if(sensitive))
        .map_err(|failure| vec![report(function, failure, &spans, span, secret)])
}

/// Converts an argument to what the parameter takes.
fn accept(parameter: &Parameter, argument: &Argument) -> Result<Value, Diagnostic> {
    let invalid = |label: String| problem(codes::INVALID_ARGUMENT, argument.span.clone(), label);
    let value = convert(&argument.value, &parameter.kind.ty()).map_err(|error| {
        invalid(format!(
            "`{}` does not accept this: {error}",
            parameter.name
        ))
    })?;
    if value.is_null() && !parameter.takes_null {
        return Err(invalid(format!("`{}` must not be null", parameter.name)));
    }
    Ok(value)
}

fn report(
    function: &Function,
    failure: Failure,
    spans: &[Span],
    span: &Span,
    secret: bool,
) -> Diagnostic {
    // What a function says about a secret could tell it.
    let hide = |message: String| {
        if secret {
            "the reason is not shown, because it could tell a secret".to_owned()
        } else {
            message
        }
    };
    match failure {
        Failure::Argument(index, message) => {
            let place = spans.get(index).unwrap_or(span).clone();
            problem(codes::INVALID_ARGUMENT, place, hide(message))
        }
        Failure::Call(message) => problem(
            codes::CALL_FAILED,
            span.clone(),
            format!("`{}` failed: {}", function.name, hide(message)),
        ),
    }
}

/// `try(a, b, …)`: the first that evaluates without a problem.
fn attempt(call: &FuncCall, span: &Span, env: &Env<'_>) -> Outcome {
    if call.args.is_empty() {
        let label = "`try` takes at least 1 argument, and this call has 0";
        return Err(vec![problem(
            codes::WRONG_ARGUMENT_COUNT,
            span.clone(),
            label,
        )]);
    }
    let mut reasons = Vec::new();
    for expr in &call.args {
        if depends_on_unknown(expr, env) {
            // Whether this one will succeed is not known yet, so neither is which one is chosen.
            return Ok(Value::unknown(Type::Any));
        }
        match value(expr, env) {
            Ok(found) => return Ok(found),
            Err(problems) => reasons.extend(problems),
        }
    }
    let failed = problem(
        codes::CALL_FAILED,
        span.clone(),
        "none of the expressions in this `try` succeeded",
    );
    let labels = reasons.into_iter().filter_map(|reason| {
        let label = reason.labels.into_iter().next()?;
        Some((label.span, format!("{}: {}", reason.summary, label.text)))
    });
    Err(vec![
        labels.fold(failed, |failed, (span, text)| failed.at(span, text)),
    ])
}

/// `can(a)`: whether it evaluates without a problem.
fn can(call: &FuncCall, span: &Span, env: &Env<'_>) -> Outcome {
    let mut exprs = call.args.iter();
    let (Some(expr), None) = (exprs.next(), exprs.next()) else {
        let label = format!(
            "`can` takes 1 argument, and this call has {}",
            call.args.len()
        );
        return Err(vec![problem(
            codes::WRONG_ARGUMENT_COUNT,
            span.clone(),
            label,
        )]);
    };
    if depends_on_unknown(expr, env) {
        return Ok(Value::unknown(Type::Bool));
    }
    Ok(Value::from(value(expr, env).is_ok()))
}

/// Whether anything that the expression refers to is not wholly known. References that fail do not count.
fn depends_on_unknown(expr: &Expression, env: &Env<'_>) -> bool {
    references(expr, env.file).iter().any(|reference| {
        traverse::follow(&reference.root, &reference.path, &reference.span, env)
            .is_ok_and(|found| !found.is_wholly_known())
    })
}
