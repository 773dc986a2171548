//! Numbers: `abs`, `max`, `parseint`, `pow` and their like.

use super::string::{text, whole};
use super::{Accepts, Context, Failure, Function, Parameter, Returns, any, number};
use crate::lang::number::Number;
use crate::lang::value::{Kind, Value};
use std::cmp::Ordering;

type Run = fn(&Context<'_>, &[Value]) -> Result<Value, Failure>;

pub(super) const FUNCTIONS: &[Function] = &[
    of_numbers("abs", &[number("num")], |_, a| Ok(of(&a[0]).abs().into())),
    of_numbers("ceil", &[number("num")], |_, a| Ok(of(&a[0]).ceil().into())),
    of_numbers("floor", &[number("num")], |_, a| {
        Ok(of(&a[0]).floor().into())
    }),
    of_numbers("log", &[number("num"), number("base")], |_, a| {
        double(of(&a[0]).to_f64().ln() / of(&a[1]).to_f64().ln())
    }),
    extreme("max", |_, arguments| most(arguments, Ordering::Greater)),
    extreme("min", |_, arguments| most(arguments, Ordering::Less)),
    of_numbers("parseint", &[any("number"), number("base")], parse_int),
    of_numbers("pow", &[number("num"), number("power")], |_, a| {
        double(of(&a[0]).to_f64().powf(of(&a[1]).to_f64()))
    }),
    of_numbers("signum", &[number("num")], |_, a| {
        let number = of(&a[0]);
        Ok(Value::from(if number.is_zero() {
            0
        } else if number.is_negative() {
            -1
        } else {
            1
        }))
    }),
];

const fn of_numbers(name: &'static str, parameters: &'static [Parameter], run: Run) -> Function {
    Function {
        name,
        parameters,
        variadic: None,
        returns: Returns::Always(Accepts::Number),
        run,
    }
}

const fn extreme(name: &'static str, run: Run) -> Function {
    Function {
        name,
        parameters: &[],
        variadic: Some(number("numbers")),
        returns: Returns::Always(Accepts::Number),
        run,
    }
}

fn of(value: &Value) -> &Number {
    value.as_number().unwrap_or(&Number::ZERO)
}

/// Logarithms and powers are calculated in doubles, as Terraform does.
fn double(result: f64) -> Result<Value, Failure> {
    Number::from_f64(result)
        .map(Value::from)
        .ok_or_else(|| Failure::Call("the result is not a number".to_owned()))
}

fn most(arguments: &[Value], wanted: Ordering) -> Result<Value, Failure> {
    let numbers = arguments.iter().map(of);
    numbers
        .reduce(|best, next| if next.cmp(best) == wanted { next } else { best })
        .map(|best| best.clone().into())
        .ok_or_else(|| Failure::Call("must pass at least one number".to_owned()))
}

fn parse_int(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let Kind::String(_) = arguments[0].kind() else {
        return Err(Failure::Argument(
            0,
            format!(
                "first argument must be a string, not {}",
                arguments[0].ty().friendly()
            ),
        ));
    };
    let base = whole(arguments, 1)?;
    let base = u32::try_from(base)
        .ok()
        .filter(|base| (2..=62).contains(base));
    let base = base.ok_or_else(|| {
        Failure::Argument(
            1,
            "base must be a whole number between 2 and 62 inclusive".to_owned(),
        )
    })?;
    let digits = text(&arguments[0]);
    parse_in_base(digits, base).map(Value::from).ok_or_else(|| {
        Failure::Argument(
            0,
            format!(
                "cannot parse {} as a base {base} integer",
                crate::lang::quoted(digits)
            ),
        )
    })
}

/// Up to base 36 upper and lower case are the same digits; beyond, upper case follows lower case.
fn parse_in_base(text: &str, base: u32) -> Option<Number> {
    if base <= 36 {
        return Number::from_radix(text, base);
    }
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || digits.len() > 512 {
        return None;
    }
    let mut total = Number::ZERO;
    for byte in digits.bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            b'A'..=b'Z' => byte - b'A' + 36,
            _ => return None,
        };
        if u32::from(digit) >= base {
            return None;
        }
        total = total
            .multiply(&Number::from(i64::from(base)))
            .ok()?
            .add(&Number::from(i64::from(digit)))
            .ok()?;
    }
    Some(if negative { total.negated() } else { total })
}
