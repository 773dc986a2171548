//! `csvdecode`: RFC 4180 with a header line, as strictly as Terraform reads it.

use crate::lang::types::Type;
use crate::lang::value::{Entries, Value};

/// A list with an object for each row; all values are strings.
pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut rows = rows(text)?.into_iter();
    let header = rows.next().ok_or("missing header line")?.1;
    if let Some(twice) = header
        .iter()
        .enumerate()
        .find(|(index, name)| header[..*index].contains(name))
    {
        return Err(format!(
            "duplicate column name {}",
            crate::lang::quoted(twice.1)
        ));
    }
    let ty = Type::object(header.iter().map(|name| (Value::key(name), Type::String)));
    let mut items = Vec::new();
    for (line, row) in rows {
        if row.len() != header.len() {
            return Err(format!(
                "line {line}: {} fields instead of {}",
                row.len(),
                header.len()
            ));
        }
        let entries: Entries = header
            .iter()
            .map(|name| Value::key(name))
            .zip(row.into_iter().map(Value::from))
            .collect();
        items.push(Value::object(entries));
    }
    Ok(Value::list(ty, items))
}

/// The rows with the lines they begin on; empty lines are no rows.
fn rows(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
    let mut rows = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        if let Some(tail) = rest
            .strip_prefix('\n')
            .or_else(|| rest.strip_prefix("\r\n"))
        {
            line += 1;
            rest = tail;
            continue;
        }
        let begins = line;
        let mut row = Vec::new();
        loop {
            let (field, tail, lines) = field(rest, line)?;
            line += lines;
            row.push(field);
            match tail.strip_prefix(',') {
                Some(tail) => rest = tail,
                None => {
                    rest = tail
                        .strip_prefix("\r\n")
                        .or_else(|| tail.strip_prefix('\n'))
                        .unwrap_or(tail);
                    line += 1;
                    break;
                }
            }
        }
        rows.push((begins, row));
    }
    Ok(rows)
}

/// A field, what follows it, and how many line ends it held.
fn field(text: &str, line: usize) -> Result<(String, &str, usize), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let field = &text[..end];
        let field = if text[end..].starts_with('\n') {
            field.strip_suffix('\r').unwrap_or(field)
        } else {
            field
        };
        if field.contains('"') {
            return Err(format!("line {line}: bare \" in non-quoted field"));
        }
        return Ok((field.to_owned(), &text[end..], 0));
    };
    let mut out = String::new();
    loop {
        let quote = rest
            .find('"')
            .ok_or_else(|| format!("line {line}: missing \" at the end of a quoted field"))?;
        out.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        if let Some(tail) = rest.strip_prefix('"') {
            out.push('"');
            rest = tail;
        } else if rest.is_empty() || rest.starts_with([',', '\n']) || rest.starts_with("\r\n") {
            let lines = out.matches('\n').count();
            return Ok((out, rest, lines));
        } else {
            return Err(format!(
                "line {line}: extraneous or missing \" in quoted field"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quotes_and_line_ends_within_them() {
        let decoded = decode("a,b\r\n1,\"x, \"\"y\"\"\n\"\n\n,z").unwrap();
        let rows = decoded.items().unwrap();
        assert_eq!(rows[0].get("b"), Some(Value::from("x, \"y\"\n")));
        assert_eq!(rows[1].get("a"), Some(Value::from("")));
        for bad in [
            "",
            "a,a\n",
            "a\nx\"y\n",
            "a\n\"x",
            "a\n\"x\"y\n",
            "a,b\n1\n",
        ] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
    }
}
