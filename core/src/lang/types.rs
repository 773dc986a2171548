//! The types of values: Terraform's, and how several of them become one.

use super::value::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Not known, or not constrained.
    Any,
    Bool,
    Number,
    String,
    List(Arc<Type>),
    Set(Arc<Type>),
    Map(Arc<Type>),
    Tuple(Arc<[Type]>),
    Object(Arc<ObjectType>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectType {
    pub attributes: BTreeMap<Arc<str>, AttributeType>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeType {
    pub ty: Type,
    pub presence: Presence,
}

/// Whether a value must have the attribute; only type constraints know optional ones, values have what they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    Required,
    /// Missing or null becomes null.
    Optional,
    /// Missing or null becomes this, which has the attribute's type already.
    Default(Value),
}

impl Type {
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    pub fn set(element: Self) -> Self {
        Self::Set(Arc::new(element))
    }

    pub fn map(element: Self) -> Self {
        Self::Map(Arc::new(element))
    }

    pub fn tuple(elements: Vec<Self>) -> Self {
        Self::Tuple(elements.into())
    }

    /// An object that must have all of these attributes.
    pub fn object(attributes: impl IntoIterator<Item = (Arc<str>, Self)>) -> Self {
        let attributes = attributes
            .into_iter()
            .map(|(name, ty)| {
                (
                    name,
                    AttributeType {
                        ty,
                        presence: Presence::Required,
                    },
                )
            })
            .collect();
        Self::Object(Arc::new(ObjectType { attributes }))
    }

    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::String)
    }

    /// Whether some part of it is not constrained.
    pub fn has_any(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_any(),
            Self::Tuple(elements) => elements.iter().any(Self::has_any),
            Self::Object(object) => object
                .attributes
                .values()
                .any(|attribute| attribute.ty.has_any()),
        }
    }

    /// How a sentence names it: `list of string`, `object`.
    pub fn friendly(&self) -> String {
        match self {
            Self::Any => "dynamic".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Number => "number".to_owned(),
            Self::String => "string".to_owned(),
            Self::List(element) => format!("list of {}", element.friendly()),
            Self::Set(element) => format!("set of {}", element.friendly()),
            Self::Map(element) => format!("map of {}", element.friendly()),
            Self::Tuple(_) => "tuple".to_owned(),
            Self::Object(_) => "object".to_owned(),
        }
    }

    /// Writes it as Terraform's `type()` does: structural types one part a line.
    fn write(&self, out: &mut String, depth: usize) {
        let element = |out: &mut String, name: &str, element: &Self| {
            out.push_str(name);
            out.push('(');
            if matches!(element, Self::Tuple(_) | Self::Object(_)) {
                new_line(out, depth + 1);
                element.write(out, depth + 1);
                out.push(',');
                new_line(out, depth);
            } else {
                element.write(out, depth);
            }
            out.push(')');
        };
        match self {
            Self::Any => out.push_str("dynamic"),
            Self::Bool => out.push_str("bool"),
            Self::Number => out.push_str("number"),
            Self::String => out.push_str("string"),
            Self::List(inner) => element(out, "list", inner),
            Self::Set(inner) => element(out, "set", inner),
            Self::Map(inner) => element(out, "map", inner),
            Self::Tuple(elements) if elements.is_empty() => out.push_str("tuple([])"),
            Self::Tuple(elements) => {
                out.push_str("tuple([");
                for inner in elements.iter() {
                    new_line(out, depth + 1);
                    inner.write(out, depth + 1);
                    out.push(',');
                }
                new_line(out, depth);
                out.push_str("])");
            }
            Self::Object(object) if object.attributes.is_empty() => out.push_str("object({})"),
            Self::Object(object) => {
                out.push_str("object({");
                for (name, attribute) in &object.attributes {
                    new_line(out, depth + 1);
                    let _ = write!(out, "{name}: ");
                    attribute.ty.write(out, depth + 1);
                    out.push(',');
                }
                new_line(out, depth);
                out.push_str("})");
            }
        }
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"    ".repeat(depth));
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out, 0);
        f.write_str(&out)
    }
}

