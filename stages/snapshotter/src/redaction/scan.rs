//! The lexical part of JSON (RFC 8259): where a token that starts here ends.

use super::NotAnObject;

/// Bytes looked at together.
const LANES: usize = size_of::<u64>();
/// A one in every lane.
const ONES: u64 = u64::MAX / 0xFF;
/// The highest bit of every lane.
const HIGHS: u64 = ONES << 7;
/// Bytes below this one are control characters, which a string must escape.
const FIRST_PRINTABLE: u8 = 0x20;

/// The first byte from `at` on that is no white space.
#[inline]
pub(super) fn space_end(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// The closing quote of a string whose content starts at `at`, and whether escapes stand in it.
#[inline]
pub(super) fn string_end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), NotAnObject> {
    let mut escaped = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                at = escape_end(bytes, at)?;
                escaped = true;
            }
            Some(_) => return Err(NotAnObject { offset: at, reason: "control character in a string" }),
            None => return Err(NotAnObject { offset: at, reason: "ends within a string" }),
        }
    }
}

/// The first byte from `at` on that is a quote, a backslash or a control character.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(lanes) = bytes.get(at..).and_then(|rest| rest.first_chunk::<LANES>()) {
        let lanes = u64::from_le_bytes(*lanes);
        // A lane below n has its high bit set in `(lane - n) & !lane`. A borrow disturbs only lanes
        // above one that was found, and only the lowest is looked at.
        let below = |lanes: u64, n: u8| lanes.wrapping_sub(ONES * u64::from(n)) & !lanes;
        let equal = |byte: u8| below(lanes ^ (ONES * u64::from(byte)), 1);
        let found = (equal(b'"') | equal(b'\\') | below(lanes, FIRST_PRINTABLE)) & HIGHS;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += LANES;
    }
    while bytes.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..FIRST_PRINTABLE)) {
        at += 1;
    }
    at
}

/// The byte after the escape whose backslash stands at `at`; a surrogate pair is one escape.
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, NotAnObject> {
    let wrong = |reason| NotAnObject { offset: at, reason };
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match code_unit(bytes, at) {
            None => Err(wrong("expected four hex digits after \\u")),
            Some(0xD800..=0xDBFF) => match code_unit(bytes, at + 6) {
                Some(0xDC00..=0xDFFF) => Ok(at + 12),
                _ => Err(wrong("half of a surrogate pair")),
            },
            Some(0xDC00..=0xDFFF) => Err(wrong("half of a surrogate pair")),
            Some(_) => Ok(at + 6),
        },
        _ => Err(wrong("unknown escape")),
    }
}

/// The code unit of a `\uXXXX` at `at`.
fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..)?.first_chunk::<6>()?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// The byte after the number that starts at `at`; none where it has no number's form.
#[inline]
pub(super) fn number_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    at += usize::from(bytes.get(at) == Some(&b'-'));
    at = match bytes.get(at)? {
        b'0' => at + 1,
        b'1'..=b'9' => digits_end(bytes, at),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        at = some_digits_end(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = some_digits_end(bytes, at + 1 + sign)?;
    }
    Some(at)
}

fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// The end of at least one digit.
fn some_digits_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = digits_end(bytes, at);
    (end > at).then_some(end)
}
