//! Settings of the loader.

use platform::runtime::{ConfigError, Period};

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
        match self.event_batch {
            0 => Err(ConfigError::new("PODLEDGER_EVENT_BATCH", "0, expected at least 1")),
            _ => Ok(self),
        }
    }
}
