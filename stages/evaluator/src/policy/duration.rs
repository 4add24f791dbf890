//! Durations as people write them: `30s`, `15m`, `1h30m`, `2d`.

use std::time::Duration;

/// Longest duration that a policy may ask for: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Reads one or more whole numbers, each with its unit: `s`, `m`, `h` or `d`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let shown: String = text.chars().take(40).collect();
    let error = || format!("{shown:?} is not a duration: expected numbers with units, such as 30s, 15m, 1h30m or 2d");
    let mut seconds: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| error())?;
        let unit = match rest[digits..].bytes().next() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            _ => return Err(error()),
        };
        seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(error)?;
        rest = &rest[digits + 1..];
    }
    let duration = Duration::from_secs(seconds);
    if duration > LONGEST { Err(format!("{shown:?} is longer than ten years")) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, seconds) in
            [("0s", 0), ("30s", 30), ("15m", 900), ("1h30m", 5_400), ("2d", 172_800), ("24h", 86_400)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "m", "1.5h", "-1m", "10 m", "1y", "99999999999999999999s", "18446744073709551615d", "é"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("4000d").is_err_and(|error| error.contains("ten years")));
    }
}
