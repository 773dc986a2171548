//! Lists, maps and objects: making new ones of those given.

use super::collection::{element_type, items, marked};
use super::string::{text, whole};
use super::{Accepts, Context, Failure, Function, Parameter, Returns, any, number};
use crate::lang::convert::convert;
use crate::lang::number::Number;
use crate::lang::types::{Type, unify};
use crate::lang::value::{Entries, Kind, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// As long as Terraform lets `range` become.
const LONGEST_RANGE: usize = 1024;

const LIST: Parameter = Parameter::new("list", Accepts::ListOfAny);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "chunklist",
        parameters: &[LIST.or_sensitive(), number("size").or_sensitive()],
        variadic: None,
        returns: Returns::Depends(|arguments| Ok(Type::list(arguments[0].ty()))),
        run: chunks,
    },
    Function {
        name: "coalesce",
        parameters: &[],
        variadic: Some(any("vals").or_null().or_unknown()),
        returns: Returns::Depends(common_type),
        run: coalesce,
    },
    Function {
        name: "coalescelist",
        parameters: &[],
        variadic: Some(any("vals").or_null().or_unknown()),
        returns: Returns::Always(Accepts::Any),
        run: coalesce_list,
    },
    Function {
        name: "compact",
        parameters: &[Parameter::new("list", Accepts::ListOfString)],
        variadic: None,
        returns: Returns::Always(Accepts::ListOfString),
        run: compact,
    },
    Function {
        name: "concat",
        parameters: &[],
        variadic: Some(any("seqs").or_sensitive()),
        returns: Returns::Always(Accepts::Any),
        run: concat,
    },
    Function {
        name: "distinct",
        parameters: &[LIST],
        variadic: None,
        returns: same_type(),
        run: distinct,
    },
    Function {
        name: "flatten",
        parameters: &[any("list").or_sensitive()],
        variadic: None,
        returns: Returns::Always(Accepts::Any),
        run: flatten,
    },
    Function {
        name: "matchkeys",
        parameters: &[
            Parameter::new("values", Accepts::ListOfAny),
            Parameter::new("keys", Accepts::ListOfAny),
            Parameter::new("searchset", Accepts::ListOfAny),
        ],
        variadic: None,
        returns: same_type(),
        run: match_keys,
    },
    Function {
        name: "merge",
        parameters: &[],
        variadic: Some(any("maps").or_null().or_unknown().or_sensitive()),
        returns: Returns::Always(Accepts::Any),
        run: merge,
    },
    Function {
        name: "range",
        parameters: &[],
        variadic: Some(number("params")),
        returns: Returns::Always(Accepts::ListOfNumber),
        run: range,
    },
    Function {
        name: "reverse",
        parameters: &[any("list").or_sensitive()],
        variadic: None,
        returns: same_type(),
        run: |_, arguments| {
            let items = items(arguments, 0)?.iter().rev().cloned().collect();
            Ok(like(&arguments[0], items).marked_if(marked(arguments)))
        },
    },
    Function {
        name: "slice",
        parameters: &[
            any("list").or_sensitive(),
            number("start_index"),
            number("end_index"),
        ],
        variadic: None,
        returns: Returns::Depends(|arguments| match arguments[0].ty() {
            list @ Type::List(_) => Ok(list),
            _ => Ok(Type::Any),
        }),
        run: slice,
    },
    Function {
        name: "sort",
        parameters: &[Parameter::new("list", Accepts::ListOfString)],
        variadic: None,
        returns: Returns::Always(Accepts::ListOfString),
        run: sort,
    },
    Function {
        name: "transpose",
        parameters: &[Parameter::new("values", Accepts::MapOfListOfString)],
        variadic: None,
        returns: Returns::Always(Accepts::MapOfListOfString),
        run: transpose,
    },
    Function {
        name: "zipmap",
        parameters: &[
            Parameter::new("keys", Accepts::ListOfString).or_sensitive(),
            any("values").or_sensitive(),
        ],
        variadic: None,
        returns: Returns::Depends(|arguments| match arguments[1].ty() {
            Type::List(element) => Ok(Type::Map(element)),
            _ => Ok(Type::Any),
        }),
        run: zip_map,
    },
];

