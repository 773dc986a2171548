//! Values to JSON and back.

use super::number::Number;
use super::value::{Kind, Value};
use std::fmt::Write;

/// A wholly known value as JSON; what is not known, or sensitive, has none.
///
/// Integers of 64 bits are exact; other numbers become the nearest double, as JSON readers would have it.
pub fn to_json(value: &Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    if value.is_sensitive() {
        return None;
    }
    Some(match value.kind() {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => Json::Null,
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Number(number) => match (number.to_i64(), number.to_u64()) {
            (Some(whole), _) => Json::from(whole),
            (None, Some(whole)) => Json::from(whole),
            (None, None) => Json::from(number.to_f64()),
        },
        Kind::String(text) => Json::String(text.to_string()),
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => {
            let items = value.items().unwrap_or_default();
            Json::Array(items.iter().map(to_json).collect::<Option<_>>()?)
        }
        Kind::Map(..) | Kind::Object(_) => {
            let entries = value.entries()?.iter();
            Json::Object(
                entries
                    .map(|(key, value)| Some((key.to_string(), to_json(value)?)))
                    .collect::<Option<_>>()?,
            )
        }
    })
}

/// JSON as a value of the types it implies: arrays are tuples, objects are objects.
pub fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::null(),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => Number::parse(&number.to_string())
            .or_else(|| Number::from_f64(number.as_f64()?))
            .unwrap_or(Number::ZERO)
            .into(),
        Json::String(text) => Value::string(text),
        Json::Array(items) => Value::tuple(items.iter().map(from_json).collect()),
        Json::Object(entries) => Value::object(
            entries
                .iter()
                .map(|(key, value)| (Value::key(key), from_json(value)))
                .collect(),
        ),
    }
}

/// The text that `jsonencode` gives: keys sorted, numbers with all their digits, `<`, `>` and `&` escaped.
///
/// `None` if something in it is known only after apply; the error names a number that JSON cannot hold.
pub fn encode(value: &Value) -> Result<Option<String>, String> {
    let mut out = String::new();
    Ok(write(value, &mut out)?.then_some(out))
}

fn write(value: &Value, out: &mut String) -> Result<bool, String> {
    match value.kind() {
        Kind::Unknown(_) => return Ok(false),
        Kind::Null(_) => out.push_str("null"),
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) if !number.is_finite() => {
            return Err("cannot serialize infinity as JSON".to_owned());
        }
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::String(text) => write_text(text, out),
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => {
            out.push('[');
            for (index, item) in value.items().unwrap_or_default().iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if !write(item, out)? {
                    return Ok(false);
                }
            }
            out.push(']');
        }
        Kind::Map(..) | Kind::Object(_) => {
            out.push('{');
            for (index, (key, item)) in value.entries().into_iter().flatten().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                if !write(item, out)? {
                    return Ok(false);
                }
            }
            out.push('}');
        }
    }
    Ok(true)
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Safe inside HTML and JavaScript, as Go's encoder has it by default and Terraform keeps.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other if u32::from(other) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(other));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::convert::entries;

    #[test]
    fn json_goes_both_ways() {
        let json = serde_json::json!({ "a": [1, 2.5, "x", null, true], "b": {} });
        assert_eq!(to_json(&from_json(&json)), Some(json));
        let big = serde_json::json!(18_446_744_073_709_551_615_u64);
        assert_eq!(to_json(&from_json(&big)), Some(big));
    }

    #[test]
    fn secrets_and_unknowns_have_no_json() {
        let part = Value::object(entries([("a", Value::from("x").sensitive())]));
        assert_eq!(to_json(&part), None);
        assert_eq!(
            encode(&Value::tuple(vec![Value::unknown(crate::lang::Type::Any)])),
            Ok(None)
        );
    }

    #[test]
    fn encodes_as_terraform_does() {
        let value = Value::object(entries([
            ("b", Value::from("é<>&\n")),
            ("a", Value::null()),
        ]));
        assert_eq!(
            encode(&value).unwrap().unwrap(),
            r#"{"a":null,"b":"é\u003c\u003e\u0026\n"}"#
        );
    }
}
