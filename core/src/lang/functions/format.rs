//! `format` and `formatlist`: Terraform's verbs, flags, widths and precisions.

use super::{Accepts, Context, Failure, Function, Returns, any, string};
use crate::lang::convert::convert;
use crate::lang::json;
use crate::lang::number::Number;
use crate::lang::types::Type;
use crate::lang::value::Value;
use unicode_segmentation::UnicodeSegmentation;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "format",
        parameters: &[string("format")],
        variadic: Some(any("args").or_null().or_typed_unknown()),
        returns: Returns::Always(Accepts::String),
        run: |_, arguments| {
            let result = format(super::string::text(&arguments[0]), &arguments[1..])?;
            Ok(result.map_or_else(|| Value::unknown(Type::String), Value::from))
        },
    },
    Function {
        name: "formatlist",
        parameters: &[string("format")],
        variadic: Some(any("args").or_null().or_typed_unknown()),
        returns: Returns::Always(Accepts::ListOfString),
        run: format_list,
    },
];

/// The widest field and the longest precision; wider is a mistake, not a layout.
const WIDEST: usize = 1024;

/// One `%…` of a format.
#[derive(Debug, Default)]
struct Verb {
    sharp: bool,
    zero: bool,
    space: bool,
    plus: bool,
    minus: bool,
    argument: Option<usize>,
    width: Option<usize>,
    precision: Option<usize>,
    letter: char,
    text: String,
}

/// The text, or `None` while something in it is unknown. Argument 0 of a failure is the format itself.
fn format(template: &str, arguments: &[Value]) -> Result<Option<String>, Failure> {
    let mut out = String::new();
    let mut known = true;
    let mut next = 0;
    let mut highest = 0;
    let mut explicit = false;
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let verb = Verb::read(&rest[at..])?;
        rest = &rest[at + verb.text.len()..];
        if verb.letter == '%' {
            out.push('%');
            continue;
        }
        explicit |= verb.argument.is_some();
        let index = verb.argument.unwrap_or(next);
        next = index + 1;
        highest = highest.max(next);
        let Some(argument) = arguments.get(index) else {
            let message = format!(
                "not enough arguments for \"{}\": need index {next} but have {} total",
                verb.text,
                arguments.len()
            );
            return Err(Failure::Argument(0, message));
        };
        // What an argument is may be known although some part of it is not.
        if argument.is_wholly_known() {
            out.push_str(&verb.apply(argument).map_err(|message| {
                Failure::Argument(
                    index + 1,
                    format!("unsupported value for \"{}\": {message}", verb.text),
                )
            })?);
        } else {
            known = false;
        }
    }
    out.push_str(rest);
    if !explicit && highest < arguments.len() {
        let message = match highest {
            0 => "too many arguments; no verbs in format string".to_owned(),
            used => format!("too many arguments; only {used} used by format string"),
        };
        return Err(Failure::Argument(highest + 1, message));
    }
    Ok(known.then_some(out))
}

impl Verb {
    /// Reads the verb at the start of a text that begins with `%`.
    fn read(text: &str) -> Result<Self, Failure> {
        let mut verb = Self::default();
        let mut rest = text[1..]
            .char_indices()
            .map(|(at, character)| (at + 1, character))
            .peekable();
        let mut digits = String::new();
        let mut precision = false;
        while let Some((at, character)) = rest.next() {
            match character {
                '0'..='9' if !digits.is_empty() || precision || character != '0' => {
                    digits.push(character);
                }
                '0' => verb.zero = true,
                '#' => verb.sharp = true,
                ' ' => verb.space = true,
                '+' => verb.plus = true,
                '-' => verb.minus = true,
                '.' if !precision => {
                    verb.width = size(&std::mem::take(&mut digits))?;
                    precision = true;
                }
                '[' => {
                    let close = text[at..].find(']').map(|length| at + length);
                    let number = close
                        .and_then(|close| text[at + 1..close].parse::<usize>().ok())
                        .filter(|number| *number > 0);
                    let (Some(close), Some(number)) = (close, number) else {
                        return Err(invalid(&format!(
                            "the argument number after column {at} is not one"
                        )));
                    };
                    verb.argument = Some(number - 1);
                    while rest.next_if(|(at, _)| *at <= close).is_some() {}
                }
                letter if letter.is_ascii_alphabetic() || letter == '%' => {
                    if precision {
                        verb.precision = Some(size(&digits)?.unwrap_or(0));
                    } else if !digits.is_empty() {
                        verb.width = size(&digits)?;
                    }
                    verb.letter = letter;
                    text[..=at].clone_into(&mut verb.text);
                    return Ok(verb);
                }
                other => return Err(invalid(&format!("unrecognized format character {other:?}"))),
            }
        }
        Err(invalid(
            "unterminated verb at the end of the format; a percent sign is written %%",
        ))
    }

