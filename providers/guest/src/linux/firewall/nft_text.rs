//! A rule of `nft -j` as a person knows it from `nft list ruleset`, without counters and logging.

use serde_json::Value;

pub(crate) fn rule(statements: &[Value], comment: Option<&str>) -> String {
    let mut words: Vec<String> = statements.iter().filter_map(statement).collect();
    words.extend(comment.map(|c| format!("comment \"{c}\"")));
    words.join(" ")
}

fn statement(statement: &Value) -> Option<String> {
    let (name, value) = statement.as_object()?.iter().next()?;
    Some(match name.as_str() {
        "counter" | "log" => return None,
        "match" => {
            let left = expression(&value["left"]);
            let right = expression(&value["right"]);
            match value["op"].as_str() {
                Some("==" | "in") | None => format!("{left} {right}"),
                Some(operator) => format!("{left} {operator} {right}"),
            }
        }
        "vmap" => format!(
            "{} vmap {}",
            expression(&value["key"]),
            expression(&value["data"])
        ),
        "limit" => format!(
            "limit rate {}{}/{}",
            if value["inv"] == true { "over " } else { "" },
            value["rate"],
            value["per"].as_str().unwrap_or("second")
        ),
        "reject" => match value.get("expr").and_then(Value::as_str) {
            Some(reason) => {
                format!(
                    "reject with {} {reason}",
                    value["type"].as_str().unwrap_or_default()
                )
            }
            None if value["type"] == "tcp reset" => "reject with tcp reset".to_owned(),
            None => "reject".to_owned(),
        },
        "jump" | "goto" => format!("{name} {}", value["target"].as_str().unwrap_or("?")),
        _ if value.is_null() => name.clone(),
        _ => format!("{name} {value}"),
    })
}

fn expression(value: &Value) -> String {
    let list = |items: &Vec<Value>, between: &str| {
        items
            .iter()
            .map(expression)
            .collect::<Vec<_>>()
            .join(between)
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => list(items, ","),
        Value::Object(object) => {
            let word = |name: &str, field: &str| object.get(name)?.get(field)?.as_str();
            if let (Some(protocol), Some(field)) =
                (word("payload", "protocol"), word("payload", "field"))
            {
                format!("{protocol} {field}")
            } else if let Some(key) = word("meta", "key") {
                match key {
                    "iif" | "oif" | "iifname" | "oifname" => key.to_owned(),
                    _ => format!("meta {key}"),
                }
            } else if let Some(key) = word("ct", "key") {
                format!("ct {key}")
            } else if let Some(prefix) = object.get("prefix") {
                format!("{}/{}", expression(&prefix["addr"]), prefix["len"])
            } else if let Some(range) = object.get("range") {
                format!("{}-{}", expression(&range[0]), expression(&range[1]))
            } else if let Some(Value::Array(items)) = object.get("set") {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| match item {
                        Value::Array(pair) if pair.len() == 2 => format!(
                            "{} : {}",
                            expression(&pair[0]),
                            statement(&pair[1]).unwrap_or_default()
                        ),
                        other => expression(other),
                    })
                    .collect();
                format!("{{ {} }}", items.join(", "))
            } else if let Some(value) = object.get("elem").and_then(|e| e.get("val")) {
                expression(value)
            } else {
                value.to_string()
            }
        }
        other => other.to_string(),
    }
}
