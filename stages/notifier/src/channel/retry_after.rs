//! The header `Retry-After`: seconds, or an HTTP date (RFC 9110, section 10.2.3).

use std::time::Duration;

use schemas::Timestamp;

/// Longest wait that a receiver may ask for; more is cut to it.
pub(super) const LONGEST: Duration = Duration::from_secs(3_600);

/// The wait that a header asks for at `now`; none where it cannot be read.
pub(super) fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(header.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(header).ok()?;
    Some(Timestamp::from_micros(date.as_microsecond()).since(now).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        let now = Timestamp::parse("1994-11-06T08:49:07Z").unwrap();
        for (header, wait) in [
            ("0", Some(0)),
            ("30", Some(30)),
            (" 30 ", Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("86400", Some(3_600)),
            ("99999999999999999999999", Some(3_600)),
            ("Sun, 06 Nov 2094 08:49:37 GMT", Some(3_600)),
            ("", None),
            ("-1", None),
            ("soon", None),
            ("1.5", None),
        ] {
            assert_eq!(parse(header, now), wait.map(Duration::from_secs), "{header:?}");
        }
    }
}
