//! What a YAML scalar is in JSON.

use std::borrow::Cow;

use serde_saphyr::granit_parser::{ScalarStyle, Tag};

/// Writes a scalar.
pub(super) fn write(value: &str, style: ScalarStyle, tag: Option<&Tag>, out: &mut Vec<u8>) {
    let tagged = tag.and_then(Tag::core_suffix);
    let typed = match tagged {
        Some("str") => false,
        Some("int" | "float" | "bool" | "null") => true,
        _ => style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.suffix() != "binary" && tag.suffix() != ""),
    };
    match typed.then(|| plain(value)).flatten() {
        Some(json) => out.extend_from_slice(json.as_bytes()),
        None => push_text(value, out),
    }
}

/// The JSON of a plain scalar that is not text.
fn plain(value: &str) -> Option<Cow<'_, str>> {
    let word = match value {
        "" | "~" | "null" | "Null" | "NULL" => "null",
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => "true",
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => "false",
        _ => return number(value),
    };
    Some(Cow::Borrowed(word))
}

/// A number as JSON writes it: as it stands where JSON's grammar allows that.
fn number(value: &str) -> Option<Cow<'_, str>> {
    let (minus, digits) = match value.as_bytes().first()? {
        b'-' => ("-", &value[1..]),
        b'+' => ("", &value[1..]),
        _ => ("", value),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let joined;
    let digits = if digits.contains('_') && digits.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
        joined = digits.replace('_', "");
        joined.as_str()
    } else {
        digits
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return whole(minus, rest, radix);
        }
    }
    let octal = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    if octal {
        return whole(minus, digits, 8);
    }
    decimal(value, minus, digits)
}

fn whole(minus: &str, digits: &str, radix: u32) -> Option<Cow<'static, str>> {
    let clean = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = clean.then(|| u64::from_str_radix(digits, radix).ok()).flatten()?;
    Some(Cow::Owned(format!("{minus}{number}")))
}

fn decimal<'a>(value: &'a str, minus: &str, digits: &str) -> Option<Cow<'a, str>> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_digits = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let is_number = all_digits(before)
        && all_digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent_digits.is_none_or(|text| !text.is_empty() && all_digits(text));
    if !is_number {
        return None;
    }
    let stripped = before.trim_start_matches('0');
    let before = if stripped.is_empty() { "0" } else { stripped };
    let point = if after.is_empty() { "" } else { "." };
    let written = match exponent {
        Some(exponent) => format!("{minus}{before}{point}{after}e{exponent}"),
        None => format!("{minus}{before}{point}{after}"),
    };
    Some(if written.eq_ignore_ascii_case(value) { Cow::Borrowed(value) } else { Cow::Owned(written) })
}

/// Writes JSON text.
fn push_text(value: &str, out: &mut Vec<u8>) {
    // Writing text into memory cannot fail.
    out.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
}
