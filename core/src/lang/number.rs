//! Numbers as Terraform holds them: binary floating point with 512 bits of precision, integers exact.
//!
//! A number is kept in lowest terms (an odd mantissa, or a machine integer where it fits), so that equality is structural.

use num_bigint::BigUint;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The precision of Terraform's numbers, in bits of mantissa.
const PRECISION: u64 = 512;

/// Beyond 2^±this a result is infinite or zero: far outside anything a configuration holds, and small enough that no
/// input can make a number of unbounded size.
const EXPONENT_LIMIT: i64 = 1 << 15;

/// The longest literal that is read; 512 bits hold about 155 significant digits.
const LONGEST_LITERAL: usize = 10_000;

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// Every integer that fits.
    Small(i64),
    /// Everything else that is finite.
    Large(Arc<Large>),
    Infinite(Sign),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sign {
    Plus,
    Minus,
}

/// `± mantissa × 2^exponent`, the mantissa odd and of at most 512 bits, or zero.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Large {
    sign: Sign,
    mantissa: BigUint,
    exponent: i64,
}

/// What arithmetic can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArithmeticError {
    #[error("can't divide zero by zero or infinity by infinity")]
    IndeterminateDivision,
    #[error("can't multiply zero by infinity")]
    IndeterminateProduct,
    #[error("can't subtract infinity from itself")]
    IndeterminateSum,
}

impl Number {
    pub const ZERO: Self = Self(Repr::Small(0));

    pub fn from_u64(value: u64) -> Self {
        Self::rounded(Sign::Plus, BigUint::from(value), 0, Remainder::None)
    }

    /// How many there are of something.
    pub fn count(value: usize) -> Self {
        Self::rounded(Sign::Plus, BigUint::from(value), 0, Remainder::None)
    }

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

