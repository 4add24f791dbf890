//! Moments as documents hold them: nanoseconds, and the last two days of the year 9999, which mean
//! "never" in many a database and which [`Timestamp`] does not reach.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use schemas::Timestamp;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
/// 0001-01-01T00:00:00Z, in seconds since the epoch: Firestore's first moment.
const FIRST_SECOND: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z: its last second.
const LAST_SECOND: i64 = 253_402_300_799;
const NANOS_PER_SECOND: u32 = 1_000_000_000;
const NANOS_PER_MICRO: u32 = 1_000;
const MICROS_PER_SECOND: i64 = 1_000_000;
/// Longest text of a moment that is read, in bytes.
const LONGEST_TEXT: usize = 64;

/// A moment in UTC within the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    /// Whole seconds since the epoch, rounded down.
    seconds: i64,
    /// Nanoseconds after them.
    nanos: u32,
}

/// What is no moment within the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the years 1 to 9999 in RFC 3339, such as 2026-10-01T12:00:00Z")]
pub struct NotAMoment;

impl Moment {
    /// The moment that many seconds and nanoseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// Outside the years 1 to 9999, and for a whole second of nanoseconds or more.
    pub fn new(seconds: i64, nanos: u32) -> Result<Self, NotAMoment> {
        let within = (FIRST_SECOND..=LAST_SECOND).contains(&seconds) && nanos < NANOS_PER_SECOND;
        within.then_some(Self { seconds, nanos }).ok_or(NotAMoment)
    }

    /// Reads RFC 3339, with any offset.
    ///
    /// # Errors
    /// For any other text.
    pub fn parse(text: &str) -> Result<Self, NotAMoment> {
        if text.len() > LONGEST_TEXT {
            return Err(NotAMoment);
        }
        let since_epoch = match text.strip_suffix(['Z', 'z']) {
            Some(civil) if civil.contains(['T', 't']) => {
                civil.parse::<DateTime>().map_err(|_| NotAMoment)?.duration_since(EPOCH)
            }
            _ => text.parse::<jiff::Timestamp>().map_err(|_| NotAMoment)?.as_duration(),
        };
        let (mut seconds, mut nanos) = (since_epoch.as_secs(), since_epoch.subsec_nanos());
        if nanos < 0 {
            // jiff counts both from the epoch outwards.
            seconds = seconds.checked_sub(1).ok_or(NotAMoment)?;
            nanos = nanos.checked_add(NANOS_PER_SECOND.cast_signed()).ok_or(NotAMoment)?;
        }
        Self::new(seconds, u32::try_from(nanos).map_err(|_| NotAMoment)?)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after them.
    pub const fn nanos(self) -> u32 {
        self.nanos
    }

    /// The same moment as columns hold it: microseconds, the rest dropped, at most
    /// [`Timestamp::MAX`].
    pub fn timestamp(self) -> Timestamp {
        let micros = self.seconds.saturating_mul(MICROS_PER_SECOND);
        Timestamp::from_micros(micros.saturating_add(i64::from(self.nanos / NANOS_PER_MICRO)))
    }
}

impl std::fmt::Display for Moment {
    /// RFC 3339 with `Z` and as many digits of a fraction as it needs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let since_epoch = SignedDuration::from_secs(self.seconds)
            .checked_add(SignedDuration::from_nanos(i64::from(self.nanos)))
            .ok_or(std::fmt::Error)?;
        // Within the years 1 to 9999 by construction, which a civil time can say.
        let civil = EPOCH.checked_add(since_epoch).map_err(|_| std::fmt::Error)?;
        write!(f, "{civil}Z")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_read_as_the_database_writes_them() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2026-10-01T12:00:00.123456789Z", 1_790_856_000, 123_456_789),
            ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
            ("0001-01-01T00:00:00Z", FIRST_SECOND, 0),
            ("9999-12-31T23:59:59.999999999Z", LAST_SECOND, 999_999_999),
        ] {
            let moment = Moment::new(seconds, nanos).unwrap();
            assert_eq!(Moment::parse(text), Ok(moment), "{text}");
            assert_eq!(moment.to_string(), text);
        }
        assert_eq!(Moment::parse("2026-10-01T14:00:00+02:00"), Moment::new(1_790_856_000, 0));
        assert_eq!(Moment::parse("9999-12-31T23:59:59Z").unwrap().timestamp(), Timestamp::MAX);
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let long = format!("2026-10-01T12:00:00.{}Z", "0".repeat(80));
        for text in
            ["", "Z", "now", "2026-10-01", "2026-10-01T12:00:00", "2026-13-01T00:00:00Z", "0000-12-31T23:59:59Z", &long]
        {
            assert_eq!(Moment::parse(text), Err(NotAMoment), "{text:?}");
        }
        for (seconds, nanos) in
            [(LAST_SECOND + 1, 0), (FIRST_SECOND - 1, 0), (0, NANOS_PER_SECOND), (i64::MIN, u32::MAX)]
        {
            assert_eq!(Moment::new(seconds, nanos), Err(NotAMoment));
        }
    }

    proptest! {
        #[test]
        fn every_moment_survives_being_written(seconds in FIRST_SECOND..=LAST_SECOND, nanos in 0..NANOS_PER_SECOND) {
            let moment = Moment::new(seconds, nanos).unwrap();
            prop_assert_eq!(Moment::parse(&moment.to_string()), Ok(moment));
        }
    }
}
