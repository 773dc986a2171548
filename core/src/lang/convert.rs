//! Conversions between types, as Terraform makes them by itself.

use super::number::Number;
use super::types::{ObjectType, Presence, Type, unify};
use super::value::{Entries, Kind, Value};
use crate::model::diag::did_you_mean;
use std::sync::Arc;

/// Converts a value to a type; where the type leaves something open (`any`), the value decides.
///
/// The error is a sentence's part that names the place within the value: `attribute "port": a number is required`. About
/// a sensitive value it says no more than what is required.
pub fn convert(value: &Value, ty: &Type) -> Result<Value, String> {
    match convert_openly(value, ty) {
        Err(_) if value.is_sensitive() => Err(format!("{} required", ty.friendly())),
        result => result,
    }
}

fn convert_openly(value: &Value, ty: &Type) -> Result<Value, String> {
    let converted = match ty {
        Type::Any => return Ok(value.clone()),
        _ if value.is_null() => Value::null_of(ty.clone()),
        _ if !value.is_known() => {
            convertible(&value.ty(), ty)?;
            Value::unknown(ty.clone())
        }
        Type::Bool => to_bool(value)?,
        Type::Number => to_number(value)?,
        Type::String => to_string(value)?,
        Type::List(element) => sequence(value, element, "list")?,
        Type::Set(element) => sequence(value, element, "set")?,
        Type::Map(element) => to_map(value, element)?,
        Type::Tuple(elements) => to_tuple(value, elements)?,
        Type::Object(object) => to_object(value, object)?,
    };
    Ok(converted
        .marked_if(value.is_sensitive())
        .referring_as(value))
}

fn to_bool(value: &Value) -> Result<Value, String> {
    match value.kind() {
        Kind::Bool(_) => Ok(value.clone()),
        Kind::String(text) => match &**text {
            "true" | "1" => Ok(Value::from(true)),
            "false" | "0" => Ok(Value::from(false)),
            "True" | "TRUE" => {
                Err("a bool is required; to convert from string, use lowercase \"true\"".to_owned())
            }
            "False" | "FALSE" => Err(
                "a bool is required; to convert from string, use lowercase \"false\"".to_owned(),
            ),
            _ => Err("a bool is required".to_owned()),
        },
        _ => Err("bool required".to_owned()),
    }
}

fn to_number(value: &Value) -> Result<Value, String> {
    match value.kind() {
        Kind::Number(_) => Ok(value.clone()),
        Kind::String(text) => Number::parse(text)
            .map(Value::from)
            .ok_or_else(|| "a number is required".to_owned()),
        _ => Err("number required".to_owned()),
    }
}

fn to_string(value: &Value) -> Result<Value, String> {
    match value.kind() {
        Kind::String(_) => Ok(value.clone()),
        Kind::Number(number) => Ok(Value::string(number.to_string())),
        Kind::Bool(value) => Ok(Value::string(if *value { "true" } else { "false" })),
        _ => Err("string required".to_owned()),
    }
}

/// To a list or a set: of lists, sets and tuples whose elements can be converted.
fn sequence(value: &Value, element: &Type, name: &str) -> Result<Value, String> {
    let already = match value.kind() {
        Kind::List(inner, _) => name == "list" && inner == element,
        Kind::Set(inner, _) => name == "set" && inner == element,
        _ => false,
    };
    if already {
        return Ok(value.clone());
    }
    let Some(items) = value.items() else {
        return Err(format!("{name} of {} required", single(element)));
    };
    // An empty collection keeps the type that its elements would have had.
    if items.is_empty()
        && *element == Type::Any
        && let Kind::List(inner, _) | Kind::Set(inner, _) = value.kind()
    {
        return Ok(make_sequence(name, inner.clone(), Vec::new()));
    }
    let converted: Vec<Value> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            convert(item, element).map_err(|error| format!("element {index}: {error}"))
        })
        .collect::<Result<_, _>>()?;
    let (element, converted) = settle(converted, element, name, "elements")?;
    Ok(make_sequence(name, element, converted))
}

fn make_sequence(name: &str, element: Type, items: Vec<Value>) -> Value {
    if name == "set" {
        Value::set(element, items)
    } else {
        Value::list(element, items)
    }
}