    fn apply(&self, argument: &Value) -> Result<String, String> {
        let null = argument.is_null();
        match self.letter {
            'v' => self.value(argument),
            'q' if null => Ok(self.string("null".to_owned())),
            _ if null => Err("null value cannot be formatted".to_owned()),
            't' => {
                let truth = convert(argument, &Type::Bool)?;
                Ok(self.pad(
                    if truth.as_bool() == Some(true) {
                        "true"
                    } else {
                        "false"
                    }
                    .to_owned(),
                ))
            }
            'b' | 'd' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'g' | 'G' => {
                if matches!(self.letter, 'x' | 'X')
                    && argument
                        .as_str()
                        .is_some_and(|text| Number::parse(text).is_none())
                {
                    return self.hex(argument.as_str().unwrap_or_default());
                }
                let number = convert(argument, &Type::Number)?;
                Ok(self.number(number.as_number().unwrap_or(&Number::ZERO)))
            }
            's' => Ok(self.string(
                self.cut(
                    convert(argument, &Type::String)?
                        .as_str()
                        .unwrap_or_default(),
                ),
            )),
            'q' => {
                let text = convert(argument, &Type::String)?;
                Ok(self.string(go_quoted(&self.cut(text.as_str().unwrap_or_default()))))
            }
            other => Err(format!("there is no verb %{other}")),
        }
    }

    /// `%v`: strings as they are, numbers in their shortest form, everything else as JSON; `%#v`: all as JSON.
    fn value(&self, argument: &Value) -> Result<String, String> {
        if !self.sharp {
            if let Some(text) = argument.as_str() {
                return Ok(self.string(self.cut(text)));
            }
            if let Some(number) = argument.as_number() {
                let shortest = Self {
                    letter: 'g',
                    ..self.copy()
                };
                return Ok(shortest.number(number));
            }
        }
        let text = json::encode(argument)?.unwrap_or_default();
        Ok(self.string(text))
    }

    fn copy(&self) -> Self {
        Self {
            text: self.text.clone(),
            ..*self
        }
    }

    fn hex(&self, text: &str) -> Result<String, String> {
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        Ok(self.pad(if self.letter == 'X' {
            digits.to_uppercase()
        } else {
            digits
        }))
    }

