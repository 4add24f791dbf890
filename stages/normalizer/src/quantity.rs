//! Kubernetes quantities: `500m`, `1.5`, `4Gi`, `4G`, `1e3`.
//!
//! The grammar and the rounding are those of the Kubernetes API reference, "Quantity"
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>): a signed
//! decimal number with a decimal suffix (n u m k M G T P E), a binary one (Ki … Ei) or a decimal
//! exponent. Arithmetic is exact; [`Quantity::value`] and [`Quantity::milli_value`] round away
//! from zero, as the methods of those names do in Kubernetes.

use std::cmp::Ordering;

/// Longest text read as a quantity, in bytes. Kubernetes writes at most about 20.
const MAX_TEXT: usize = 64;
/// Most significant decimal digits kept, so that any two quantities of equal magnitude can be
/// brought to one exponent within 128 bits.
const MAX_DIGITS: u32 = 38;
/// Largest decimal exponent read or kept, either sign.
const MAX_EXPONENT: i32 = 64;

/// An exact number: ± `mantissa` × 10^`exponent`, without trailing zeros in the mantissa, so that
/// equal numbers are equal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Quantity {
    negative: bool,
    mantissa: u128,
    exponent: i32,
}

/// Why text is not a usable quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not follow the grammar.
    #[error("expected a quantity such as 500m, 1.5 or 4Gi")]
    NotAQuantity,
    /// The text is longer than any quantity is.
    #[error("expected a quantity of at most {MAX_TEXT} characters")]
    TooLong,
    /// It is out of the range of what is calculated with: 38 digits, or 64 bits when rounded.
    #[error("expected a quantity within 64 bits")]
    OutOfRange,
}

/// What a suffix multiplies by.
enum Scale {
    Decimal(i32),
    Binary(u32),
}

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, mantissa: 0, exponent: 0 };

    /// Reads a quantity as written in a manifest, or the text of a JSON number.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        if text.len() > MAX_TEXT {
            return Err(QuantityError::TooLong);
        }
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (mantissa, exponent) = decimal(number)?;
        if mantissa == 0 {
            scale(suffix)?;
            return Ok(Self::ZERO);
        }
        match scale(suffix)? {
            Scale::Decimal(power) => Self::exact(negative, mantissa, exponent.saturating_add(power)),
            Scale::Binary(bits) => {
                let mantissa = mantissa.checked_mul(1 << bits).ok_or(QuantityError::OutOfRange)?;
                Self::exact(negative, mantissa, exponent)
            }
        }
    }

    /// Brings a number to its one form.
    fn exact(negative: bool, mut mantissa: u128, mut exponent: i32) -> Result<Self, QuantityError> {
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        while mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent = exponent.saturating_add(1);
        }
        if mantissa.ilog10() >= MAX_DIGITS || exponent.abs() > MAX_EXPONENT {
            return Err(QuantityError::OutOfRange);
        }
        Ok(Self { negative, mantissa, exponent })
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.negative
    }

    /// The number in whole units (bytes, pods), rounded away from zero.
    pub fn value(self) -> Result<i64, QuantityError> {
        self.rounded(0)
    }

    /// The number in thousandths (millicores), rounded away from zero.
    pub fn milli_value(self) -> Result<i64, QuantityError> {
        self.rounded(3)
    }

    /// The sum, exactly.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        if self.mantissa == 0 || other.mantissa == 0 {
            return Ok(if self.mantissa == 0 { other } else { self });
        }
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.at(exponent)?, other.at(exponent)?);
        let (negative, mantissa) = match (self.negative == other.negative, a.cmp(&b)) {
            (true, _) => (self.negative, a.checked_add(b).ok_or(QuantityError::OutOfRange)?),
            (false, Ordering::Less) => (other.negative, b - a),
            (false, _) => (self.negative, a - b),
        };
        Self::exact(negative, mantissa, exponent)
    }

    /// The mantissa at a smaller or equal exponent.
    fn at(self, exponent: i32) -> Result<u128, QuantityError> {
        u32::try_from(self.exponent.saturating_sub(exponent))
            .ok()
            .and_then(|power| 10_u128.checked_pow(power))
            .and_then(|factor| self.mantissa.checked_mul(factor))
            .ok_or(QuantityError::OutOfRange)
    }

    /// The number × 10^`power`, rounded away from zero to a whole one.
    fn rounded(self, power: i32) -> Result<i64, QuantityError> {
        let exponent = self.exponent.saturating_add(power);
        let shift = exponent.unsigned_abs();
        let magnitude = if exponent >= 0 {
            let factor = 10_u128.checked_pow(shift).ok_or(QuantityError::OutOfRange)?;
            self.mantissa.checked_mul(factor).ok_or(QuantityError::OutOfRange)?
        } else {
            // A divisor beyond 128 bits is larger than any mantissa: what is left rounds to one.
            10_u128.checked_pow(shift).map_or(1, |divisor| self.mantissa.div_ceil(divisor))
        };
        let magnitude = i128::try_from(magnitude).map_err(|_| QuantityError::OutOfRange)?;
        i64::try_from(if self.negative { -magnitude } else { magnitude }).map_err(|_| QuantityError::OutOfRange)
    }

    /// Compares without the sign.
    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        if self.mantissa == 0 || other.mantissa == 0 {
            return self.mantissa.cmp(&other.mantissa);
        }
        // Decimal digits left of the point; equal exponents of ten decide nothing further.
        let reach = |q: &Self| i64::from(q.mantissa.ilog10()) + i64::from(q.exponent);
        reach(self).cmp(&reach(other)).then_with(|| {
            // Equal reach and at most 38 digits each: neither overflows at the smaller exponent.
            let exponent = self.exponent.min(other.exponent);
            let at = |q: &Self| q.at(exponent).unwrap_or(u128::MAX);
            at(self).cmp(&at(other))
        })
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
        }
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Quantity {
    /// A form that reads back as the same number: the digits and, where not 0, the exponent.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        match self.exponent {
            0 => write!(f, "{sign}{}", self.mantissa),
            exponent => write!(f, "{sign}{}e{exponent}", self.mantissa),
        }
    }
}