const fn same_type() -> Returns {
    Returns::Depends(|arguments| Ok(arguments[0].ty()))
}

/// A sequence of the same sort: a tuple of a tuple, a list of the rest.
fn like(origin: &Value, items: Vec<Value>) -> Value {
    match origin.kind() {
        Kind::Tuple(_) => Value::tuple(items),
        _ => Value::list(element_type(origin), items),
    }
}

fn common_type(arguments: &[Value]) -> Result<Type, Failure> {
    let types: Vec<Type> = arguments.iter().map(Value::ty).collect();
    unify(&types).ok_or_else(|| Failure::Call("all arguments must have the same type".to_owned()))
}

fn chunks(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let size = whole(arguments, 1)?;
    let size = usize::try_from(size)
        .map_err(|_| Failure::Argument(1, "the size must not be negative".to_owned()))?;
    let items = items(arguments, 0)?;
    let element = element_type(&arguments[0]);
    // A size of zero means no limit.
    let chunks = items.chunks(if size == 0 { items.len().max(1) } else { size });
    let lists = chunks
        .map(|chunk| Value::list(element.clone(), chunk.to_vec()))
        .collect();
    Ok(Value::list(Type::list(element), lists).marked_if(marked(arguments)))
}

fn coalesce(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if arguments.is_empty() {
        return Err(Failure::Call(
            "at least one argument is required".to_owned(),
        ));
    }
    let ty = common_type(arguments)?;
    for (index, argument) in arguments.iter().enumerate() {
        let argument = convert(argument, &ty).map_err(|error| Failure::Argument(index, error))?;
        if !argument.is_known() {
            return Ok(Value::unknown(ty));
        }
        if !argument.is_null() && argument.as_str() != Some("") {
            return Ok(argument);
        }
    }
    Err(Failure::Call(
        "no non-null, non-empty-string arguments".to_owned(),
    ))
}

fn coalesce_list(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if arguments.is_empty() {
        return Err(Failure::Call(
            "at least one argument is required".to_owned(),
        ));
    }
    for (index, argument) in arguments.iter().enumerate() {
        if !argument.is_known() {
            return Ok(Value::unknown(Type::Any));
        }
        if !argument.is_null() && !items(arguments, index)?.is_empty() {
            return Ok(argument.clone());
        }
    }
    Err(Failure::Call("no non-null arguments".to_owned()))
}

fn compact(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if !arguments[0].is_wholly_known() {
        return Ok(Value::unknown(Type::list(Type::String)));
    }
    let kept = items(arguments, 0)?
        .iter()
        .filter(|item| item.as_str().is_some_and(|text| !text.is_empty()));
    Ok(Value::list(Type::String, kept.cloned().collect()))
}

/// Lists of one type make a list, anything else a tuple.
fn concat(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if arguments.is_empty() {
        return Err(Failure::Call(
            "at least one argument is required".to_owned(),
        ));
    }
    let mut all = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        if let Kind::Set(..) = argument.kind() {
            return Err(Failure::Argument(
                index,
                "all arguments must be lists or tuples; got set".to_owned(),
            ));
        }
        let sensitive = argument.is_sensitive();
        all.extend(
            items(arguments, index)?
                .iter()
                .map(|item| item.clone().marked_if(sensitive)),
        );
    }
    let lists = arguments
        .iter()
        .all(|argument| matches!(argument.kind(), Kind::List(..)));
    let elements: Vec<Type> = arguments.iter().map(element_type).collect();
    match unify(&elements).filter(|_| lists) {
        Some(element) => {
            let items = all
                .iter()
                .map(|item| convert(item, &element))
                .collect::<Result<_, _>>();
            Ok(items.map_or_else(|_| Value::tuple(all), |items| Value::list(element, items)))
        }
        None => Ok(Value::tuple(all)),
    }
}