fn to_map(value: &Value, element: &Type) -> Result<Value, String> {
    if matches!(value.kind(), Kind::Map(inner, _) if inner == element) {
        return Ok(value.clone());
    }
    let Some(entries) = value.entries() else {
        return Err(format!("map of {} required", single(element)));
    };
    if entries.is_empty()
        && *element == Type::Any
        && let Kind::Map(inner, _) = value.kind()
    {
        return Ok(Value::map(inner.clone(), Entries::new()));
    }
    let converted: Vec<Value> = entries
        .iter()
        .map(|(key, item)| {
            convert(item, element).map_err(|error| format!("element \"{key}\": {error}"))
        })
        .collect::<Result<_, _>>()?;
    let (element, converted) = settle(converted, element, "map", "elements")?;
    Ok(Value::map(
        element,
        entries.keys().cloned().zip(converted).collect(),
    ))
}

/// Brings the elements of a collection to one type where the wanted type leaves it open.
fn settle(
    items: Vec<Value>,
    element: &Type,
    name: &str,
    parts: &str,
) -> Result<(Type, Vec<Value>), String> {
    if !element.has_any() {
        // Presence is a matter of the constraint; the value's own type has every attribute.
        return Ok((plain(element), items));
    }
    let types: Vec<Type> = items.iter().map(Value::ty).collect();
    let unified =
        unify(&types).ok_or_else(|| format!("all {name} {parts} must have the same type"))?;
    let items = items
        .iter()
        .map(|item| convert(item, &unified))
        .collect::<Result<_, _>>()?;
    Ok((unified, items))
}

/// The type of values that were converted to this constraint.
fn plain(ty: &Type) -> Type {
    match ty {
        Type::Any | Type::Bool | Type::Number | Type::String => ty.clone(),
        Type::List(element) => Type::list(plain(element)),
        Type::Set(element) => Type::set(plain(element)),
        Type::Map(element) => Type::map(plain(element)),
        Type::Tuple(elements) => Type::tuple(elements.iter().map(plain).collect()),
        Type::Object(object) => Type::object(
            object
                .attributes
                .iter()
                .map(|(name, attribute)| (name.clone(), plain(&attribute.ty))),
        ),
    }
}

fn to_tuple(value: &Value, elements: &[Type]) -> Result<Value, String> {
    let Kind::Tuple(_) = value.kind() else {
        return Err("tuple required".to_owned());
    };
    let items = value.items().unwrap_or_default();
    if items.len() != elements.len() {
        return Err(format!(
            "tuple of {} elements required, not {}",
            elements.len(),
            items.len()
        ));
    }
    let pairs = items.iter().zip(elements).enumerate();
    let converted = pairs
        .map(|(index, (item, ty))| {
            convert(item, ty).map_err(|error| format!("element {index}: {error}"))
        })
        .collect::<Result<_, _>>()?;
    Ok(Value::tuple(converted))
}

