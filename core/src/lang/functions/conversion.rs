//! Conversion and marking: `tostring`, `tolist`, `sensitive`, `type` and their like.

use super::{Accepts, Context, Failure, Function, Parameter, Returns, any};
use crate::lang::convert::convert;
use crate::lang::types::Type;
use crate::lang::value::Value;

/// What is converted; null stays null, and what is unknown stays unknown.
const CONVERTED: [Parameter; 1] = [any("v").or_null().or_unknown().or_sensitive()];

pub(super) const FUNCTIONS: &[Function] = &[
    conversion("tobool", |_, arguments| to(&arguments[0], &Type::Bool)),
    conversion("tolist", |_, arguments| {
        to(&arguments[0], &Type::list(Type::Any))
    }),
    conversion("tomap", |_, arguments| {
        to(&arguments[0], &Type::map(Type::Any))
    }),
    conversion("tonumber", |_, arguments| to(&arguments[0], &Type::Number)),
    conversion("toset", |_, arguments| {
        to(&arguments[0], &Type::set(Type::Any))
    }),
    conversion("tostring", |_, arguments| to(&arguments[0], &Type::String)),
    conversion("sensitive", |_, arguments| {
        Ok(arguments[0].clone().sensitive())
    }),
    // Nothing is ephemeral here, so nothing becomes null.
    conversion("ephemeralasnull", |_, arguments| Ok(arguments[0].clone())),
    conversion("nonsensitive", |_, arguments| {
        Ok(arguments[0].unmarked_shallow())
    }),
    Function {
        name: "issensitive",
        parameters: &[any("value").or_null().or_unknown().or_sensitive()],
        variadic: None,
        returns: Returns::Always(Accepts::Bool),
        run: is_sensitive,
    },
    Function {
        name: "type",
        parameters: &[any("value").or_null().or_unknown()],
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run: |_, arguments| Ok(Value::string(arguments[0].ty().to_string())),
    },
];

const fn conversion(
    name: &'static str,
    run: fn(&Context<'_>, &[Value]) -> Result<Value, Failure>,
) -> Function {
    Function {
        name,
        parameters: &CONVERTED,
        variadic: None,
        returns: Returns::Always(Accepts::Any),
        run,
    }
}

fn to(value: &Value, ty: &Type) -> Result<Value, Failure> {
    convert(value, ty).map_err(|error| {
        let wanted = match ty {
            Type::List(_) => "list".to_owned(),
            Type::Set(_) => "set".to_owned(),
            Type::Map(_) => "map".to_owned(),
            other => other.friendly(),
        };
        let given = match value.as_str() {
            Some(_) if value.is_sensitive() => "this string".to_owned(),
            Some(text) => crate::lang::quoted(text),
            None => value.ty().friendly(),
        };
        Failure::Argument(0, format!("cannot convert {given} to {wanted}: {error}"))
    })
}

/// A value that is unknown may still turn out to be sensitive or not.
fn is_sensitive(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let value = &arguments[0];
    if value.is_sensitive() {
        Ok(Value::from(true))
    } else if value.is_known() {
        Ok(Value::from(false))
    } else {
        Ok(Value::unknown(Type::Bool))
    }
}
