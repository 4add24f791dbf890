//! Settings of the loader.

use std::time::Duration;

use platform::runtime::{ConfigError, Period};

/// The longest time snapshots are gathered: a message waits in hand meanwhile, and Pub/Sub gives it to
/// somebody else after six hours.
const LONGEST_LOAD_INTERVAL: Duration = Duration::from_secs(3600);
/// The longest time events are gathered: nobody sees them before.
const LONGEST_EVENT_WAIT: Duration = Duration::from_secs(60);

platform::settings! {
    /// What the loader is told.
    pub struct Config {
        /// How long complete snapshots of one table are gathered into one load job, by all replicas
        /// together; not set: as the warehouse asks, 60 s for BigQuery and 0 for SQLite. What waits
        /// counts against `PODLEDGER_MAX_OUTSTANDING`.
        load_interval: Option<Period>, "period", "longer needs fewer of the 1,500 load jobs BigQuery allows per table and day (below 58 s they may not do), and shows rows later";
        /// How long events of one table are gathered into one write.
        event_wait: Period = "5ms", "period", "longer makes fewer, larger writes and shows events later";
        /// Events in one write, at most.
        event_batch: usize = "500", "events", "more is faster under load and needs more memory";
    }
}

impl Config {
    /// The same settings, if they are within their bounds.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let periods = [
            ("PODLEDGER_LOAD_INTERVAL", self.load_interval.unwrap_or_default(), LONGEST_LOAD_INTERVAL),
            ("PODLEDGER_EVENT_WAIT", self.event_wait, LONGEST_EVENT_WAIT),
        ];
        if let Some((variable, set, most)) = periods.into_iter().find(|(_, set, most)| set.duration() > *most) {
            return Err(ConfigError::new(variable, format!("{:?} is more than {most:?}", set.duration())));
        }
        match self.event_batch {
            0 => Err(ConfigError::new("PODLEDGER_EVENT_BATCH", "0, expected at least 1")),
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::runtime::Env;

    use super::*;

    #[test]
    fn what_would_hold_messages_for_too_long_is_refused_by_name() {
        let checked = |name: &str, value: &str| Env::from_pairs([(name, value)]).read::<Config>().unwrap().checked();
        for (name, most, more) in [
            ("PODLEDGER_LOAD_INTERVAL", "1h", "1h 1s"),
            ("PODLEDGER_EVENT_WAIT", "1m", "61s"),
            ("PODLEDGER_EVENT_BATCH", "1", "0"),
        ] {
            assert!(checked(name, most).is_ok(), "{name}");
            assert_eq!(checked(name, more).unwrap_err().variable, name);
        }
    }
}