/// The one type that values of all these types can be converted to, if there is one.
///
/// `Any` adapts to its neighbours, as the type of `null` and of what is not known yet.
pub fn unify(types: &[Type]) -> Option<Type> {
    let concrete: Vec<&Type> = types.iter().filter(|ty| **ty != Type::Any).collect();
    let Some((first, rest)) = concrete.split_first() else {
        return Some(Type::Any);
    };
    if rest.iter().all(|ty| ty == first) {
        return Some((*first).clone());
    }
    unify_objects(&concrete)
        .or_else(|| unify_tuples(&concrete))
        .or_else(|| unify_collections(&concrete))
        .unwrap_or_else(|| unify_by_preference(&concrete))
}

/// Objects of the same attributes become an object, others a map; `None` if not all are objects or maps.
fn unify_objects(types: &[&Type]) -> Option<Option<Type>> {
    let mut elements = Vec::new();
    let mut objects = Vec::new();
    for ty in types {
        match ty {
            Type::Object(object) => {
                objects.push(object);
                elements.extend(
                    object
                        .attributes
                        .values()
                        .map(|attribute| attribute.ty.clone()),
                );
            }
            Type::Map(element) => elements.push((**element).clone()),
            _ => return None,
        }
    }
    let same_names = objects.len() == types.len()
        && objects
            .windows(2)
            .all(|pair| pair[0].attributes.keys().eq(pair[1].attributes.keys()));
    if !same_names {
        return Some(unify(&elements).map(Type::map));
    }
    let attributes = objects[0].attributes.keys().map(|name| {
        let candidates: Vec<Type> = objects
            .iter()
            .map(|object| object.attributes[name].ty.clone())
            .collect();
        Some((name.clone(), unify(&candidates)?))
    });
    Some(attributes.collect::<Option<Vec<_>>>().map(Type::object))
}

/// Tuples of the same length become a tuple, others a list; `None` if not all are tuples or lists.
fn unify_tuples(types: &[&Type]) -> Option<Option<Type>> {
    let mut elements = Vec::new();
    let mut tuples = Vec::new();
    for ty in types {
        match ty {
            Type::Tuple(tuple) => {
                tuples.push(tuple);
                elements.extend(tuple.iter().cloned());
            }
            Type::List(element) => elements.push((**element).clone()),
            _ => return None,
        }
    }
    let same_length =
        tuples.len() == types.len() && tuples.windows(2).all(|pair| pair[0].len() == pair[1].len());
    if !same_length {
        return Some(unify(&elements).map(Type::list));
    }
    let parts = (0..tuples[0].len()).map(|index| {
        let candidates: Vec<Type> = tuples.iter().map(|tuple| tuple[index].clone()).collect();
        unify(&candidates)
    });
    Some(parts.collect::<Option<Vec<_>>>().map(Type::tuple))
}

/// Sets stay sets among themselves, and become lists beside lists and tuples.
fn unify_collections(types: &[&Type]) -> Option<Option<Type>> {
    let mut elements = Vec::new();
    let mut only_sets = true;
    for ty in types {
        match ty {
            Type::Set(element) => elements.push((**element).clone()),
            Type::List(element) => {
                only_sets = false;
                elements.push((**element).clone());
            }
            Type::Tuple(tuple) => {
                only_sets = false;
                elements.extend(tuple.iter().cloned());
            }
            _ => return None,
        }
    }
    let make = if only_sets { Type::set } else { Type::list };
    Some(unify(&elements).map(make))
}

/// Primitives: everything fits a string, and nothing else fits anything else without looking at the values.
fn unify_by_preference(types: &[&Type]) -> Option<Type> {
    let primitive = types.iter().all(|ty| ty.is_primitive());
    let has_string = types.iter().any(|ty| **ty == Type::String);
    (primitive && has_string).then_some(Type::String)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unifies_as_terraform_does() {
        let object = |name: &str, ty| Type::object([(Arc::from(name), ty)]);
        assert_eq!(unify(&[Type::Number, Type::String]), Some(Type::String));
        assert_eq!(unify(&[Type::Number, Type::Bool]), None);
        assert_eq!(unify(&[Type::Any, Type::Bool]), Some(Type::Bool));
        assert_eq!(
            unify(&[object("a", Type::Number), object("b", Type::Number)]),
            Some(Type::map(Type::Number))
        );
        assert_eq!(
            unify(&[object("a", Type::Number), object("a", Type::String)]),
            Some(object("a", Type::String))
        );
        let tuple = |types: &[Type]| Type::tuple(types.to_vec());
        assert_eq!(
            unify(&[tuple(&[Type::Bool]), tuple(&[])]),
            Some(Type::list(Type::Bool))
        );
        assert_eq!(unify(&[tuple(&[Type::Bool]), Type::String]), None);
    }
}
