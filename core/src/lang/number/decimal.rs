//! Numbers as text: reading decimals, and the fewest digits that read back.

use super::{EXPONENT_LIMIT, Number, PRECISION, Remainder, Repr, Sign};
use num_bigint::BigUint;
use std::fmt;

/// The longest literal that is read; 512 bits hold about 155 significant digits.
const LONGEST_LITERAL: usize = 10_000;

impl Number {
    /// Reads a decimal number: digits, a fraction, an exponent; no spaces, no other bases.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(small) = text.parse::<i64>() {
            return Some(Self(Repr::Small(small)));
        }
        if text.len() > LONGEST_LITERAL {
            return None;
        }
        let (sign, rest) = match text.as_bytes().first()? {
            b'-' => (Sign::Minus, &text[1..]),
            b'+' => (Sign::Plus, &text[1..]),
            _ => (Sign::Plus, text),
        };
        let (significand, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        if !whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let digits = BigUint::parse_bytes(format!("0{whole}{fraction}").as_bytes(), 10)?;
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if digits == BigUint::ZERO {
            return Some(Self::ZERO);
        }
        // Ten to this power passes the limit of the binary exponent by itself.
        if exponent.abs() > EXPONENT_LIMIT / 3 {
            return None;
        }
        let power = BigUint::from(10u8).pow(u32::try_from(exponent.unsigned_abs()).ok()?);
        let number = if exponent >= 0 {
            Self::rounded(sign, digits * power, 0, Remainder::None)
        } else {
            Self::quotient(sign, &digits, &power, 0)
        };
        number.is_finite().then_some(number)
    }

    /// With exactly this many digits after the point; what C calls `%.*f`.
    pub fn to_fixed(&self, places: usize) -> String {
        if !self.is_finite() {
            return self.to_string();
        }
        let parts = self.finite();
        let text = Decimal::exact(&parts.mantissa, parts.exponent).fixed(places);
        if self.is_negative() {
            format!("-{text}")
        } else {
            text
        }
    }

    /// The digits of the whole part in another base, with a sign.
    pub fn to_radix(&self, base: u32) -> String {
        let parts = self.truncated().finite();
        let magnitude = if parts.exponent >= 0 {
            parts.mantissa << parts.exponent
        } else {
            BigUint::ZERO
        };
        let text = magnitude.to_str_radix(base.clamp(2, 36));
        if self.is_negative() && text != "0" {
            format!("-{text}")
        } else {
            text
        }
    }

    /// Reads an integer written in another base.
    pub fn from_radix(text: &str, base: u32) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (Sign::Minus, rest),
            None => (Sign::Plus, text.strip_prefix('+').unwrap_or(text)),
        };
        let valid =
            (2..=36).contains(&base) && digits.len() <= LONGEST_LITERAL && !digits.contains('_');
        let magnitude = valid
            .then(|| BigUint::parse_bytes(digits.as_bytes(), base))
            .flatten()?;
        Some(Self::rounded(sign, magnitude, 0, Remainder::None))
    }
}

/// The shortest decimal text that reads back as this number, without an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => write!(f, "{value}"),
            Repr::Infinite(Sign::Plus) => f.write_str("+Inf"),
            Repr::Infinite(Sign::Minus) => f.write_str("-Inf"),
            Repr::Large(large) => {
                if large.sign == Sign::Minus {
                    f.write_str("-")?;
                }
                let decimal = Decimal::shortest(&large.mantissa, large.exponent);
                f.write_str(&decimal.plain())
            }
        }
    }
}

