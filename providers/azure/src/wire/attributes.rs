//! Modelled attributes out of an ARM document, and back into one, by the paths of the schema table.

use super::Body;
use plimsoll_core::model::schema::{Attribute, Shape};
use plimsoll_core::model::{Attr, Attributes};
use serde_json::{Value, json};

/// Takes each attribute out of the document. What does not have the expected shape stays where it is.
pub(super) fn take(document: &mut Body, table: &[Attribute]) -> Attributes {
    let mut found = Attributes::new();
    for attribute in table {
        let path = path_of(attribute);
        if let Some(value) = find(document, &path)
            && let Some(attr) = read(value, attribute.shape)
        {
            remove(document, &path);
            found.insert(attribute.name.to_owned(), attr);
        }
    }
    found
}

/// Writes each attribute that is there.
pub(super) fn write(document: &mut Body, table: &[Attribute], attributes: &Attributes) {
    for attribute in table {
        if let Some(attr) = attributes.get(attribute.name) {
            insert(
                document,
                &path_of(attribute),
                json_of(attr, attribute.shape),
            );
        }
    }
}

/// A reference is one thing with its `id`: Azure swallows whatever else stands beside the id (so do the clients that
/// repeat a whole frontend in a rule), and it is not worth keeping.
fn path_of(attribute: &Attribute) -> Vec<&'static str> {
    let path = match attribute.shape {
        Shape::Id(_) => attribute.arm.strip_suffix(".id").unwrap_or(attribute.arm),
        Shape::Bool
        | Shape::Int(..)
        | Shape::Text
        | Shape::Choice(_)
        | Shape::Texts
        | Shape::Ids(_)
        | Shape::Tags
        | Shape::Addresses => attribute.arm,
    };
    path.split('.').collect()
}

fn read(value: &Value, shape: Shape) -> Option<Attr> {
    let texts = |value: &Value, text: &dyn Fn(&Value) -> Option<String>| {
        value
            .as_array()?
            .iter()
            .map(text)
            .collect::<Option<Vec<_>>>()
            .map(Attr::List)
    };
    match shape {
        Shape::Bool => value.as_bool().map(Attr::Bool),
        Shape::Int(..) => value.as_i64().map(Attr::Int),
        Shape::Text | Shape::Choice(_) => value.as_str().map(|t| Attr::Text(t.to_owned())),
        Shape::Texts => texts(value, &|v| v.as_str().map(str::to_owned)),
        Shape::Id(_) => id(value).map(Attr::Text),
        Shape::Ids(_) => texts(value, &id),
        Shape::Tags => value
            .as_object()?
            .iter()
            .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()
            .map(Attr::Map),
        Shape::Addresses => addresses(value),
    }
}

/// Members of a pool by address. With anything more in one of them (a subnet, an administrative state) the whole list
/// stays as it came.
fn addresses(value: &Value) -> Option<Attr> {
    let one = |member: &Value| {
        let properties = member.get("properties")?.as_object()?;
        let known = ["ipAddress", "virtualNetwork"];
        let plain = properties.keys().all(|k| known.contains(&k.as_str()))
            && member.as_object()?.len() == 2;
        let address = properties.get("ipAddress")?.as_str().filter(|_| plain)?;
        let text = match properties.get("virtualNetwork") {
            Some(network) => format!("{address} {}", id(network)?),
            None => address.to_owned(),
        };
        Some((member.get("name")?.as_str()?.to_owned(), text))
    };
    let members = value.as_array()?;
    let map = members.iter().map(one).collect::<Option<_>>()?;
    Some(Attr::Map(map))
}

fn member(name: &str, text: &str) -> Value {
    match text.split_once(' ') {
        Some((address, network)) => json!({
            "name": name,
            "properties": { "ipAddress": address, "virtualNetwork": { "id": network } }
        }),
        None => json!({ "name": name, "properties": { "ipAddress": text } }),
    }
}

fn id(reference: &Value) -> Option<String> {
    reference.get("id")?.as_str().map(str::to_owned)
}

fn json_of(attr: &Attr, shape: Shape) -> Value {
    match (attr, shape) {
        (Attr::Text(text), Shape::Id(_)) => json!({ "id": text }),
        (Attr::List(list), Shape::Ids(_)) => {
            list.iter().map(|id| json!({ "id": id })).collect::<Value>()
        }
        (Attr::Map(members), Shape::Addresses) => members
            .iter()
            .map(|(name, text)| member(name, text))
            .collect::<Value>(),
        (Attr::Bool(value), _) => json!(value),
        (Attr::Int(value), _) => json!(value),
        (Attr::Text(value), _) => json!(value),
        (Attr::List(value), _) => json!(value),
        (Attr::Map(value), _) => json!(value),
    }
}

fn find<'a>(document: &'a Body, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = document.get(*first)?;
    if rest.is_empty() {
        Some(value)
    } else {
        find(value.as_object()?, rest)
    }
}

/// Removes the value, and the objects around it that it leaves empty.
pub(super) fn remove(document: &mut Body, path: &[&str]) -> Option<Value> {
    let (first, rest) = path.split_first()?;
    if rest.is_empty() {
        return document.shift_remove(*first);
    }
    let inner = document.get_mut(*first)?.as_object_mut()?;
    let removed = remove(inner, rest);
    if removed.is_some() && inner.is_empty() {
        document.shift_remove(*first);
    }
    removed
}

/// Puts the value in its place. Where something that is no object is in the way, it stays: it came from Azure.
pub(super) fn insert(document: &mut Body, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        document.insert((*first).to_owned(), value);
        return;
    }
    let inner = document
        .entry((*first).to_owned())
        .or_insert_with(|| json!({}));
    if inner.is_null() {
        *inner = json!({});
    }
    if let Some(inner) = inner.as_object_mut() {
        insert(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::model::ItemKind;

    fn body(value: &Value) -> Body {
        value.as_object().expect("the tests write objects").clone()
    }

    #[test]
    fn what_is_modelled_is_taken_out_and_goes_back() {
        let original = body(&json!({
            "properties": {
                "frontendIPConfiguration": { "id": "/f" },
                "backendAddressPools": [{ "id": "/p" }],
                "protocol": "Tcp", "frontendPort": 80, "backendPort": 80, "enableFloatingIP": true,
                "novel": { "deep": 1 }
            }
        }));
        let mut rest = original.clone();
        let table = ItemKind::Rule.attributes();
        let attributes = take(&mut rest, table);
        assert_eq!(
            rest,
            body(&json!({ "properties": { "novel": { "deep": 1 } } }))
        );
        assert_eq!(attributes["frontend"], Attr::Text("/f".into()));
        write(&mut rest, table, &attributes);
        assert_eq!(Value::Object(rest), Value::Object(original));
    }

    #[test]
    fn an_unexpected_shape_stays_in_the_rest() {
        let mut odd = body(&json!({ "properties": { "frontendPort": "eighty", "protocol": 6 } }));
        let before = odd.clone();
        assert!(take(&mut odd, ItemKind::Rule.attributes()).is_empty());
        assert_eq!(odd, before);
    }

    #[test]
    fn a_reference_loses_what_azure_would_swallow() {
        let mut rule = body(&json!({ "properties": {
            "probe": { "id": "/probe", "name": "x", "properties": { "port": 1 } }
        } }));
        let attributes = take(&mut rule, ItemKind::Rule.attributes());
        assert_eq!(attributes["probe"], Attr::Text("/probe".into()));
        assert!(rule.is_empty());
    }
}
