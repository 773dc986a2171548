//! `yamldecode` and `yamlencode`. The parser is a crate's; what plain scalars mean is Terraform's (YAML 1.1, so `yes` is a bool).

use crate::lang::json;
use crate::lang::number::Number;
use crate::lang::value::{Entries, Kind, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::HashMap;

/// Deeper documents are refused, so that reading one cannot overflow the stack.
const DEEPEST: usize = 128;

/// The values that aliases may multiply a document to: a few lines of them can stand for billions.
const LARGEST: usize = 1 << 16;

pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        copied: 0,
    };
    let mut document = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => {
                if document.is_some() {
                    return Err("a second document follows; only one is read".to_owned());
                }
                document = Some(reader.value(event, 0)?);
            }
        }
    }
    Ok(document.unwrap_or_else(Value::null))
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Value>,
    /// How many values aliases have stood for so far.
    copied: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.events.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(Event::StreamEnd),
        }
    }

    fn value(&mut self, event: Event<'a>, depth: usize) -> Result<Value, String> {
        if depth > DEEPEST {
            return Err(format!(
                "the document is nested more than {DEEPEST} levels deep"
            ));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, scalar(&text, style, tag.as_deref())?)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => items.push(self.value(event, depth + 1)?),
                    }
                }
                (anchor, Value::tuple(items))
            }
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            Event::Alias(anchor) => {
                let value = self
                    .anchors
                    .get(&anchor)
                    .cloned()
                    .ok_or("an alias refers to the value that it is part of")?;
                self.copied += size(&value);
                if self.copied > LARGEST {
                    return Err("its aliases stand for too many values".to_owned());
                }
                return Ok(value);
            }
            other => return Err(format!("unexpected {other:?}")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, String> {
        let mut entries = Entries::new();
        let mut merged = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => break,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<" => {
                    let event = self.next()?;
                    merged.push(self.value(event, depth + 1)?);
                    continue;
                }
                event => self.value(event, depth + 1)?,
            };
            let key = match key.kind() {
                Kind::String(text) => text.clone(),
                Kind::Number(number) => Value::key(&number.to_string()),
                Kind::Bool(truth) => Value::key(if *truth { "true" } else { "false" }),
                _ => return Err("only strings, numbers and bools can be keys".to_owned()),
            };
            let event = self.next()?;
            let value = self.value(event, depth + 1)?;
            entries.insert(key, value);
        }
        for source in &merged {
            for part in source.items().unwrap_or(std::slice::from_ref(source)) {
                let part = part
                    .entries()
                    .ok_or("only a mapping can be merged with <<")?;
                for (key, value) in part {
                    entries.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        Ok(Value::object(entries))
    }
}

fn size(value: &Value) -> usize {
    let items = value.items().into_iter().flatten().map(size).sum::<usize>();
    let entries = value
        .entries()
        .into_iter()
        .flat_map(Entries::values)
        .map(size)
        .sum::<usize>();
    1 + items + entries
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let tag = tag.map(|tag| tag.suffix.as_str());
    if style != ScalarStyle::Plain && tag.is_none() || tag == Some("str") {
        return Ok(Value::string(text));
    }
    let value = plain(text);
    match (tag, value.kind()) {
        (Some("int" | "float"), Kind::Number(_))
        | (Some("bool"), Kind::Bool(_))
        | (Some("null"), Kind::Null(_))
        | (None, _) => Ok(value),
        (Some("binary" | "timestamp"), _) => Ok(Value::string(text)),
        (Some(tag), _) => Err(format!(
            "cannot read {} as !!{tag}",
            crate::lang::quoted(text)
        )),
    }
}

/// What an unquoted scalar stands for.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::null(),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::from(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::from(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Number::from_f64(f64::INFINITY).map_or_else(Value::null, Value::from);
        }
        "-.inf" | "-.Inf" | "-.INF" => {
            return Number::from_f64(f64::NEG_INFINITY).map_or_else(Value::null, Value::from);
        }
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return Value::string(text);
    }
    let digits = text.replace('_', "");
    let (sign, unsigned) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let bases = [
        ("0x", 16),
        ("0X", 16),
        ("0o", 8),
        ("0O", 8),
        ("0b", 2),
        ("0B", 2),
    ];
    let based = bases.iter().find_map(|(prefix, base)| {
        let digits = unsigned.strip_prefix(prefix)?;
        Number::from_radix(&format!("{sign}{digits}"), *base)
    });
    // A leading zero makes an octal number of it, where the digits allow.
    let octal = || {
        let digits = unsigned.strip_prefix('0').filter(|rest| !rest.is_empty())?;
        Number::from_radix(&format!("{sign}{digits}"), 8)
    };
    let number = based.or_else(octal).or_else(|| Number::parse(&digits));
    number.map_or_else(|| Value::string(text), Value::from)
}