fn distinct(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if !arguments[0].is_wholly_known() {
        return Ok(Value::unknown(arguments[0].ty()));
    }
    let mut kept: Vec<Value> = Vec::new();
    // Texts are by far the commonest, and looking each up in a list would be quadratic.
    let mut texts = BTreeSet::new();
    for item in items(arguments, 0)? {
        let new = match item.as_str() {
            Some(text) => texts.insert(text),
            None => !kept.contains(item),
        };
        if new {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(element_type(&arguments[0]), kept))
}

fn flatten(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let mut flat = Vec::new();
    let known = flatten_into(items(arguments, 0)?, marked(arguments), &mut flat);
    Ok(if known {
        Value::tuple(flat)
    } else {
        Value::unknown(Type::Any).marked_if(marked(arguments))
    })
}

/// Whether it is known how many elements there are.
fn flatten_into(items: &[Value], sensitive: bool, out: &mut Vec<Value>) -> bool {
    items.iter().all(|item| {
        let sensitive = sensitive || item.is_sensitive();
        match (item.kind(), item.items()) {
            (_, Some(inner)) => flatten_into(inner, sensitive, out),
            (Kind::Unknown(Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)), _) => false,
            _ => {
                out.push(item.clone().marked_if(sensitive));
                true
            }
        }
    })
}

fn match_keys(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (values, keys, wanted) = (
        items(arguments, 0)?,
        items(arguments, 1)?,
        items(arguments, 2)?,
    );
    if values.len() != keys.len() {
        return Err(Failure::Call(
            "length of keys and values should be equal".to_owned(),
        ));
    }
    if arguments.iter().any(|argument| !argument.is_wholly_known()) {
        return Ok(Value::unknown(arguments[0].ty()));
    }
    let element = common_type(&[arguments[1].clone(), arguments[2].clone()])?;
    let convert_all =
        |list: &Value| convert(list, &element).map_err(|error| Failure::Argument(2, error));
    let (keys, wanted_list) = (convert_all(&arguments[1])?, convert_all(&arguments[2])?);
    let keys = keys.items().unwrap_or_default();
    let wanted = wanted_list.items().unwrap_or(wanted);
    let matching = values
        .iter()
        .zip(keys)
        .filter(|(_, key)| wanted.contains(key));
    Ok(Value::list(
        element_type(&arguments[0]),
        matching.map(|(value, _)| value.clone()).collect(),
    ))
}