/// Digits with at most one point, and at least one digit, as mantissa and exponent.
fn decimal(number: &str) -> Result<(u128, i32), QuantityError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return Err(QuantityError::NotAQuantity);
    }
    let fraction = fraction.trim_end_matches('0');
    let mantissa = whole.bytes().chain(fraction.bytes()).try_fold(0_u128, |sum, digit| {
        sum.checked_mul(10)?.checked_add(u128::from(digit - b'0')).filter(|sum| *sum < 10_u128.pow(MAX_DIGITS))
    });
    // The text is at most 64 bytes long.
    let exponent = -i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    Ok((mantissa.ok_or(QuantityError::OutOfRange)?, exponent))
}

/// What comes after the digits.
fn scale(suffix: &str) -> Result<Scale, QuantityError> {
    Ok(match suffix {
        "n" => Scale::Decimal(-9),
        "u" => Scale::Decimal(-6),
        "m" => Scale::Decimal(-3),
        "" => Scale::Decimal(0),
        "k" => Scale::Decimal(3),
        "M" => Scale::Decimal(6),
        "G" => Scale::Decimal(9),
        "T" => Scale::Decimal(12),
        "P" => Scale::Decimal(15),
        "E" => Scale::Decimal(18),
        "Ki" => Scale::Binary(10),
        "Mi" => Scale::Binary(20),
        "Gi" => Scale::Binary(30),
        "Ti" => Scale::Binary(40),
        "Pi" => Scale::Binary(50),
        "Ei" => Scale::Binary(60),
        _ => Scale::Decimal(written_exponent(suffix)?),
    })
}

/// `e3`, `E-3`, `e+3`.
fn written_exponent(suffix: &str) -> Result<i32, QuantityError> {
    let digits = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::NotAQuantity)?;
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(QuantityError::NotAQuantity);
    }
    let exponent: i32 = digits.parse().map_err(|_| QuantityError::OutOfRange)?;
    if exponent.abs() > MAX_EXPONENT { Err(QuantityError::OutOfRange) } else { Ok(exponent) }
}

#[cfg(test)]
mod tests;
