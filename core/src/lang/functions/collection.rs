//! Lists, maps and objects: looking into them and taking them apart. What makes new ones of several is in `combine`.

use super::string::whole;
use super::{Accepts, Context, Failure, Function, Parameter, Returns, any, string};
use crate::lang::number::Number;
use crate::lang::types::{Type, unify};
use crate::lang::value::{Kind, Value};
use unicode_segmentation::UnicodeSegmentation;

type Run = fn(&Context<'_>, &[Value]) -> Result<Value, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    all_of("alltrue", |_, arguments| truth(&arguments[0], true)),
    all_of("anytrue", |_, arguments| truth(&arguments[0], false)),
    Function {
        name: "contains",
        parameters: &[any("list"), any("value")],
        variadic: None,
        returns: Returns::Always(Accepts::Bool),
        run: contains,
    },
    Function {
        name: "element",
        parameters: &[
            any("list").or_sensitive(),
            Parameter::new("index", Accepts::Number).or_sensitive(),
        ],
        variadic: None,
        returns: Returns::Depends(|arguments| Ok(element_type(&arguments[0]))),
        run: element,
    },
    Function {
        name: "index",
        parameters: &[any("list"), any("value")],
        variadic: None,
        returns: Returns::Always(Accepts::Number),
        run: index,
    },
    Function {
        name: "keys",
        parameters: &[any("inputMap").or_sensitive()],
        variadic: None,
        returns: Returns::Depends(|arguments| Ok(keys_type(&arguments[0].ty()))),
        run: keys,
    },
    Function {
        name: "length",
        parameters: &[any("value").or_unknown().or_sensitive()],
        variadic: None,
        returns: Returns::Always(Accepts::Number),
        run: length,
    },
    Function {
        name: "lookup",
        parameters: &[any("inputMap").or_sensitive(), string("key").or_sensitive()],
        variadic: Some(any("default").or_null().or_unknown().or_sensitive()),
        returns: Returns::Depends(|arguments| Ok(element_type(&arguments[0]))),
        run: lookup,
    },
    Function {
        name: "one",
        parameters: &[any("list")],
        variadic: None,
        returns: Returns::Depends(|arguments| Ok(element_type(&arguments[0]))),
        run: one,
    },
    Function {
        name: "sum",
        parameters: &[any("list")],
        variadic: None,
        returns: Returns::Always(Accepts::Number),
        run: sum,
    },
    Function {
        name: "values",
        parameters: &[any("mapping").or_sensitive()],
        variadic: None,
        returns: Returns::Depends(|arguments| Ok(Type::list(element_type(&arguments[0])))),
        run: values,
    },
];

const BOOLS: [Parameter; 1] = [Parameter::new("list", Accepts::ListOfBool)];

const fn all_of(name: &'static str, run: Run) -> Function {
    Function {
        name,
        parameters: &BOOLS,
        variadic: None,
        returns: Returns::Always(Accepts::Bool),
        run,
    }
}

/// The elements of a list, a set or a tuple, or whose fault it is that there are none.
pub(super) fn items(arguments: &[Value], index: usize) -> Result<&[Value], Failure> {
    arguments[index].items().ok_or_else(|| {
        let given = arguments[index].ty().friendly();
        Failure::Argument(
            index,
            format!("a list, a set or a tuple is required, and this is a value of type {given}"),
        )
    })
}

/// Whether any argument as a whole must not be shown; for functions that leave the marks of parts where they are.
pub(super) fn marked(arguments: &[Value]) -> bool {
    arguments.iter().any(Value::is_sensitive)
}

/// The type of the elements as far as it is one.
pub(super) fn element_type(collection: &Value) -> Type {
    match collection.kind() {
        Kind::List(element, _) | Kind::Set(element, _) | Kind::Map(element, _) => element.clone(),
        Kind::Unknown(Type::List(element) | Type::Set(element) | Type::Map(element)) => {
            (**element).clone()
        }
        _ => Type::Any,
    }
}

/// `all` decides which answer one element can give alone.
fn truth(list: &Value, all: bool) -> Result<Value, Failure> {
    let mut unknown = false;
    for item in list.items().unwrap_or_default() {
        match item.as_bool() {
            // Null counts as false.
            None if item.is_null() && all => return Ok(Value::from(false)),
            None if item.is_null() => {}
            None => unknown = true,
            Some(truth) if truth != all => return Ok(Value::from(truth)),
            Some(_) => {}
        }
    }
    Ok(if unknown {
        Value::unknown(Type::Bool)
    } else {
        Value::from(all)
    })
}

fn contains(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let mut unknown = false;
    for item in items(arguments, 0)? {
        match item.equals(&arguments[1]) {
            Some(true) => return Ok(Value::from(true)),
            Some(false) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown {
        Value::unknown(Type::Bool)
    } else {
        Value::from(false)
    })
}

/// The index wraps around at both ends.
fn element(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if let Kind::Set(..) = arguments[0].kind() {
        return Err(Failure::Argument(
            0,
            "the elements of a set have no order".to_owned(),
        ));
    }
    let items = items(arguments, 0)?;
    let index = whole(arguments, 1)?;
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Err(Failure::Argument(
            0,
            "cannot use element function with an empty list".to_owned(),
        ));
    }
    let at = usize::try_from(index.rem_euclid(count)).unwrap_or(0);
    Ok(items[at].clone().marked_if(marked(arguments)))
}