/// Later ones win. Maps of one type make a map, anything else an object.
fn merge(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if arguments.iter().any(|argument| !argument.is_known()) {
        return Ok(Value::unknown(Type::Any).marked_if(marked(arguments)));
    }
    let mut merged = Entries::new();
    for (index, argument) in arguments
        .iter()
        .enumerate()
        .filter(|(_, argument)| !argument.is_null())
    {
        let entries = argument.entries().ok_or_else(|| {
            let given = argument.ty().friendly();
            Failure::Argument(
                index,
                format!("arguments must be maps or objects, got {given:?}"),
            )
        })?;
        merged.extend(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    let mut elements = arguments
        .iter()
        .filter(|argument| !argument.is_null())
        .map(|argument| match argument.kind() {
            Kind::Map(element, _) => Some(element),
            _ => None,
        });
    let merged = match elements.next().flatten() {
        Some(first) if elements.all(|element| element == Some(first)) => {
            Value::map(first.clone(), merged)
        }
        _ => Value::object(merged),
    };
    Ok(merged.marked_if(marked(arguments)))
}

fn range(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let numbers: Vec<&Number> = arguments.iter().filter_map(Value::as_number).collect();
    let zero = Number::ZERO;
    let (start, end, step) = match numbers.as_slice() {
        [end] => (&zero, *end, None),
        [start, end] => (*start, *end, None),
        [start, end, step] => (*start, *end, Some((*step).clone())),
        _ => {
            return Err(Failure::Call(
                "must have one, two, or three arguments".to_owned(),
            ));
        }
    };
    let down = end < start;
    let step = step.unwrap_or_else(|| Number::from(if down { -1 } else { 1 }));
    if step.is_zero() {
        return Err(Failure::Argument(2, "step must not be zero".to_owned()));
    }
    if start != end && step.is_negative() != down {
        let message = if down {
            "end is less than start, so step must be negative"
        } else {
            "step must be positive here"
        };
        return Err(Failure::Argument(arguments.len() - 1, message.to_owned()));
    }
    let mut items = Vec::new();
    let mut next = start.clone();
    while if down { &next > end } else { &next < end } {
        if items.len() >= LONGEST_RANGE {
            return Err(Failure::Call("more than 1024 values were generated; either decrease the difference between start and end or use a smaller step".to_owned()));
        }
        items.push(Value::from(next.clone()));
        next = next
            .add(&step)
            .map_err(|error| Failure::Call(error.to_string()))?;
    }
    Ok(Value::list(Type::Number, items))
}

fn slice(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if let Kind::Set(..) = arguments[0].kind() {
        let message = "cannot slice a set, because its elements do not have indices; explicitly convert to a list if the ordering of the result is not important";
        return Err(Failure::Argument(0, message.to_owned()));
    }
    let items = items(arguments, 0)?;
    let (start, end) = (whole(arguments, 1)?, whole(arguments, 2)?);
    let position = |value: i64, index: usize, name: &str| {
        let position = usize::try_from(value);
        position.map_err(|_| {
            Failure::Argument(index, format!("{name} index must not be less than zero"))
        })
    };
    let (start, end) = (position(start, 1, "start")?, position(end, 2, "end")?);
    if end > items.len() {
        return Err(Failure::Argument(
            2,
            "end index must not be greater than the length of the list".to_owned(),
        ));
    }
    let part = items.get(start..end);
    let part = part.ok_or_else(|| {
        Failure::Argument(
            1,
            "start index must not be greater than end index".to_owned(),
        )
    })?;
    Ok(like(&arguments[0], part.to_vec()).marked_if(marked(arguments)))
}

fn sort(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if !arguments[0].is_wholly_known() {
        return Ok(Value::unknown(Type::list(Type::String)));
    }
    let items = items(arguments, 0)?;
    if let Some(index) = items.iter().position(Value::is_null) {
        return Err(Failure::Argument(
            0,
            format!("given list element {index} is null; a null string cannot be sorted"),
        ));
    }
    let mut sorted = items.to_vec();
    sorted.sort_by(|a, b| text(a).cmp(text(b)));
    Ok(Value::list(Type::String, sorted))
}

fn transpose(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if !arguments[0].is_wholly_known() {
        return Ok(Value::unknown(arguments[0].ty()));
    }
    let mut turned: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, list) in arguments[0].entries().into_iter().flatten() {
        for item in list.items().unwrap_or_default() {
            let item = item.as_str().ok_or_else(|| {
                Failure::Argument(0, format!("the list of \"{key}\" holds a null"))
            })?;
            turned
                .entry(Value::key(item))
                .or_default()
                .push(Value::string(key));
        }
    }
    let lists = turned
        .into_iter()
        .map(|(key, items)| (key, Value::list(Type::String, items)));
    Ok(Value::map(Type::list(Type::String), lists.collect()))
}

fn zip_map(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (keys, values) = (items(arguments, 0)?, items(arguments, 1)?);
    if keys.len() != values.len() {
        let message = format!(
            "number of keys ({}) does not match number of values ({})",
            keys.len(),
            values.len()
        );
        return Err(Failure::Call(message));
    }
    if !arguments[0].is_wholly_known() {
        return Ok(Value::unknown(Type::Any).marked_if(marked(arguments)));
    }
    let mut entries = Entries::new();
    for (index, (key, value)) in keys.iter().zip(values).enumerate() {
        let key = key
            .as_str()
            .ok_or_else(|| Failure::Argument(0, format!("key {index} is null")))?;
        entries.insert(Value::key(key), value.clone());
    }
    let zipped = match arguments[1].kind() {
        Kind::List(element, _) => Value::map(element.clone(), entries),
        _ => Value::object(entries),
    };
    Ok(zipped.marked_if(marked(arguments) || arguments[0].contains_sensitive()))
}