fn to_object(value: &Value, object: &ObjectType) -> Result<Value, String> {
    let Some(entries) = value.entries() else {
        return Err("object required".to_owned());
    };
    let mut converted = Entries::new();
    let mut missing = Vec::new();
    for (name, attribute) in &object.attributes {
        let given = entries.get(name);
        let result = match (&attribute.presence, given) {
            (Presence::Default(default), None) => default.clone(),
            (Presence::Default(default), Some(given)) if given.is_null() => default.clone(),
            (Presence::Optional, None) => Value::null_of(plain(&attribute.ty)),
            (Presence::Required, None) => {
                missing.push(&**name);
                continue;
            }
            (_, Some(given)) => convert(given, &attribute.ty)
                .map_err(|error| format!("attribute \"{name}\": {error}"))?,
        };
        converted.insert(name.clone(), result);
    }
    match missing.as_slice() {
        [] => Ok(Value::object(converted)),
        [one] => {
            // What was written instead is the likeliest way to forget an attribute.
            let extra = entries
                .keys()
                .filter(|key| !object.attributes.contains_key(*key));
            let hint = did_you_mean(one, extra.map(|key| &**key))
                .map(|near| format!("; \"{near}\" is not one of its attributes"))
                .unwrap_or_default();
            Err(format!("attribute \"{one}\" is required{hint}"))
        }
        several => Err(format!(
            "attributes {} are required",
            several
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

fn single(element: &Type) -> String {
    if *element == Type::Any {
        "any single type".to_owned()
    } else {
        element.friendly()
    }
}

/// Whether a value of one type, not known yet, may turn out to fit another.
fn convertible(from: &Type, to: &Type) -> Result<(), String> {
    let required = || Err(format!("{} required", to.friendly()));
    match (from, to) {
        (Type::Any, _)
        | (_, Type::Any)
        | (Type::String, Type::Bool | Type::Number | Type::String)
        | (Type::Bool, Type::Bool | Type::String)
        | (Type::Number, Type::Number | Type::String) => Ok(()),
        (Type::List(from) | Type::Set(from), Type::List(to) | Type::Set(to))
        | (Type::Map(from), Type::Map(to)) => convertible(from, to),
        (Type::Tuple(from), Type::List(to) | Type::Set(to)) => {
            from.iter().try_for_each(|from| convertible(from, to))
        }
        (Type::Tuple(from), Type::Tuple(to)) if from.len() == to.len() => from
            .iter()
            .zip(to.iter())
            .try_for_each(|(from, to)| convertible(from, to)),
        (Type::Object(from), Type::Map(to)) => from
            .attributes
            .values()
            .try_for_each(|attribute| convertible(&attribute.ty, to)),
        (Type::Map(from), Type::Object(to)) => to
            .attributes
            .values()
            .try_for_each(|attribute| convertible(from, &attribute.ty)),
        (Type::Object(from), Type::Object(to)) => {
            to.attributes.iter().try_for_each(|(name, wanted)| {
                match (from.attributes.get(name), &wanted.presence) {
                    (Some(given), _) => convertible(&given.ty, &wanted.ty),
                    (None, Presence::Required) => Err(format!("attribute \"{name}\" is required")),
                    (None, Presence::Optional | Presence::Default(_)) => Ok(()),
                }
            })
        }
        _ => required(),
    }
}

/// Object attributes or map elements under a name each; for building values by hand.
pub fn entries<const N: usize>(pairs: [(&str, Value); N]) -> Entries {
    pairs
        .into_iter()
        .map(|(name, value)| (Arc::from(name), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::types::AttributeType;

    #[test]
    fn optional_attributes_take_their_defaults_when_missing_or_null() {
        let attribute = |ty, presence| AttributeType { ty, presence };
        let attributes = [
            ("name", attribute(Type::String, Presence::Required)),
            (
                "port",
                attribute(Type::Number, Presence::Default(Value::from(80))),
            ),
            ("probe", attribute(Type::String, Presence::Optional)),
        ];
        let attributes = attributes
            .into_iter()
            .map(|(name, ty)| (Arc::from(name), ty))
            .collect();
        let ty = Type::Object(Arc::new(ObjectType { attributes }));

        let given = Value::object(entries([
            ("name", Value::from(1)),
            ("port", Value::null()),
            ("extra", true.into()),
        ]));
        let wanted = entries([
            ("name", "1".into()),
            ("port", 80.into()),
            ("probe", Value::null_of(Type::String)),
        ]);
        assert_eq!(convert(&given, &ty), Ok(Value::object(wanted)));

        let wrong = Value::object(entries([("nmae", "x".into())]));
        assert_eq!(
            convert(&wrong, &ty),
            Err("attribute \"name\" is required; \"nmae\" is not one of its attributes".to_owned())
        );
    }

    #[test]
    fn marks_and_references_survive() {
        let value =
            Value::object(entries([("a", Value::from(1))])).with_reference("frontend.green".into());
        let list = convert(
            &Value::tuple(vec![value.sensitive()]),
            &Type::list(Type::map(Type::String)),
        )
        .unwrap();
        let item = &list.items().unwrap()[0];
        assert_eq!(item.reference(), Some("frontend.green"));
        assert!(item.is_sensitive());
    }

    #[test]
    fn errors_name_the_place() {
        let value = Value::tuple(vec![Value::from(1), Value::from("x")]);
        assert_eq!(
            convert(&value, &Type::list(Type::Number)),
            Err("element 1: a number is required".to_owned())
        );
        assert_eq!(
            convert(&Value::from(true), &Type::Number),
            Err("number required".to_owned())
        );
    }
}