    /// The shortest decimal number that a double stands for.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            None
        } else if value.is_infinite() {
            Some(Self(Repr::Infinite(if value > 0.0 {
                Sign::Plus
            } else {
                Sign::Minus
            })))
        } else {
            Self::parse(&format!("{value:e}"))
        }
    }

    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            // Rounds to the nearest, as Terraform's own conversion does.
            #[expect(clippy::cast_precision_loss, reason = "a double is what was asked for")]
            Repr::Small(value) => *value as f64,
            Repr::Infinite(Sign::Plus) => f64::INFINITY,
            Repr::Infinite(Sign::Minus) => f64::NEG_INFINITY,
            Repr::Large(_) => self
                .to_string()
                .parse()
                .expect("digits and a point are a double's text"),
        }
    }

    /// The integer that this is, if it is one and fits.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::Large(_) | Repr::Infinite(_) => None,
        }
    }

    pub fn to_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Small(value) => u64::try_from(*value).ok(),
            Repr::Large(large) if large.sign == Sign::Plus && large.exponent >= 0 => {
                u64::try_from(&large.mantissa << large.exponent).ok()
            }
            Repr::Large(_) | Repr::Infinite(_) => None,
        }
    }

    pub fn to_usize(&self) -> Option<usize> {
        self.to_u64().and_then(|value| usize::try_from(value).ok())
    }

    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Small(_) => true,
            Repr::Large(large) => large.exponent >= 0,
            Repr::Infinite(_) => false,
        }
    }

    pub fn is_finite(&self) -> bool {
        !matches!(self.0, Repr::Infinite(_))
    }

    pub fn is_zero(&self) -> bool {
        self.0 == Repr::Small(0)
    }

    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(value) => *value < 0,
            Repr::Large(large) => large.sign == Sign::Minus,
            Repr::Infinite(sign) => *sign == Sign::Minus,
        }
    }

    #[must_use]
    pub fn negated(&self) -> Self {
        match &self.0 {
            Repr::Small(value) => match value.checked_neg() {
                Some(negated) => Self(Repr::Small(negated)),
                None => Self::rounded(
                    Sign::Plus,
                    BigUint::from(value.unsigned_abs()),
                    0,
                    Remainder::None,
                ),
            },
            Repr::Large(large) => Self::rounded(
                large.sign.opposite(),
                large.mantissa.clone(),
                large.exponent,
                Remainder::None,
            ),
            Repr::Infinite(sign) => Self(Repr::Infinite(sign.opposite())),
        }
    }

    #[must_use]
    pub fn abs(&self) -> Self {
        if self.is_negative() {
            self.negated()
        } else {
            self.clone()
        }
    }

    /// Towards zero.
    #[must_use]
    pub fn truncated(&self) -> Self {
        match &self.0 {
            Repr::Large(large) if large.exponent < 0 => {
                let whole = &large.mantissa >> large.exponent.unsigned_abs();
                Self::rounded(large.sign, whole, 0, Remainder::None)
            }
            Repr::Small(_) | Repr::Large(_) | Repr::Infinite(_) => self.clone(),
        }
    }

    #[must_use]
    pub fn floor(&self) -> Self {
        let whole = self.truncated();
        if self.is_negative() && &whole != self {
            whole.add(&Self::from(-1)).unwrap_or(whole)
        } else {
            whole
        }
    }

    #[must_use]
    pub fn ceil(&self) -> Self {
        self.negated().floor().negated()
    }

    pub fn add(&self, other: &Self) -> Result<Self, ArithmeticError> {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => {
                if let Some(sum) = a.checked_add(*b) {
                    return Ok(Self(Repr::Small(sum)));
                }
            }
            (Repr::Infinite(a), Repr::Infinite(b)) if a != b => {
                return Err(ArithmeticError::IndeterminateSum);
            }
            (Repr::Infinite(_), _) => return Ok(self.clone()),
            (_, Repr::Infinite(_)) => return Ok(other.clone()),
            (Repr::Small(_) | Repr::Large(_), Repr::Small(_) | Repr::Large(_)) => {}
        }
        let (a, b) = (self.finite(), other.finite());
        // A summand that lies wholly below the other's last bit cannot change it.
        let reach = i64::try_from(PRECISION).expect("a small constant") * 2 + 8;
        match (
            a.top() - b.top(),
            a.mantissa == BigUint::ZERO,
            b.mantissa == BigUint::ZERO,
        ) {
            (_, _, true) => return Ok(self.clone()),
            (_, true, _) => return Ok(other.clone()),
            (gap, ..) if gap > reach => return Ok(self.clone()),
            (gap, ..) if gap < -reach => return Ok(other.clone()),
            _ => {}
        }
        let exponent = a.exponent.min(b.exponent);
        let x = &a.mantissa << (a.exponent - exponent);
        let y = &b.mantissa << (b.exponent - exponent);
        let (sign, sum) = if a.sign == b.sign {
            (a.sign, x + y)
        } else if x >= y {
            (a.sign, x - y)
        } else {
            (b.sign, y - x)
        };
        Ok(Self::rounded(sign, sum, exponent, Remainder::None))
    }

    pub fn subtract(&self, other: &Self) -> Result<Self, ArithmeticError> {
        self.add(&other.negated())
    }

    pub fn multiply(&self, other: &Self) -> Result<Self, ArithmeticError> {
        match (&self.0, &other.0) {
            (Repr::Small(a), Repr::Small(b)) => {
                if let Some(product) = a.checked_mul(*b) {
                    return Ok(Self(Repr::Small(product)));
                }
            }
            (Repr::Infinite(_), _) | (_, Repr::Infinite(_)) => {
                if self.is_zero() || other.is_zero() {
                    return Err(ArithmeticError::IndeterminateProduct);
                }
                return Ok(Self(Repr::Infinite(self.sign().times(other.sign()))));
            }
            (Repr::Small(_) | Repr::Large(_), Repr::Small(_) | Repr::Large(_)) => {}
        }
        let (a, b) = (self.finite(), other.finite());
        Ok(Self::rounded(
            a.sign.times(b.sign),
            a.mantissa * b.mantissa,
            a.exponent + b.exponent,
            Remainder::None,
        ))
    }

    /// Division by zero is infinite, as Terraform has it; only what has no sensible value is refused.
    pub fn divide(&self, other: &Self) -> Result<Self, ArithmeticError> {
        let sign = self.sign().times(other.sign());
        match (self.is_finite(), other.is_finite()) {
            (false, false) => return Err(ArithmeticError::IndeterminateDivision),
            (false, true) => return Ok(Self(Repr::Infinite(sign))),
            (true, false) => return Ok(Self::ZERO),
            (true, true) => {}
        }
        if other.is_zero() {
            return if self.is_zero() {
                Err(ArithmeticError::IndeterminateDivision)
            } else {
                Ok(Self(Repr::Infinite(sign)))
            };
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && a.checked_rem(*b) == Some(0)
            && let Some(quotient) = a.checked_div(*b)
        {
            return Ok(Self(Repr::Small(quotient)));
        }
        let (a, b) = (self.finite(), other.finite());
        Ok(Self::quotient(
            sign,
            &a.mantissa,
            &b.mantissa,
            a.exponent - b.exponent,
        ))
    }

    /// What is left of the division whose quotient is rounded towards zero: it has the sign of the dividend.
    pub fn remainder(&self, other: &Self) -> Result<Self, ArithmeticError> {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0)
            && let Some(remainder) = a.checked_rem(*b)
        {
            return Ok(Self(Repr::Small(remainder)));
        }
        let whole = self.divide(other)?.truncated();
        if !whole.is_finite() {
            return Ok(whole);
        }
        self.subtract(&whole.multiply(other)?)
    }

    fn sign(&self) -> Sign {
        if self.is_negative() {
            Sign::Minus
        } else {
            Sign::Plus
        }
    }

    /// The parts of a finite number.
    fn finite(&self) -> Large {
        match &self.0 {
            Repr::Small(value) => Large {
                sign: self.sign(),
                mantissa: BigUint::from(value.unsigned_abs()),
                exponent: 0,
            },
            Repr::Large(large) => (**large).clone(),
            // Every caller has dealt with infinities; zero keeps the arithmetic total.
            Repr::Infinite(sign) => Large {
                sign: *sign,
                mantissa: BigUint::ZERO,
                exponent: 0,
            },
        }
    }

    fn quotient(sign: Sign, a: &BigUint, b: &BigUint, exponent: i64) -> Self {
        // Two bits more than the precision, so that the remainder decides the last one correctly.
        let shift = (PRECISION + 2 + b.bits()).saturating_sub(a.bits());
        let dividend = a << shift;
        let whole = &dividend / b;
        let remainder = if &whole * b == dividend {
            Remainder::None
        } else {
            Remainder::Some
        };
        let shift = i64::try_from(shift).unwrap_or(i64::MAX);
        Self::rounded(sign, whole, exponent.saturating_sub(shift), remainder)
    }

    /// To the nearest number of 512 bits, ties to even, in lowest terms.
    fn rounded(sign: Sign, mut mantissa: BigUint, mut exponent: i64, remainder: Remainder) -> Self {
        let excess = mantissa.bits().saturating_sub(PRECISION);
        if excess > 0 {
            let half = mantissa.bit(excess - 1);
            let below = remainder == Remainder::Some
                || mantissa
                    .trailing_zeros()
                    .is_some_and(|zeros| zeros < excess - 1);
            mantissa >>= excess;
            if half && (below || mantissa.bit(0)) {
                mantissa += 1u8;
            }
            exponent = exponent.saturating_add(i64::try_from(excess).unwrap_or(i64::MAX));
        }
        let Some(zeros) = mantissa.trailing_zeros() else {
            return Self::ZERO;
        };
        mantissa >>= zeros;
        exponent = exponent.saturating_add(i64::try_from(zeros).unwrap_or(i64::MAX));
        let large = Large {
            sign,
            mantissa,
            exponent,
        };
        if large.top() > EXPONENT_LIMIT {
            return Self(Repr::Infinite(sign));
        }
        if large.top() < -EXPONENT_LIMIT {
            return Self::ZERO;
        }
        if (0..64).contains(&large.exponent)
            && large.top() <= 64
            && let Ok(magnitude) = i128::try_from(&large.mantissa << large.exponent)
            && let Ok(small) = i64::try_from(if sign == Sign::Minus {
                -magnitude
            } else {
                magnitude
            })
        {
            return Self(Repr::Small(small));
        }
        Self(Repr::Large(Arc::new(large)))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Remainder {
    None,
    Some,
}

impl Sign {
    fn opposite(self) -> Self {
        match self {
            Self::Plus => Self::Minus,
            Self::Minus => Self::Plus,
        }
    }

    fn times(self, other: Self) -> Self {
        if self == other {
            Self::Plus
        } else {
            Self::Minus
        }
    }
}

impl Large {
    /// The position of the highest bit.
    fn top(&self) -> i64 {
        i64::try_from(self.mantissa.bits())
            .unwrap_or(i64::MAX)
            .saturating_add(self.exponent)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Repr::Small(value))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.0, &other.0) {
            return a.cmp(b);
        }
        if self == other {
            return Ordering::Equal;
        }
        match (&self.0, &other.0) {
            (Repr::Infinite(Sign::Plus), _) | (_, Repr::Infinite(Sign::Minus)) => {
                return Ordering::Greater;
            }
            (Repr::Infinite(Sign::Minus), _) | (_, Repr::Infinite(Sign::Plus)) => {
                return Ordering::Less;
            }
            _ => {}
        }
        match self.subtract(other) {
            Ok(difference) if difference.is_negative() => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
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

impl Number {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).expect(text)
    }

    #[test]
    fn prints_the_shortest_text_that_reads_back() {
        for text in [
            "0",
            "-7",
            "0.1",
            "2.5",
            "-0.00125",
            "1000",
            "100000000000000000001",
            "9223372036854775808",
        ] {
            assert_eq!(number(text).to_string(), text);
            assert_eq!(number(&number(text).to_string()), number(text));
        }
        assert_eq!(number("1e3").to_string(), "1000");
        assert_eq!(number("0.1").add(&number("0.2")).unwrap(), number("0.3"));
        assert_eq!(number("1e100").to_string(), format!("1{}", "0".repeat(100)));
        let third = number("10").divide(&number("3")).unwrap().to_string();
        assert_eq!(third, format!("3.{}2", "3".repeat(153)));
    }

    #[test]
    fn integers_stay_exact_beyond_machine_words() {
        let big = number("100000000000000000000");
        assert_eq!(
            big.add(&Number::from(1)).unwrap().to_string(),
            "100000000000000000001"
        );
        assert_eq!(
            Number::from(i64::MIN).negated().to_string(),
            "9223372036854775808"
        );
        assert_eq!(
            Number::from(i64::MAX)
                .multiply(&Number::from(2))
                .unwrap()
                .to_string(),
            "18446744073709551614"
        );
        assert_eq!(number("18446744073709551615").to_u64(), Some(u64::MAX));
    }

    #[test]
    fn remainder_has_the_sign_of_the_dividend() {
        let remainder = |a: &str, b: &str| number(a).remainder(&number(b)).unwrap().to_string();
        assert_eq!(remainder("-7", "3"), "-1");
        assert_eq!(remainder("7", "-3"), "1");
        assert_eq!(remainder("5.5", "2"), "1.5");
    }

    #[test]
    fn rounds_towards_the_named_side() {
        assert_eq!(number("-5.1").floor(), Number::from(-6));
        assert_eq!(number("5.1").ceil(), Number::from(6));
        assert_eq!(number("-0.5").ceil(), Number::ZERO);
        assert_eq!(number("1234.5678").to_fixed(2), "1234.57");
        assert_eq!(number("0.5").to_fixed(0), "0");
        assert_eq!(number("99.99").to_fixed(1), "100.0");
        assert_eq!(number("0.001").to_fixed(1), "0.0");
    }

    #[test]
    fn refuses_what_is_not_a_number_or_far_too_large() {
        for text in [
            "",
            "-",
            ".",
            "1e",
            "0x10",
            "1_000",
            "Inf",
            " 1",
            "1e999999999",
            "1e-999999999",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(
            Number::from(1).divide(&Number::ZERO).unwrap().to_string(),
            "+Inf"
        );
        assert!(Number::ZERO.divide(&Number::ZERO).is_err());
    }
}
