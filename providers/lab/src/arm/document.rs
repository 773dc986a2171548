//! Reading and building ARM documents as plain JSON.

use serde_json::{Map, Value, json};

/// The member as an object; an empty one when absent or something else.
pub(super) fn object<'a>(value: &'a Value, name: &str) -> &'a Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.get(name).and_then(Value::as_object).unwrap_or(&EMPTY)
}

/// The member as a list; empty when absent or something else.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A list under `properties`.
pub(super) fn parts<'a>(document: &'a Value, array: &str) -> &'a [Value] {
    document
        .get("properties")
        .map_or(&[], |properties| list(properties, array))
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `properties.{name}`.
pub(super) fn property<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
    document
        .get("properties")?
        .get(name)
        .filter(|value| !value.is_null())
}

pub(super) fn property_text<'a>(document: &'a Value, name: &str) -> &'a str {
    property(document, name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(super) fn property_flag(document: &Value, name: &str) -> bool {
    property(document, name)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

pub(super) fn property_number(document: &Value, name: &str) -> Option<i64> {
    property(document, name).and_then(Value::as_i64)
}

/// `properties.{name}.id`.
pub(super) fn reference<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    property(document, name)?.get("id")?.as_str()
}

/// The ids of a list of references under `properties`.
pub(super) fn references<'a>(document: &'a Value, name: &str) -> Vec<&'a str> {
    parts(document, name)
        .iter()
        .filter_map(|part| part.get("id")?.as_str())
        .collect()
}

/// A reference keeps its `id` only; the rest is swallowed silently (FACTS 2).
pub(super) fn only_id(value: &Value) -> Value {
    match value.get("id") {
        Some(id) => json!({"id": id}),
        None => json!({}),
    }
}

/// References to ids.
pub(super) fn to_references<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value {
    ids.into_iter().map(|id| json!({"id": id})).collect()
}

/// The location as ARM writes it back: lower case, no spaces.
#[must_use]
pub(super) fn plain_location(location: &str) -> String {
    location.to_ascii_lowercase().replace(' ', "")
}

/// How a member of `properties` comes about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fill {
    /// As given; absent when not given.
    Given,
    False,
    Number(i64),
    Text(&'static str),
    EmptyList,
    Reference,
    References,
    /// Filled in by the service; what the request says is ignored.
    ReadOnly,
}

/// Builds a `properties` object: the members of the table in its order, with their defaults, then
/// what the request says beyond it (properties that are newer than the table are kept).
pub(super) fn fill(given: &Map<String, Value>, table: &[(&str, Fill)]) -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    for (name, fill) in table {
        let value = given.get(*name).filter(|value| !value.is_null());
        let filled = match (fill, value) {
            (Fill::ReadOnly, _) | (Fill::Given | Fill::Reference | Fill::References, None) => None,
            (
                Fill::Given | Fill::EmptyList | Fill::False | Fill::Number(_) | Fill::Text(_),
                Some(value),
            ) => Some(value.clone()),
            (Fill::False, None) => Some(json!(false)),
            (Fill::Number(number), None) => Some(json!(number)),
            (Fill::Text(text), None) => Some(json!(text)),
            (Fill::EmptyList, None) => Some(json!([])),
            (Fill::Reference, Some(value)) => Some(only_id(value)),
            (Fill::References, Some(value)) => Some(
                value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(only_id)
                    .collect(),
            ),
        };
        if let Some(filled) = filled {
            properties.insert((*name).to_owned(), filled);
        }
    }
    for (name, value) in given {
        let known = name == "provisioningState" || table.iter().any(|(known, _)| known == name);
        if !known && !value.is_null() {
            properties.insert(name.clone(), value.clone());
        }
    }
    properties
}

/// A sub-resource as the service shows it: name, id, etag, type, properties, then what else was given.
pub(super) fn part(
    given: &Value,
    id: &str,
    resource_type: &str,
    properties: Map<String, Value>,
) -> Value {
    let mut part = Map::new();
    part.insert(
        "name".to_owned(),
        given.get("name").cloned().unwrap_or_default(),
    );
    part.insert("id".to_owned(), json!(id));
    part.insert("etag".to_owned(), json!(""));
    part.insert("type".to_owned(), json!(resource_type));
    part.insert("properties".to_owned(), Value::Object(properties));
    for (name, value) in given.as_object().into_iter().flatten() {
        if !part.contains_key(name) && !value.is_null() {
            part.insert(name.clone(), value.clone());
        }
    }
    Value::Object(part)
}

/// A top-level document: the service's members first, then location, tags, zones, properties, and
/// what else the request says.
pub(super) fn top(
    given: &Value,
    id: &str,
    name: &str,
    resource_type: &str,
    properties: Map<String, Value>,
) -> Value {
    let mut document = Map::new();
    document.insert("name".to_owned(), json!(name));
    document.insert("id".to_owned(), json!(id));
    document.insert("etag".to_owned(), json!(""));
    document.insert("type".to_owned(), json!(resource_type));
    for name in ["location", "tags", "zones"] {
        if let Some(value) = given.get(name).filter(|value| !value.is_null()) {
            document.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(Value::String(location)) = document.get_mut("location") {
        *location = plain_location(location);
    }
    document.insert("properties".to_owned(), Value::Object(properties));
    for (name, value) in given.as_object().into_iter().flatten() {
        if !document.contains_key(name) && !value.is_null() {
            document.insert(name.clone(), value.clone());
        }
    }
    Value::Object(document)
}

/// `sku` with the tier that the service adds: absent means Basic, Regional (FACTS 2).
pub(super) fn complete_sku(document: &mut Value, default_name: &str) {
    let name = document
        .pointer("/sku/name")
        .and_then(Value::as_str)
        .unwrap_or(default_name)
        .to_owned();
    let tier = document
        .pointer("/sku/tier")
        .and_then(Value::as_str)
        .unwrap_or("Regional")
        .to_owned();
    document["sku"] = json!({"name": name, "tier": tier});
}

/// Writes etag and provisioning state into a document and all its sub-resources: one etag for all
/// of them (FACTS 3), and everything under an `Updating` resource says so (FACTS 1).
pub(super) fn stamp(value: &mut Value, etag: &str, state: &str) {
    match value {
        Value::Object(members) => {
            if members.contains_key("etag") {
                members.insert("etag".to_owned(), json!(etag));
            }
            for (name, member) in members.iter_mut().filter(|(name, _)| *name != "tags") {
                if name == "properties"
                    && let Some(word) = member.get_mut("provisioningState")
                {
                    *word = json!(state);
                }
                stamp(member, etag, state);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| stamp(item, etag, state)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
