//! Numbers as Terraform holds them: binary floating point with 512 bits of precision, integers exact.
//!
//! A number is kept in lowest terms (an odd mantissa, or a machine integer where it fits), so that equality is structural.

mod arithmetic;
mod decimal;

pub use arithmetic::ArithmeticError;

use num_bigint::BigUint;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The precision of Terraform's numbers, in bits of mantissa.
const PRECISION: u64 = 512;

/// Beyond 2^±this a result is infinite or zero: far outside anything a configuration holds, and small enough that no
/// input can make a number of unbounded size.
const EXPONENT_LIMIT: i64 = 1 << 15;

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

impl Number {
    pub const ZERO: Self = Self(Repr::Small(0));

    pub fn from_u64(value: u64) -> Self {
        Self::rounded(Sign::Plus, BigUint::from(value), 0, Remainder::None)
    }

    /// How many there are of something.
    pub fn count(value: usize) -> Self {
        Self::rounded(Sign::Plus, BigUint::from(value), 0, Remainder::None)
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
