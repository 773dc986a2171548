//! Sums, products and quotients, rounded to the precision.

use super::{Number, PRECISION, Remainder, Repr};
use num_bigint::BigUint;

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
}
