//! Plain scalars as values.

use super::Value;

/// Reads a plain scalar: null, boolean, number, or text.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::Text(text.to_owned()), Value::Number),
    }
}

/// A number as JSON writes it: as written, where JSON knows that spelling. What JSON has no number
/// for (`.inf`, `.nan`) stays text.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if let Some(based) = based(digits) {
        return Some(format!("{sign}{based}"));
    }
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], &digits[at..]),
        None => (digits, ""),
    };
    let (whole, fraction) =
        mantissa.split_once('.').map_or((mantissa, None), |(whole, fraction)| (whole, Some(fraction)));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !has_digits || leading_zero || !all_digits(whole) || !fraction.is_none_or(all_digits) || !is_exponent(exponent) {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match fraction {
        None => format!("{sign}{whole}{exponent}"),
        Some("") => format!("{sign}{whole}.0{exponent}"),
        Some(fraction) => format!("{sign}{whole}.{fraction}{exponent}"),
    })
}

/// Whether text is an exponent, or nothing.
fn is_exponent(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return text.is_empty() };
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A hexadecimal or octal number in decimal.
fn based(digits: &str) -> Option<u64> {
    let parsed = |digits: &str, base| {
        let plain = digits.bytes().next().is_some_and(|byte| byte != b'+' && byte != b'-');
        plain.then(|| u64::from_str_radix(digits, base).ok()).flatten()
    };
    match digits.as_bytes() {
        [b'0', b'x', ..] => parsed(&digits[2..], 16),
        [b'0', b'o', ..] => parsed(&digits[2..], 8),
        [b'0', b'0'..=b'7', ..] => parsed(&digits[1..], 8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_spelling_where_json_has_it() {
        let table = [
            ("4", "4"),
            ("0", "0"),
            ("-7", "-7"),
            ("+7", "7"),
            ("1e3", "1e3"),
            ("1E+3", "1E+3"),
            ("0.5", "0.5"),
            ("1.50", "1.50"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("0644", "420"),
            ("00", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ];
        for (written, expected) in table {
            assert_eq!(resolve(written), Value::Number(expected.to_owned()), "{written}");
        }
    }

    #[test]
    fn what_json_cannot_write_as_a_number_is_text() {
        for written in [
            "1.2.3",
            "1e",
            "e3",
            ".",
            "-",
            "+",
            "1_000",
            "0x",
            "0xg",
            "089",
            "500m",
            "4Gi",
            ".inf",
            "-.INF",
            ".nan",
            "yes",
            "1:30",
            "${REPLICAS:-1}",
        ] {
            assert_eq!(resolve(written), Value::Text(written.to_owned()), "{written}");
        }
        assert_eq!(resolve("~"), Value::Null);
        assert_eq!(resolve("TRUE"), Value::Bool(true));
    }

    proptest::proptest! {
        #[test]
        fn every_number_is_one_that_json_reads(written in "[-+]?[0-9.eExo]{1,12}") {
            if let Value::Number(number) = resolve(&written) {
                proptest::prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&number).is_ok(), "{written} → {number}");
            }
        }
    }
}
