//! Sets: union, intersection, difference and product.

use super::collection::{element_type, marked};
use super::{Accepts, Context, Failure, Function, Parameter, Returns, any};
use crate::lang::convert::convert;
use crate::lang::types::{Type, unify};
use crate::lang::value::{Kind, Value};

const SET: Parameter = Parameter::new("first_set", Accepts::SetOfAny);
const MORE: Option<Parameter> = Some(Parameter::new("other_sets", Accepts::SetOfAny));

/// The largest product; more elements than this are a mistake.
const LARGEST_PRODUCT: usize = 1 << 16;

pub(super) const FUNCTIONS: &[Function] = &[
    of_sets("setintersection", |_, arguments| {
        combine(arguments, |left, right| {
            left.into_iter()
                .filter(|item| right.contains(item))
                .collect()
        })
    }),
    Function {
        name: "setproduct",
        parameters: &[],
        variadic: Some(any("sets").or_sensitive()),
        returns: Returns::Always(Accepts::Any),
        run: product,
    },
    Function {
        name: "setsubtract",
        parameters: &[
            Parameter::new("a", Accepts::SetOfAny),
            Parameter::new("b", Accepts::SetOfAny),
        ],
        variadic: None,
        returns: Returns::Depends(common_type),
        run: |_, arguments| {
            combine(arguments, |left, right| {
                left.into_iter()
                    .filter(|item| !right.contains(item))
                    .collect()
            })
        },
    },
    of_sets("setunion", |_, arguments| {
        combine(arguments, |left, right| {
            left.into_iter().chain(right.iter().cloned()).collect()
        })
    }),
];

const fn of_sets(
    name: &'static str,
    run: fn(&Context<'_>, &[Value]) -> Result<Value, Failure>,
) -> Function {
    Function {
        name,
        parameters: &[SET],
        variadic: MORE,
        returns: Returns::Depends(common_type),
        run,
    }
}

fn common_type(arguments: &[Value]) -> Result<Type, Failure> {
    // An empty set adapts to the others.
    let types: Vec<Type> = arguments.iter().map(element_type).collect();
    let element = unify(&types);
    element.map(Type::set).ok_or_else(|| {
        Failure::Call("given sets must all have compatible element types".to_owned())
    })
}

fn combine(
    arguments: &[Value],
    step: fn(Vec<Value>, &[Value]) -> Vec<Value>,
) -> Result<Value, Failure> {
    let ty = common_type(arguments)?;
    if arguments.iter().any(|argument| !argument.is_wholly_known()) {
        return Ok(Value::unknown(ty));
    }
    let mut result: Option<Vec<Value>> = None;
    for (index, argument) in arguments.iter().enumerate() {
        let set = convert(argument, &ty).map_err(|error| Failure::Argument(index, error))?;
        let items = set.items().unwrap_or_default();
        result = Some(match result {
            None => items.to_vec(),
            Some(left) => step(left, items),
        });
    }
    let Type::Set(element) = ty else {
        return Err(Failure::Call("a set is required".to_owned()));
    };
    Ok(Value::set((*element).clone(), result.unwrap_or_default()))
}

/// All combinations: a set of sets, a list as soon as one of them has an order.
fn product(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    if arguments.len() < 2 {
        return Err(Failure::Call(
            "at least two arguments are required".to_owned(),
        ));
    }
    let mut types = Vec::new();
    let mut factors = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        let list = convert(argument, &Type::list(Type::Any))
            .map_err(|error| Failure::Argument(index, error))?;
        types.push(element_type(&list));
        factors.push(list.items().unwrap_or_default().to_vec());
    }
    let count = factors
        .iter()
        .try_fold(1usize, |count, factor| count.checked_mul(factor.len()));
    if count.is_none_or(|count| count > LARGEST_PRODUCT) {
        return Err(Failure::Call(format!(
            "the result would have more than {LARGEST_PRODUCT} elements"
        )));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for factor in &factors {
        let longer = rows.iter().flat_map(|row| {
            factor
                .iter()
                .map(|item| row.iter().chain([item]).cloned().collect())
        });
        rows = longer.collect();
    }
    let element = Type::tuple(types);
    let rows = rows.into_iter().map(Value::tuple).collect();
    let sets = arguments
        .iter()
        .all(|argument| matches!(argument.kind(), Kind::Set(..)));
    let product = if sets {
        Value::set(element, rows)
    } else {
        Value::list(element, rows)
    };
    Ok(product.marked_if(marked(arguments)))
}