    fn number(&self, number: &Number) -> String {
        let magnitude = number.abs();
        let digits = match self.letter {
            'b' => magnitude.to_radix(2),
            'd' => magnitude.to_radix(10),
            'o' => magnitude.to_radix(8),
            'x' => magnitude.to_radix(16),
            'X' => magnitude.to_radix(16).to_uppercase(),
            'f' => magnitude.to_fixed(self.precision.unwrap_or(6)),
            'e' => scientific(&magnitude, self.precision.unwrap_or(6), 'e'),
            'E' => scientific(&magnitude, self.precision.unwrap_or(6), 'E'),
            _ => self.general(&magnitude),
        };
        let prefix = match (self.sharp, self.letter) {
            (true, 'x') => "0x",
            (true, 'X') => "0X",
            (true, 'o') => "0",
            _ => "",
        };
        let sign = match (number.is_negative(), self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        let width = self.width.unwrap_or(0);
        let used = sign.len() + prefix.len() + digits.len();
        if self.zero && !self.minus && used < width {
            return format!("{sign}{prefix}{}{digits}", "0".repeat(width - used));
        }
        self.pad(format!("{sign}{prefix}{digits}"))
    }

    /// `%g`: plain unless very large or very small, without zeros at the end.
    fn general(&self, magnitude: &Number) -> String {
        let value = magnitude.to_f64();
        let exponent = if value == 0.0 || !value.is_finite() {
            0.0
        } else {
            value.log10().floor()
        };
        let limit = self.precision.map_or(21.0, |precision| {
            f64::from(u32::try_from(precision.max(1)).unwrap_or(u32::MAX))
        });
        let letter = if self.letter == 'G' { 'E' } else { 'e' };
        match self.precision {
            None if (-4.0..limit).contains(&exponent) => magnitude.to_string(),
            None => shortest_scientific(magnitude, letter),
            Some(precision) => {
                let digits = scientific(magnitude, precision.max(1) - 1, 'e');
                let rounded = Number::parse(&digits).unwrap_or_else(|| magnitude.clone());
                if (-4.0..limit).contains(&exponent) {
                    rounded.to_string()
                } else {
                    shortest_scientific(&rounded, letter)
                }
            }
        }
    }

    /// The precision of a text is how many characters of it are kept.
    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(precision) => text.graphemes(true).take(precision).collect(),
            None => text.to_owned(),
        }
    }

    fn string(&self, text: String) -> String {
        self.pad(text)
    }

    fn pad(&self, text: String) -> String {
        let missing = self
            .width
            .unwrap_or(0)
            .saturating_sub(text.graphemes(true).count());
        match (missing, self.minus, self.zero) {
            (0, ..) => text,
            (_, true, _) => text + &" ".repeat(missing),
            (_, false, true) => "0".repeat(missing) + &text,
            (_, false, false) => " ".repeat(missing) + &text,
        }
    }
}

fn invalid(message: &str) -> Failure {
    Failure::Argument(0, message.to_owned())
}

fn size(digits: &str) -> Result<Option<usize>, Failure> {
    if digits.is_empty() {
        return Ok(None);
    }
    let size = digits.parse::<usize>().ok().filter(|size| *size <= WIDEST);
    size.map(Some)
        .ok_or_else(|| invalid(&format!("a field is at most {WIDEST} characters wide")))
}

/// One digit, a point, and as many digits as asked for; the exponent has at least two.
fn scientific(magnitude: &Number, precision: usize, letter: char) -> String {
    let text = format!("{:.precision$e}", magnitude.to_f64());
    exponent_of_two(&text, letter)
}

fn shortest_scientific(magnitude: &Number, letter: char) -> String {
    exponent_of_two(&format!("{:e}", magnitude.to_f64()), letter)
}

fn exponent_of_two(text: &str, letter: char) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}{letter}{sign}{exponent:0>2}")
}

/// As JSON quotes, but without escaping for HTML.
fn go_quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn format_list(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let template = super::string::text(&arguments[0]);
    let lists = &arguments[1..];
    if lists.is_empty() {
        let only = format(template, &[])?;
        return Ok(Value::list(
            Type::String,
            vec![only.map_or_else(|| Value::unknown(Type::String), Value::from)],
        ));
    }
    let mut length: Option<(usize, usize)> = None;
    for (index, list) in lists.iter().enumerate() {
        if !list.is_known() && !list.ty().is_primitive() {
            return Ok(Value::unknown(Type::list(Type::String)));
        }
        let Some(items) = list.items() else { continue };
        match length {
            None => length = Some((index, items.len())),
            Some((first, expected)) if expected != items.len() => {
                let message = format!(
                    "argument {} has length {}, which is inconsistent with argument {} of length {expected}",
                    index + 1,
                    items.len(),
                    first + 1
                );
                return Err(Failure::Argument(index + 1, message));
            }
            Some(_) => {}
        }
    }
    // With no list among them the arguments make one line.
    let length = length.map_or(1, |(_, length)| length);
    let line = |row: usize| {
        let arguments: Vec<Value> = lists
            .iter()
            .map(|list| {
                list.items()
                    .map_or_else(|| list.clone(), |items| items[row].clone())
            })
            .collect();
        let text = format(template, &arguments).map_err(|failure| match failure {
            Failure::Argument(index, message) => {
                Failure::Argument(index, format!("error on format iteration {row}: {message}"))
            }
            call @ Failure::Call(_) => call,
        })?;
        Ok(text.map_or_else(|| Value::unknown(Type::String), Value::from))
    };
    Ok(Value::list(
        Type::String,
        (0..length).map(line).collect::<Result<_, Failure>>()?,
    ))
}
