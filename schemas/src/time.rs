//! Moments: microseconds since the Unix epoch, in UTC.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC with microsecond resolution, within years 1 to 9999.
///
/// Microseconds (a long) in Avro and SQLite; RFC 3339 with `Z` in JSON and for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Text that is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time: expected RFC 3339, such as 2026-10-01T12:00:00Z")]
pub struct TimestampError {
    /// The text, shortened.
    pub text: String,
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-30T22:00:00Z: the last moment that every time zone can write with four digits
    /// of a year, and jiff's own bound.
    pub const MAX: Self = Self(253_402_207_200_000_000);

    /// From microseconds since the epoch, clamped to the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// From whole seconds since the epoch, clamped to the years 1 to 9999.
    pub fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The machine's clock, now. Only the clock port and the brokers' leases may ask.
    pub fn system_now() -> Self {
        Self::from_micros(jiff::Timestamp::now().as_microsecond())
    }

    /// Reads RFC 3339 with 0 to 9 fraction digits (what is below a microsecond is dropped). As some
    /// log sources write it, the `T` may be a space and the zone may be missing: then it is UTC.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let error = || TimestampError { text: text.chars().take(64).collect() };
        if !(10..=64).contains(&text.len()) {
            return Err(error());
        }
        let text = text.trim();
        let moment: Result<jiff::Timestamp, _> = text.parse();
        let moment = moment.or_else(|_| {
            let local: jiff::civil::DateTime = text.trim_end_matches(" UTC").parse().map_err(|_| error())?;
            local.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|_| error())
        })?;
        let micros = moment.as_nanosecond().div_euclid(1_000);
        i64::try_from(micros)
            .ok()
            .filter(|micros| (Self::MIN.0..=Self::MAX.0).contains(micros))
            .map(Self)
            .ok_or_else(error)
    }

    /// The moment that much later, at most [`Timestamp::MAX`].
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The moment that much earlier, at least [`Timestamp::MIN`].
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The day in UTC, as `yyyy-mm-dd`.
    pub fn day(self) -> String {
        self.jiff().strftime("%Y-%m-%d").to_string()
    }

    /// The same moment for calendar arithmetic.
    pub fn jiff(self) -> jiff::Timestamp {
        // Cannot fail: the value is within jiff's range by construction.
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.jiff().to_string())
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self::from_micros)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn written_forms_of_one_moment_are_one_moment() {
        let expected = Timestamp::parse("2026-10-01T12:00:00Z").unwrap();
        for text in [
            "2026-10-01T14:00:00+02:00",
            "2026-10-01 12:00:00",
            "2026-10-01T12:00:00.000000000Z",
            "2026-10-01 12:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text).unwrap(), expected, "{text}");
        }
        assert_eq!(Timestamp::parse("2026-10-01T12:00:00.123456789Z").unwrap().micros() % 1_000_000, 123_456);
    }

    #[test]
    fn the_first_and_the_last_moment_survive_being_written_and_read() {
        for moment in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(Timestamp::parse(&moment.to_string()).unwrap(), moment);
        }
        assert!(Timestamp::parse("9999-12-31T23:59:59Z").is_err());
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "12:00", &"9".repeat(10_000)] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_survives_being_written_and_read(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let moment = Timestamp::from_micros(micros);
            prop_assert_eq!(Timestamp::parse(&moment.to_string()).unwrap(), moment);
        }
    }
}
