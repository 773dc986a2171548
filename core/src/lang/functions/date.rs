//! Dates and times: `formatdate`, `timeadd`, `timecmp`, `plantimestamp`, `timestamp`.

use super::string::text;
use super::{Accepts, Context, Failure, Function, Returns, string};
use crate::lang::types::Type;
use crate::lang::value::Value;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{SignedDuration, Timestamp, tz::Offset};
use std::fmt::Write;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "formatdate",
        parameters: &[string("format"), string("time")],
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run: |_, arguments| {
            format(text(&arguments[0]), &Moment::parse(arguments, 1)?).map(Value::from)
        },
    },
    clock("plantimestamp"),
    Function {
        name: "timeadd",
        parameters: &[string("timestamp"), string("duration")],
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run: add,
    },
    Function {
        name: "timecmp",
        parameters: &[string("timestamp_a"), string("timestamp_b")],
        variadic: None,
        returns: Returns::Always(Accepts::Number),
        run: |_, arguments| {
            let (a, b) = (Moment::parse(arguments, 0)?, Moment::parse(arguments, 1)?);
            Ok(Value::from(a.instant.cmp(&b.instant) as i64))
        },
    },
    clock("timestamp"),
];

const fn clock(name: &'static str) -> Function {
    Function {
        name,
        parameters: &[],
        variadic: None,
        returns: Returns::Always(Accepts::String),
        run: |context, _| {
            let now = context.scope.now().map(|instant| Moment {
                instant,
                offset: Offset::UTC,
            });
            Ok(now.map_or_else(|| Value::unknown(Type::String), |now| now.display().into()))
        },
    }
}

/// A point in time as it was written: the offset decides how it is shown.
struct Moment {
    instant: Timestamp,
    offset: Offset,
}

impl Moment {
    /// RFC 3339 and nothing else: `2024-02-29T12:00:00Z`, with an offset instead of `Z` if need be.
    fn parse(arguments: &[Value], index: usize) -> Result<Self, Failure> {
        let given = text(&arguments[index]);
        Self::read(given).ok_or_else(|| {
            let message = format!(
                "{} is not a valid RFC3339 timestamp such as \"2024-02-29T12:00:00Z\"",
                crate::lang::quoted(given)
            );
            Failure::Argument(index, message)
        })
    }

    fn read(given: &str) -> Option<Self> {
        let number = |range: std::ops::Range<usize>| {
            let digits = given.get(range)?;
            digits
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| digits.parse::<i16>().ok())
                .flatten()
        };
        let small = |range| i8::try_from(number(range)?).ok();
        let separators = [(4, '-'), (7, '-'), (10, 'T'), (13, ':'), (16, ':')];
        if !separators
            .iter()
            .all(|(at, wanted)| given.as_bytes().get(*at) == Some(&(*wanted as u8)))
        {
            return None;
        }
        let date = Date::new(number(0..4)?, small(5..7)?, small(8..10)?).ok()?;
        let mut rest = given.get(19..)?;
        let mut nanoseconds = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let digits = format!("{:0<9.9}", &fraction[..length]);
            nanoseconds = digits.parse().ok().filter(|_| length > 0)?;
            rest = &fraction[length..];
        }
        let time = Time::new(small(11..13)?, small(14..16)?, small(17..19)?, nanoseconds).ok()?;
        let offset = match rest.as_bytes() {
            b"Z" => Offset::UTC,
            [sign @ (b'+' | b'-'), ..] if rest.len() == 6 && rest.as_bytes()[3] == b':' => {
                let start = given.len() - rest.len();
                let (hours, minutes) =
                    (number(start + 1..start + 3)?, number(start + 4..start + 6)?);
                let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
                let valid = hours < 24 && minutes < 60;
                Offset::from_seconds(if *sign == b'-' { -seconds } else { seconds })
                    .ok()
                    .filter(|_| valid)?
            }
            _ => return None,
        };
        Some(Self {
            instant: offset.to_timestamp(DateTime::from_parts(date, time)).ok()?,
            offset,
        })
    }

    fn civil(&self) -> DateTime {
        self.offset.to_datetime(self.instant)
    }

    fn display(&self) -> String {
        let civil = self.civil();
        let zone = if self.offset == Offset::UTC {
            "Z".to_owned()
        } else {
            offset_text(self.offset, ":")
        };
        format!("{}{zone}", civil.strftime("%Y-%m-%dT%H:%M:%S"))
    }
}

fn offset_text(offset: Offset, separator: &str) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!(
        "{sign}{:02}{separator}{:02}",
        minutes.abs() / 60,
        minutes.abs() % 60
    )
}

