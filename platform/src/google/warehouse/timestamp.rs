//! TIMESTAMP cells in every form they are written in, read to the microsecond.
//!
//! BigQuery writes microseconds where it was asked to (`formatOptions.useInt64Timestamp`) and otherwise
//! seconds as a decimal number, with or without an exponent:
//! <https://cloud.google.com/bigquery/docs/reference/rest/v2/tabledata/list>. Text as SQL writes it comes
//! from casts. A number without point and exponent is microseconds: seconds always have one of both.

use anyhow::{Context as _, Result, bail};
use schemas::Timestamp;
use serde_json::Value;

/// Longest text that is read, in bytes.
const MAX_BYTES: usize = 64;
/// Most digits of a number, leading zeros included; as many fit into 128 bits.
const MAX_DIGITS: usize = 36;
/// Largest exponent that is read, in either direction. Times need 12 digits before the point.
const MAX_EXPONENT: u32 = 30;
/// Digits of a microsecond behind a second's point.
const MICRO_DIGITS: i32 = 6;

/// Reads a cell.
///
/// # Errors
/// What is no time, or a time outside the years 1 to 9999.
pub(super) fn read(cell: &Value) -> Result<Timestamp> {
    match cell {
        Value::String(text) => of_text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(micros), _) => in_range(i128::from(micros)).with_context(|| not_a_time(&number.to_string())),
            // The shortest decimal that is this float, with a point or an exponent.
            (None, Some(seconds)) => of_text(&format!("{seconds:?}")),
            (None, None) => bail!(not_a_time(&number.to_string())),
        },
        other => bail!(not_a_time(&other.to_string())),
    }
}

fn of_text(text: &str) -> Result<Timestamp> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.len() > MAX_BYTES {
        bail!(not_a_time(text));
    }
    let numeric = trimmed.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    // A date has no exponent and a minus inside; an exponent's minus comes after its letter.
    let dated = numeric && !trimmed.contains(['e', 'E']) && trimmed.get(1..).is_some_and(|rest| rest.contains('-'));
    if numeric && !dated {
        return micros_of_number(trimmed).and_then(in_range).with_context(|| not_a_time(text));
    }
    Timestamp::parse(trimmed).with_context(|| not_a_time(text))
}

/// Microseconds of a number: as they are without point and exponent, else of seconds. What is below a
/// microsecond is rounded, half away from zero, as a float that was written down in full needs.
fn micros_of_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let count = whole.len().checked_add(fraction.len())?;
    if !plain(whole) || !plain(fraction) || count == 0 || count > MAX_DIGITS || exponent.unsigned_abs() > MAX_EXPONENT {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let is_micros = !digits.contains(['.', 'e', 'E']);
    let shift = if is_micros { 0 } else { exponent + MICRO_DIGITS - i32::try_from(fraction.len()).ok()? };
    let micros = match u32::try_from(shift) {
        Ok(up) => value.checked_mul(10_i128.checked_pow(up)?)?,
        Err(_) => match 10_i128.checked_pow(shift.unsigned_abs()) {
            Some(unit) => value.checked_add(unit / 2)?.checked_div(unit)?,
            None => 0, // of 36 digits at most nothing is left
        },
    };
    Some(if negative { -micros } else { micros })
}

fn in_range(micros: i128) -> Option<Timestamp> {
    i64::try_from(micros)
        .ok()
        .filter(|micros| (Timestamp::MIN.micros()..=Timestamp::MAX.micros()).contains(micros))
        .map(Timestamp::from_micros)
}

fn not_a_time(text: &str) -> String {
    let shown: String = text.chars().take(MAX_BYTES).collect();
    format!("{shown:?} is not a time of the years 1 to 9999")
}

#[cfg(test)]
mod tests;
