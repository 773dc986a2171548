//! Regular expressions: `regex`, `regexall` and `replace`.

use super::string::text;
use super::{Accepts, Context, Failure, Function, Returns, string};
use crate::lang::types::Type;
use crate::lang::value::{Entries, Value};
use regex::{Captures, Regex, RegexBuilder};

/// The largest compiled pattern, so that no configuration can use up the memory.
const LARGEST_PATTERN: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "regex",
        parameters: &[string("pattern"), string("string")],
        variadic: None,
        returns: Returns::Depends(|arguments| match arguments[0].as_str() {
            Some(_) => Ok(result_type(&compile(&arguments[0], 0)?)),
            None => Ok(Type::Any),
        }),
        run: |_, arguments| {
            let pattern = compile(&arguments[0], 0)?;
            let found = pattern.captures(text(&arguments[1]));
            let found = found.ok_or_else(|| {
                Failure::Call("the pattern did not match any part of the string".to_owned())
            })?;
            Ok(result(&pattern, &found))
        },
    },
    Function {
        name: "regexall",
        parameters: &[string("pattern"), string("string")],
        variadic: None,
        returns: Returns::Depends(|arguments| match arguments[0].as_str() {
            Some(_) => Ok(Type::list(result_type(&compile(&arguments[0], 0)?))),
            None => Ok(Type::list(Type::Any)),
        }),
        run: |_, arguments| {
            let pattern = compile(&arguments[0], 0)?;
            let found = pattern.captures_iter(text(&arguments[1]));
            Ok(Value::list(
                result_type(&pattern),
                found.map(|found| result(&pattern, &found)).collect(),
            ))
        },
    },
    Function {
        name: "replace",
        parameters: &[string("str"), string("substr"), string("replace")],
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run: replace,
    },
];

fn compile(pattern: &Value, argument: usize) -> Result<Regex, Failure> {
    build(text(pattern), argument)
}

fn build(pattern: &str, argument: usize) -> Result<Regex, Failure> {
    RegexBuilder::new(pattern)
        .size_limit(LARGEST_PATTERN)
        .build()
        .map_err(|error| {
            // The crate draws the pattern over several lines; the last one says what is wrong.
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            Failure::Argument(argument, format!("invalid regular expression: {reason}"))
        })
}

fn named(pattern: &Regex) -> bool {
    pattern.capture_names().flatten().next().is_some()
}

/// No groups: the match. Unnamed groups: a tuple of them. Named groups: an object.
fn result_type(pattern: &Regex) -> Type {
    match pattern.captures_len() {
        1 => Type::String,
        _ if named(pattern) => Type::object(
            pattern
                .capture_names()
                .flatten()
                .map(|name| (name.into(), Type::String)),
        ),
        groups => Type::tuple(vec![Type::String; groups - 1]),
    }
}

fn result(pattern: &Regex, found: &Captures<'_>) -> Value {
    let part = |part: Option<regex::Match<'_>>| {
        part.map_or_else(
            || Value::null_of(Type::String),
            |part| Value::string(part.as_str()),
        )
    };
    match pattern.captures_len() {
        1 => part(found.get(0)),
        _ if named(pattern) => {
            let entries: Entries = pattern
                .capture_names()
                .flatten()
                .map(|name| (name.into(), part(found.name(name))))
                .collect();
            Value::object(entries)
        }
        _ => Value::tuple(found.iter().skip(1).map(part).collect()),
    }
}

/// A pattern between slashes is a regular expression; anything else is taken as it is.
fn replace(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (subject, substring, replacement) = (
        text(&arguments[0]),
        text(&arguments[1]),
        text(&arguments[2]),
    );
    let pattern = substring
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    match pattern {
        Some(pattern) => Ok(build(pattern, 1)?
            .replace_all(subject, replacement)
            .as_ref()
            .into()),
        None => Ok(subject.replace(substring, replacement).into()),
    }
}