/// The text, or `None` if something in it is known only after apply.
pub(super) fn encode(value: &Value) -> Result<Option<String>, String> {
    if !value.is_wholly_known() {
        return Ok(None);
    }
    let mut out = String::new();
    write(value, &mut out, 0, Position::Top)?;
    out.push('\n');
    // A block scalar has ended its own last line.
    while out.ends_with("\n\n") && !ends_with_kept_lines(value) {
        out.pop();
    }
    Ok(Some(out))
}

fn ends_with_kept_lines(value: &Value) -> bool {
    match value.kind() {
        Kind::String(text) => text.ends_with("\n\n"),
        _ => {
            let last = value
                .items()
                .and_then(<[Value]>::last)
                .or_else(|| value.entries()?.values().next_back());
            last.is_some_and(ends_with_kept_lines)
        }
    }
}

/// What stands before a value on its line.
#[derive(Clone, Copy, PartialEq)]
enum Position {
    Top,
    AfterKey,
    AfterDash,
}

fn write(value: &Value, out: &mut String, indent: usize, position: Position) -> Result<(), String> {
    match value.kind() {
        Kind::String(text) if text.contains('\n') && is_printable(text) => {
            let indent = if position == Position::Top { 2 } else { indent };
            write_block(text, out, indent);
        }
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => {
            let items = value.items().unwrap_or_default();
            if items.is_empty() {
                out.push_str("[]");
            }
            // A list below a key stands at the key's own indentation.
            let indent = if position == Position::AfterKey {
                indent.saturating_sub(2)
            } else {
                indent
            };
            for (index, item) in items.iter().enumerate() {
                separate(out, indent, position, index);
                out.push_str("- ");
                write(item, out, indent + 2, Position::AfterDash)?;
            }
        }
        Kind::Map(..) | Kind::Object(_) => {
            let entries = value.entries().into_iter().flatten();
            if value.entries().is_none_or(Entries::is_empty) {
                out.push_str("{}");
            }
            for (index, (key, item)) in entries.enumerate() {
                separate(out, indent, position, index);
                out.push_str(&quoted(key));
                out.push(':');
                let nested = item.items().is_some_and(|items| !items.is_empty())
                    || item.entries().is_some_and(|entries| !entries.is_empty());
                if !nested {
                    out.push(' ');
                }
                write(item, out, indent + 2, Position::AfterKey)?;
            }
        }
        Kind::String(text) => out.push_str(&quoted(text)),
        Kind::Null(_) | Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) => {
            out.push_str(&json::encode(value)?.unwrap_or_default());
        }
    }
    Ok(())
}

/// Starts a new line for an item, unless it may stand where the text has come to.
fn separate(out: &mut String, indent: usize, position: Position, index: usize) {
    let continues = index == 0 && position != Position::AfterKey;
    if continues {
        return;
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&" ".repeat(indent));
}

fn is_printable(text: &str) -> bool {
    text.chars()
        .all(|character| character == '\n' || character == '\t' || !character.is_control())
}

fn write_block(text: &str, out: &mut String, indent: usize) {
    out.push('|');
    // The indentation of text that begins with a space cannot be told from the text.
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    match text.len() - text.trim_end_matches('\n').len() {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    out.push('\n');
    for line in text.split_inclusive('\n') {
        if line != "\n" {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(line);
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            other if other.is_control() => {
                let code = u32::from(other);
                out.push_str(&if code < 0x100 {
                    format!("\\x{code:02X}")
                } else {
                    format!("\\u{code:04X}")
                });
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::convert::entries;

    #[test]
    fn what_is_written_reads_back() {
        let inner = Value::object(entries([
            ("a b", Value::from("x\ny\n")),
            ("c", Value::tuple(vec![1.into(), Value::null()])),
        ]));
        let lists = Value::tuple(vec![
            Value::tuple(vec![Value::from("- #"), inner.clone()]),
            Value::tuple(vec![]),
            inner,
        ]);
        let value = Value::object(entries([
            ("k", lists),
            ("t", Value::from("  lead\n\n\nend")),
            ("e", Value::object(entries([]))),
        ]));
        let text = encode(&value).unwrap().unwrap();
        assert_eq!(decode(&text), Ok(value), "{text}");
    }

    #[test]
    fn aliases_cannot_make_it_explode() {
        let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
        for (name, before) in ["b", "c", "d", "e", "f"]
            .iter()
            .zip(["a", "b", "c", "d", "e"])
        {
            text.push_str(&format!(
                "{name}: &{name} [{}]\n",
                vec![format!("*{before}"); 10].join(", ")
            ));
        }
        assert!(decode(&text).is_err());
        assert!(decode(&format!("{}{}", "[".repeat(5000), "]".repeat(5000))).is_err());
        let merged = decode("a: &a {p: 1, q: 2}\nb:\n  <<: *a\n  q: 0x10\n").unwrap();
        assert_eq!(merged.get("b").unwrap().get("q"), Some(Value::from(16)));
    }
}
