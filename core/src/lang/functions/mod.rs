//! Terraform's functions, by family. Each is a row: its parameters, its type, and what it does with known arguments.
//!
//! What every function has in common (counting and converting arguments, nulls, unknowns, sensitivity) is the caller's
//! work, in `eval::calls`; a row only says where a function differs.

mod collection;
mod combine;
mod conversion;
mod csv;
mod date;
mod encoding;
mod filesystem;
mod format;
mod hash;
mod network;
mod numeric;
mod regex;
mod rsa;
mod sets;
mod string;
mod yaml;

use super::scope::Scope;
use super::types::Type;
use super::value::Value;

pub(crate) struct Function {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    /// What all further arguments are.
    pub variadic: Option<Parameter>,
    pub returns: Returns,
    pub run: fn(&Context<'_>, &[Value]) -> Result<Value, Failure>,
}

/// The type of the result while an argument is unknown.
pub(crate) enum Returns {
    Always(Accepts),
    Depends(fn(&[Value]) -> Result<Type, Failure>),
}

/// Why a function has no result.
pub(crate) enum Failure {
    /// This argument is to blame.
    Argument(usize, String),
    Call(String),
}

/// What a function may ask about beside its arguments.
pub(crate) struct Context<'a> {
    pub scope: &'a dyn Scope,
}

pub(crate) struct Parameter {
    pub name: &'static str,
    pub kind: Accepts,
    pub takes_null: bool,
    /// Whether the function looks at an unknown argument itself.
    pub takes_unknown: bool,
    /// Whether it has a type even if the argument has none.
    pub takes_untyped: bool,
    /// Whether it sees marks instead of passing them on to its result.
    pub takes_sensitive: bool,
}

/// A type that can stand in a constant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accepts {
    Any,
    Bool,
    Number,
    String,
    ListOfAny,
    ListOfBool,
    ListOfNumber,
    ListOfString,
    SetOfAny,
    MapOfListOfString,
}

impl Accepts {
    pub(crate) fn ty(self) -> Type {
        match self {
            Self::Any => Type::Any,
            Self::Bool => Type::Bool,
            Self::Number => Type::Number,
            Self::String => Type::String,
            Self::ListOfAny => Type::list(Type::Any),
            Self::ListOfBool => Type::list(Type::Bool),
            Self::ListOfNumber => Type::list(Type::Number),
            Self::ListOfString => Type::list(Type::String),
            Self::SetOfAny => Type::set(Type::Any),
            Self::MapOfListOfString => Type::map(Type::list(Type::String)),
        }
    }
}

impl Parameter {
    const fn new(name: &'static str, kind: Accepts) -> Self {
        Self {
            name,
            kind,
            takes_null: false,
            takes_unknown: false,
            takes_untyped: false,
            takes_sensitive: false,
        }
    }

    const fn or_null(mut self) -> Self {
        self.takes_null = true;
        self
    }

    /// Unknown arguments, with a type or without.
    const fn or_unknown(mut self) -> Self {
        self.takes_unknown = true;
        self.takes_untyped = true;
        self
    }

    /// Unknown arguments of a known type; without one the result has none either.
    const fn or_typed_unknown(mut self) -> Self {
        self.takes_unknown = true;
        self
    }

    const fn or_sensitive(mut self) -> Self {
        self.takes_sensitive = true;
        self
    }
}

const fn any(name: &'static str) -> Parameter {
    Parameter::new(name, Accepts::Any)
}

const fn string(name: &'static str) -> Parameter {
    Parameter::new(name, Accepts::String)
}

const fn number(name: &'static str) -> Parameter {
    Parameter::new(name, Accepts::Number)
}

/// The families, in the order of the documentation.
const FAMILIES: [&[Function]; 14] = [
    string::FUNCTIONS,
    format::FUNCTIONS,
    regex::FUNCTIONS,
    numeric::FUNCTIONS,
    collection::FUNCTIONS,
    combine::FUNCTIONS,
    sets::FUNCTIONS,
    encoding::FUNCTIONS,
    hash::FUNCTIONS,
    rsa::FUNCTIONS,
    date::FUNCTIONS,
    network::FUNCTIONS,
    filesystem::FUNCTIONS,
    conversion::FUNCTIONS,
];

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .find(|function| function.name == name)
}

/// The names of all functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    let special = ["can", "try"];
    FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .map(|function| function.name)
        .chain(special)
}