fn index(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    for (position, item) in items(arguments, 0)?.iter().enumerate() {
        match item.equals(&arguments[1]) {
            Some(true) => return Ok(Value::from(Number::count(position))),
            Some(false) => {}
            None => return Ok(Value::unknown(Type::Number)),
        }
    }
    Err(Failure::Call("item not found".to_owned()))
}

fn keys_type(mapping: &Type) -> Type {
    match mapping {
        Type::Object(object) => Type::tuple(vec![Type::String; object.attributes.len()]),
        _ => Type::list(Type::String),
    }
}

fn keys(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let entries = arguments[0]
        .entries()
        .ok_or_else(|| no_map(&arguments[0]))?;
    let keys = entries.keys().map(Value::string).collect();
    let keys = match arguments[0].kind() {
        Kind::Map(..) => Value::list(Type::String, keys),
        _ => Value::tuple(keys),
    };
    Ok(keys.marked_if(marked(arguments)))
}

fn values(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let entries = arguments[0]
        .entries()
        .ok_or_else(|| no_map(&arguments[0]))?;
    let values = entries.values().cloned().collect();
    let values = match arguments[0].kind() {
        Kind::Map(element, _) => Value::list(element.clone(), values),
        _ => Value::tuple(values),
    };
    Ok(values.marked_if(marked(arguments)))
}

fn no_map(value: &Value) -> Failure {
    Failure::Argument(
        0,
        format!(
            "a map or an object is required, and this is a value of type {}",
            value.ty().friendly()
        ),
    )
}

fn length(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let value = &arguments[0];
    let count = match value.kind() {
        Kind::String(text) => text.graphemes(true).count(),
        // Some of its unknown elements may turn out to be the same.
        Kind::Set(_, _) if !value.is_wholly_known() => return Ok(Value::unknown(Type::Number)),
        Kind::Unknown(Type::Tuple(types)) => types.len(),
        Kind::Unknown(Type::Object(object)) => object.attributes.len(),
        Kind::Unknown(Type::Bool | Type::Number)
        | Kind::Null(_)
        | Kind::Bool(_)
        | Kind::Number(_) => {
            return Err(Failure::Argument(
                0,
                "argument must be a string, a collection type, or a structural type".to_owned(),
            ));
        }
        Kind::Unknown(_) => return Ok(Value::unknown(Type::Number).marked_if(marked(arguments))),
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => value.items().map_or(0, <[Value]>::len),
        Kind::Map(..) | Kind::Object(_) => {
            value.entries().map_or(0, std::collections::BTreeMap::len)
        }
    };
    Ok(Value::from(Number::count(count)).marked_if(marked(arguments)))
}

fn lookup(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if arguments.len() > 3 {
        return Err(Failure::Call(format!(
            "it takes two or three arguments, got {}",
            arguments.len()
        )));
    }
    let (mapping, key) = (&arguments[0], super::string::text(&arguments[1]));
    let entries = mapping.entries().ok_or_else(|| no_map(mapping))?;
    let sensitive = mapping.is_sensitive() || arguments[1].is_sensitive();
    let found = match (entries.get(key), arguments.get(2), mapping.kind()) {
        (Some(found), ..) => found.clone(),
        (None, Some(default), Kind::Map(element, _)) => crate::lang::convert(default, element)
            .map_err(|_| {
                Failure::Argument(
                    2,
                    "the default value must have the same type as the map elements".to_owned(),
                )
            })?,
        (None, Some(default), _) => default.clone(),
        (None, None, Kind::Map(..)) => {
            return Err(Failure::Call(format!(
                "the given key {} does not identify an element in this map",
                crate::lang::quoted(key)
            )));
        }
        (None, None, _) => {
            return Err(Failure::Argument(
                0,
                format!(
                    "the given object has no attribute {}",
                    crate::lang::quoted(key)
                ),
            ));
        }
    };
    Ok(found.marked_if(sensitive))
}

fn one(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    match items(arguments, 0)? {
        [] => Ok(Value::null_of(element_type(&arguments[0]))),
        [only] => Ok(only.clone()),
        several => Err(Failure::Argument(
            0,
            format!(
                "must be a list, set, or tuple value with either zero or one elements, and this has {}",
                several.len()
            ),
        )),
    }
}

fn sum(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let items = items(arguments, 0)?;
    if items.is_empty() {
        return Err(Failure::Argument(0, "cannot sum an empty list".to_owned()));
    }
    let types: Vec<Type> = items.iter().map(Value::ty).collect();
    if unify(&types).is_none() {
        return Err(Failure::Argument(
            0,
            "argument must be list, set, or tuple of number values".to_owned(),
        ));
    }
    let mut total = Number::ZERO;
    let mut unknown = false;
    for (index, item) in items.iter().enumerate() {
        let number = crate::lang::convert(item, &Type::Number)
            .map_err(|error| Failure::Argument(0, format!("element {index}: {error}")))?;
        match number.as_number() {
            Some(number) => {
                total = total
                    .add(number)
                    .map_err(|error| Failure::Call(error.to_string()))?;
            }
            None if number.is_null() => {
                return Err(Failure::Argument(0, format!("element {index} is null")));
            }
            None => unknown = true,
        }
    }
    Ok(if unknown {
        Value::unknown(Type::Number)
    } else {
        total.into()
    })
}