fn add(_: &Context<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let moment = Moment::parse(arguments, 0)?;
    let given = text(&arguments[1]);
    let duration = duration(given).ok_or_else(|| {
        Failure::Argument(
            1,
            format!(
                "{} is not a duration such as \"1h30m\"; the units are h, m, s, ms, us, ns",
                crate::lang::quoted(given)
            ),
        )
    })?;
    let instant = moment.instant.checked_add(duration);
    let instant =
        instant.map_err(|_| Failure::Call("the result lies outside of the calendar".to_owned()))?;
    Ok(Moment { instant, ..moment }.display().into())
}

/// As Go reads durations: numbers with units, one after the other, under one sign.
fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut total: i128 = 0;
    while total == 0 || !rest.is_empty() {
        let digits = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit = tail
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let nanoseconds: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || whole.len() > 15 || fraction.contains('.') {
            return None;
        }
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let fraction: i128 = format!("{fraction:0<9.9}").parse().ok()?;
        total = total.checked_add(whole * nanoseconds + fraction * nanoseconds / 1_000_000_000)?;
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    let total = i64::try_from(if negative { -total } else { total }).ok()?;
    Some(SignedDuration::from_nanos(total))
}

fn format(spec: &str, moment: &Moment) -> Result<String, Failure> {
    let mut out = String::new();
    let mut rest = spec;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(rest, &mut out)?;
            continue;
        }
        let run = rest
            .chars()
            .take_while(|character| *character == first)
            .count();
        if first.is_ascii_alphabetic() {
            let (verb, tail) = rest.split_at(run);
            write_verb(verb, moment, &mut out)?;
            rest = tail;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(out)
}

/// Text between quotes stays as it is; two quotes are one.
fn quoted<'a>(rest: &'a str, out: &mut String) -> Result<&'a str, Failure> {
    let mut tail = &rest[1..];
    loop {
        let close = tail
            .find('\'')
            .ok_or_else(|| Failure::Argument(0, "unterminated literal '".to_owned()))?;
        out.push_str(&tail[..close]);
        tail = &tail[close + 1..];
        match tail.strip_prefix('\'') {
            Some(more) => {
                out.push('\'');
                tail = more;
            }
            None => return Ok(tail),
        }
    }
}

#[expect(
    clippy::match_same_arms,
    reason = "a table of verbs, in the order of the documentation"
)]
fn write_verb(verb: &str, moment: &Moment, out: &mut String) -> Result<(), Failure> {
    let civil = moment.civil();
    let hour12 = match civil.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let afternoon = civil.hour() >= 12;
    let month = MONTHS[usize::try_from(civil.month() - 1).unwrap_or(0) % 12];
    let weekday = weekday(civil.weekday());
    let utc = moment.offset == Offset::UTC;
    let _ = match verb {
        "YYYY" => write!(out, "{:04}", civil.year()),
        "YY" => write!(out, "{:02}", civil.year() % 100),
        "MMMM" => write!(out, "{month}"),
        "MMM" => write!(out, "{}", &month[..3]),
        "MM" => write!(out, "{:02}", civil.month()),
        "M" => write!(out, "{}", civil.month()),
        "DD" => write!(out, "{:02}", civil.day()),
        "D" => write!(out, "{}", civil.day()),
        "EEEE" => write!(out, "{weekday}"),
        "EEE" => write!(out, "{}", &weekday[..3]),
        "hh" => write!(out, "{:02}", civil.hour()),
        "h" => write!(out, "{}", civil.hour()),
        "HH" => write!(out, "{hour12:02}"),
        "H" => write!(out, "{hour12}"),
        "AA" => write!(out, "{}", if afternoon { "PM" } else { "AM" }),
        "aa" => write!(out, "{}", if afternoon { "pm" } else { "am" }),
        "mm" => write!(out, "{:02}", civil.minute()),
        "m" => write!(out, "{}", civil.minute()),
        "ss" => write!(out, "{:02}", civil.second()),
        "s" => write!(out, "{}", civil.second()),
        "ZZZZZ" => write!(out, "{}", offset_text(moment.offset, ":")),
        "ZZZZ" => write!(out, "{}", offset_text(moment.offset, "")),
        "ZZZ" if utc => write!(out, "UTC"),
        "ZZZ" => write!(out, "{}", offset_text(moment.offset, "")),
        "Z" if utc => write!(out, "Z"),
        "Z" => write!(out, "{}", offset_text(moment.offset, ":")),
        _ => {
            return Err(Failure::Argument(
                0,
                format!("invalid date format verb \"{verb}\"; text stands between single quotes"),
            ));
        }
    };
    Ok(())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn weekday(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_s() {
        let nanoseconds = |text| duration(text).map(|duration| duration.as_nanos());
        assert_eq!(nanoseconds("1h30m"), Some(5_400_000_000_000));
        assert_eq!(nanoseconds("-1.5s"), Some(-1_500_000_000));
        assert_eq!(nanoseconds("0"), Some(0));
        for bad in ["", "-", "1", "1x", "1.2.3s", "h"] {
            assert_eq!(nanoseconds(bad), None, "{bad}");
        }
    }
}
