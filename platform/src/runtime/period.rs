//! Lengths of time in settings.

use std::str::FromStr;
use std::time::Duration;

/// The longest period that can be set: a year of 366 days.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A length of time in a setting: `25` (seconds), `25s`, `1m 30s`, `100ms`, `PT25S`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Period(pub Duration);

impl Period {
    /// The length.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a period: expected seconds, or such as 25s, 1m 30s or 100ms");
        let duration = match text.trim().parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let signed: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
                Duration::try_from(signed).map_err(|_| wrong())?
            }
        };
        if duration > LONGEST {
            return Err(format!("{text:?} is longer than a year"));
        }
        Ok(Self(duration))
    }
}

deserialize_from_text!(Period);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_seconds_or_say_their_unit() {
        for (text, millis) in [("25", 25_000), ("25s", 25_000), ("1m 30s", 90_000), ("100ms", 100), ("0", 0)] {
            assert_eq!(text.parse::<Period>().unwrap().0, Duration::from_millis(millis), "{text}");
        }
        for text in ["", "-1", "-5s", "soon", "1.5", "99999999999", &"9".repeat(10_000)] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
