//! Values as Terraform's console prints them.

use super::types::Type;
use super::value::{Entries, Kind, Value};
use std::fmt;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        write(self, &mut out, 0);
        f.write_str(&out)
    }
}

fn write(value: &Value, out: &mut String, depth: usize) {
    if value.is_sensitive() {
        out.push_str("(sensitive value)");
        return;
    }
    match value.kind() {
        Kind::Unknown(_) => out.push_str("(known after apply)"),
        Kind::Null(ty) => match ty {
            Type::Any => out.push_str("null"),
            Type::String => out.push_str("tostring(null)"),
            Type::Number => out.push_str("tonumber(null)"),
            Type::Bool => out.push_str("tobool(null)"),
            other => out.push_str(&format!("null /* {} */", other.friendly())),
        },
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(value) => out.push_str(&value.to_string()),
        Kind::String(text) if text.contains('\n') && depth == 0 => {
            out.push_str(&format!("<<EOT\n{text}\nEOT"));
        }
        Kind::String(text) => write_quoted(text, out),
        Kind::List(..) => write_call("tolist", value, out, depth),
        Kind::Set(..) => write_call("toset", value, out, depth),
        Kind::Map(..) => write_call("tomap", value, out, depth),
        Kind::Tuple(_) => write_items(value.items().unwrap_or_default(), out, depth),
        Kind::Object(_) => {
            if let Some(entries) = value.entries() {
                write_entries(entries, out, depth);
            }
        }
    }
}

fn write_call(name: &str, value: &Value, out: &mut String, depth: usize) {
    out.push_str(name);
    out.push('(');
    match (value.items(), value.entries()) {
        (Some(items), _) => write_items(items, out, depth),
        (None, Some(entries)) => write_entries(entries, out, depth),
        (None, None) => {}
    }
    out.push(')');
}

fn write_items(items: &[Value], out: &mut String, depth: usize) {
    if items.is_empty() {
        out.push_str("[]");
        return;
    }
    out.push('[');
    for item in items {
        new_line(out, depth + 1);
        write(item, out, depth + 1);
        out.push(',');
    }
    new_line(out, depth);
    out.push(']');
}

fn write_entries(entries: &Entries, out: &mut String, depth: usize) {
    if entries.is_empty() {
        out.push_str("{}");
        return;
    }
    out.push('{');
    for (key, value) in entries {
        new_line(out, depth + 1);
        write_quoted(key, out);
        out.push_str(" = ");
        write(value, out, depth + 1);
    }
    new_line(out, depth);
    out.push('}');
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

/// Quotes a string so that it could stand in a configuration.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_quoted(text, &mut out);
    out
}

fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // What would start a template is doubled, so that it stays text.
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push(character);
                out.push(character);
            }
            other if other.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(other))),
            other => out.push(other),
        }
    }
    out.push('"');
}
