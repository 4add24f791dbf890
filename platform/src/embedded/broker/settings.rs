//! What may be chosen about the embedded broker.

use std::time::Duration;

use crate::ports::{PortError, PortResult};

/// Longest lease, and longest delay of a nack, that the broker keeps; longer ones are shortened.
/// As in Pub/Sub. It also bounds how long a clock that was set back can hold a message up.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(600);

/// Settings of one process; processes that share a file should agree on the first two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerSettings {
    /// Deliveries of one message through one subscription, after which it becomes a dead letter.
    /// At least 1, default 10,000: what meets an outage comes back at most once a minute, so the
    /// retention time ends before the attempts do, and nothing is given up because a dependency was
    /// away. Poison does not wait for this: whoever finds it gives it up at once. Lower gives up
    /// sooner on messages that kill whoever takes them.
    pub max_delivery_attempts: u32,
    /// How long a message is kept after it was published; default 7 days, as in Pub/Sub. An
    /// acknowledged message can be sought back to for that long. One that is still not
    /// acknowledged by then becomes a dead letter, so that it does not disappear silently; on the
    /// dead-letters topic itself it is kept until it is acknowledged. Longer costs disk.
    pub retention: Duration,
    /// How often this process looks for messages past the retention time; default 60 s.
    pub retention_interval: Duration,
    /// How long to wait for another process that writes to the file; default 10 s. After that the
    /// call fails, and did not happen.
    pub busy_timeout: Duration,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            max_delivery_attempts: 10_000,
            retention: Duration::from_secs(7 * 24 * 60 * 60),
            retention_interval: Duration::from_secs(60),
            busy_timeout: Duration::from_secs(10),
        }
    }
}

impl BrokerSettings {
    /// Refuses settings under which nothing could be delivered or kept.
    pub(super) fn check(&self, attempted: &str) -> PortResult<()> {
        let zero = [
            ("max_delivery_attempts", self.max_delivery_attempts == 0),
            ("retention", self.retention.is_zero()),
            ("retention_interval", self.retention_interval.is_zero()),
        ];
        match zero.iter().find(|(_, is_zero)| *is_zero) {
            None => Ok(()),
            Some((name, _)) => Err(PortError::never_will(attempted, anyhow::anyhow!("{name} is 0, expected more"))),
        }
    }
}
