//! Strings: `join`, `replace`, `substr`, `trim` and their like. `format` and regular expressions have their own files.

use super::{Accepts, Context, Failure, Function, Parameter, Returns, any, number, string};
use crate::lang::convert::convert;
use crate::lang::types::Type;
use crate::lang::value::Value;
use unicode_segmentation::UnicodeSegmentation;

type Run = fn(&Context<'_>, &[Value]) -> Result<Value, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    of_strings("chomp", &[string("str")], |_, a| {
        Ok(text(&a[0]).trim_end_matches(['\r', '\n']).into())
    }),
    predicate("endswith", &[string("str"), string("suffix")], |_, a| {
        Ok(text(&a[0]).ends_with(text(&a[1])).into())
    }),
    of_strings("indent", &[number("spaces"), string("str")], indent),
    Function {
        name: "join",
        parameters: &[string("separator")],
        variadic: Some(any("lists").or_unknown()),
        returns: Returns::Always(Accepts::String),
        run: join,
    },
    of_strings("lower", &[string("str")], |_, a| {
        Ok(text(&a[0]).to_lowercase().into())
    }),
    Function {
        name: "split",
        parameters: &[string("separator"), string("str")],
        variadic: None,
        returns: Returns::Always(Accepts::ListOfString),
        run: split,
    },
    predicate("startswith", &[string("str"), string("prefix")], |_, a| {
        Ok(text(&a[0]).starts_with(text(&a[1])).into())
    }),
    predicate("strcontains", &[string("str"), string("substr")], |_, a| {
        Ok(text(&a[0]).contains(text(&a[1])).into())
    }),
    of_strings("strrev", &[string("str")], |_, a| {
        Ok(text(&a[0]).graphemes(true).rev().collect::<String>().into())
    }),
    of_strings(
        "substr",
        &[string("str"), number("offset"), number("length")],
        substr,
    ),
    of_strings("title", &[string("str")], |_, a| {
        Ok(title(text(&a[0])).into())
    }),
    of_strings("trim", &[string("str"), string("cutset")], |_, a| {
        let cutset: Vec<char> = text(&a[1]).chars().collect();
        Ok(text(&a[0]).trim_matches(cutset.as_slice()).into())
    }),
    of_strings("trimprefix", &[string("str"), string("prefix")], |_, a| {
        let (text, prefix) = (text(&a[0]), text(&a[1]));
        Ok(text.strip_prefix(prefix).unwrap_or(text).into())
    }),
    of_strings("trimspace", &[string("str")], |_, a| {
        Ok(text(&a[0]).trim().into())
    }),
    of_strings("trimsuffix", &[string("str"), string("suffix")], |_, a| {
        let (text, suffix) = (text(&a[0]), text(&a[1]));
        Ok(text.strip_suffix(suffix).unwrap_or(text).into())
    }),
    of_strings("upper", &[string("str")], |_, a| {
        Ok(text(&a[0]).to_uppercase().into())
    }),
];

const fn of_strings(name: &'static str, parameters: &'static [Parameter], run: Run) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run,
    }
}

const fn predicate(name: &'static str, parameters: &'static [Parameter], run: Run) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        returns: Returns::Always(Accepts::Bool),
        run,
    }
}

/// The text of an argument that is a known string, as the caller has seen to.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The whole number that an argument holds.
pub(super) fn whole(arguments: &[Value], index: usize) -> Result<i64, Failure> {
    let number = arguments.get(index).and_then(Value::as_number);
    number
        .and_then(crate::lang::number::Number::to_i64)
        .ok_or_else(|| Failure::Argument(index, "a whole number is required".to_owned()))
}

/// How long a text made by repeating may become; more is a mistake, not a configuration.
const LONGEST_INDENT: i64 = 1 << 16;

fn indent(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let spaces = whole(arguments, 0)?;
    if !(0..=LONGEST_INDENT).contains(&spaces) {
        return Err(Failure::Argument(
            0,
            format!("between 0 and {LONGEST_INDENT} spaces are possible"),
        ));
    }
    let line_start = format!("\n{}", " ".repeat(usize::try_from(spaces).unwrap_or(0)));
    Ok(text(&arguments[1]).replace('\n', &line_start).into())
}

fn join(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (separator, lists) = (text(&arguments[0]), &arguments[1..]);
    if lists.is_empty() {
        return Err(Failure::Call("at least one list is required".to_owned()));
    }
    let mut parts: Vec<String> = Vec::new();
    let mut unknown = false;
    for (index, list) in lists.iter().enumerate() {
        let place = index + 1;
        let list = convert(list, &Type::list(Type::String))
            .map_err(|error| Failure::Argument(place, error))?;
        unknown |= !list.is_wholly_known();
        for (position, item) in list.items().unwrap_or_default().iter().enumerate() {
            if item.is_null() {
                return Err(Failure::Argument(
                    place,
                    format!("element {position} is null; a string is required"),
                ));
            }
            parts.push(text(item).to_owned());
        }
    }
    if unknown {
        Ok(Value::unknown(Type::String))
    } else {
        Ok(parts.join(separator).into())
    }
}

fn split(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (separator, text) = (text(&arguments[0]), text(&arguments[1]));
    // An empty separator parts the characters, of which an empty string has none.
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars()
            .map(|character| character.to_string().into())
            .collect()
    } else {
        text.split(separator).map(Value::from).collect()
    };
    Ok(Value::list(Type::String, parts))
}

/// Counts what a person sees as characters; a negative offset counts from the end, a length of -1 means the rest.
fn substr(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let characters: Vec<&str> = text(&arguments[0]).graphemes(true).collect();
    let (offset, length) = (whole(arguments, 1)?, whole(arguments, 2)?);
    if length < -1 {
        return Err(Failure::Argument(
            2,
            "the length is -1 for the rest, or not negative".to_owned(),
        ));
    }
    let count = i64::try_from(characters.len()).unwrap_or(i64::MAX);
    let start = if offset < 0 {
        (offset + count).max(0)
    } else {
        offset.min(count)
    };
    let end = if length < 0 {
        count
    } else {
        start.saturating_add(length).min(count)
    };
    let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
    Ok(characters.get(range).unwrap_or_default().concat().into())
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        if in_word {
            out.push(character);
        } else {
            out.extend(character.to_uppercase());
        }
        in_word = character.is_alphanumeric() || character == '_' || (in_word && character == '\'');
    }
    out
}