/// `0.digits × 10^point`, without zeros at the end.
struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    fn exact(mantissa: &BigUint, exponent: i64) -> Self {
        let shift = exponent.unsigned_abs();
        let (scaled, places) = if exponent >= 0 {
            (mantissa << shift, 0)
        } else {
            // m / 2^k is m × 5^k / 10^k.
            let power = u32::try_from(shift).unwrap_or(u32::MAX);
            (mantissa * BigUint::from(5u8).pow(power), i64::from(power))
        };
        let digits = scaled.to_str_radix(10).into_bytes();
        let point = i64::try_from(digits.len()).unwrap_or(i64::MAX) - places;
        let mut decimal = Self { digits, point };
        decimal.trim();
        decimal
    }

    /// The fewest digits that lie nearer to this number than to its neighbours of 512 bits.
    fn shortest(mantissa: &BigUint, exponent: i64) -> Self {
        // One bit more than the precision: the last bit is then half of the distance between neighbours.
        let widen = (PRECISION + 1).saturating_sub(mantissa.bits());
        let wide = mantissa << widen;
        let exponent = exponent - i64::try_from(widen).unwrap_or(0);
        let mut decimal = Self::exact(&wide, exponent);
        let lower = Self::exact(&(&wide - 1u8), exponent);
        let upper = Self::exact(&(&wide + 1u8), exponent);
        // A tie reads back as the even neighbour, so the bounds themselves are allowed around an even number.
        let inclusive = !wide.bit(1);
        for index in 0..decimal.digits.len() {
            let middle = decimal.digits[index];
            let low = lower.digits.get(index).copied().unwrap_or(b'0');
            let high = upper.digits.get(index).copied().unwrap_or(b'0');
            let down = low != middle || inclusive && index + 1 == lower.digits.len();
            let up = middle != high
                && (inclusive || middle + 1 < high || index + 1 < upper.digits.len());
            if down || up {
                let keep = index + 1;
                let rounds_up = match (down, up) {
                    (true, true) => decimal.is_nearer_above(keep),
                    (_, up) => up,
                };
                decimal.cut(keep, rounds_up);
                break;
            }
        }
        decimal
    }

    /// Rounds to `places` digits after the point, ties to even, and writes them all.
    fn fixed(mut self, places: usize) -> String {
        let keep = self.point + i64::try_from(places).unwrap_or(i64::MAX);
        match usize::try_from(keep) {
            Ok(keep) if keep < self.digits.len() => {
                let up = self.is_nearer_above(keep);
                self.cut(keep, up);
            }
            Ok(_) => {}
            Err(_) => self.digits.clear(),
        }
        if self.digits.is_empty() {
            self.point = 0;
        }
        let plain = self.plain();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        if places == 0 {
            whole.to_owned()
        } else {
            format!("{whole}.{fraction:0<places$}")
        }
    }

    fn is_nearer_above(&self, keep: usize) -> bool {
        match self.digits.get(keep) {
            Some(b'5') if keep + 1 == self.digits.len() => {
                keep > 0 && (self.digits[keep - 1] - b'0') % 2 == 1
            }
            Some(digit) => *digit >= b'5',
            None => false,
        }
    }

    fn cut(&mut self, keep: usize, up: bool) {
        self.digits.truncate(keep);
        if up {
            let nines = self
                .digits
                .iter()
                .rev()
                .take_while(|digit| **digit == b'9')
                .count();
            self.digits.truncate(self.digits.len() - nines);
            match self.digits.last_mut() {
                Some(last) => *last += 1,
                None => {
                    self.digits.push(b'1');
                    self.point += 1;
                }
            }
        }
        self.trim();
    }

    fn trim(&mut self) {
        let zeros = self
            .digits
            .iter()
            .rev()
            .take_while(|digit| **digit == b'0')
            .count();
        self.digits.truncate(self.digits.len() - zeros);
    }

    fn plain(&self) -> String {
        let digits = String::from_utf8_lossy(&self.digits);
        if digits.is_empty() {
            return "0".to_owned();
        }
        match usize::try_from(self.point) {
            Ok(point) if point >= digits.len() => format!("{digits:0<point$}"),
            Ok(0) => format!("0.{digits}"),
            Ok(point) => format!("{}.{}", &digits[..point], &digits[point..]),
            Err(_) => {
                let zeros = usize::try_from(self.point.unsigned_abs()).unwrap_or(0);
                format!("0.{}{digits}", "0".repeat(zeros))
            }
        }
    }
}
