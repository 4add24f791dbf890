//! The one retry: jittered, exponential, bounded in time; on the `backoff` crate, used nowhere else
//! (see `docs/decisions/0002-backoff.md`).

mod broker;
mod objects;
mod replay;
mod warehouse;

use std::time::{Duration, Instant};

use backoff::Clock;
use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoff;

use crate::ports::{PortError, PortResult};

pub use broker::RetryBroker;
pub use objects::RetryObjects;
pub use warehouse::RetryWarehouse;

/// Each delay is about that many times the one before.
const MULTIPLIER: f64 = 2.0;
/// A delay is drawn from this share below to this share above its step.
const JITTER: f64 = 0.5;
/// Steps after which a delay has certainly reached its greatest: 2^64 nanoseconds are 584 years.
const MOST_STEPS: u32 = 64;

/// When to try again, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first delay, before jitter.
    pub first: Duration,
    /// The greatest delay, after jitter.
    pub max: Duration,
    /// No retry starts later than this after the first try began.
    pub within: Duration,
}

impl Default for RetryPolicy {
    /// 100 ms, doubling up to 5 s, for 20 s: shorter than a drain, so that an outage ends before
    /// the process must.
    fn default() -> Self {
        Self { first: Duration::from_millis(100), max: Duration::from_secs(5), within: Duration::from_secs(20) }
    }
}

impl RetryPolicy {
    /// Delays without an end, for loops that must go on (`within` is not used).
    pub fn endless(&self) -> Delays {
        Delays { backoff: self.backoff(None), max: self.max }
    }

    /// The delay after that many attempts (from 1), for retries whose state is kept elsewhere, such
    /// as a broker's delivery attempts.
    pub fn after_attempt(&self, attempt: u32) -> Duration {
        let mut delays = self.endless();
        let mut delay = delays.next_delay();
        for _ in 1..attempt.min(MOST_STEPS) {
            delay = delays.next_delay();
        }
        delay
    }

    /// All limits are said here; the crate's own defaults would go on for 15 minutes.
    fn backoff(&self, within: Option<Duration>) -> ExponentialBackoff<RuntimeClock> {
        ExponentialBackoff {
            current_interval: self.first,
            initial_interval: self.first,
            randomization_factor: JITTER,
            multiplier: MULTIPLIER,
            max_interval: self.max,
            start_time: RuntimeClock.now(),
            max_elapsed_time: within,
            clock: RuntimeClock,
        }
    }
}

/// Growing delays without an end.
#[derive(Debug)]
pub struct Delays {
    backoff: ExponentialBackoff<RuntimeClock>,
    max: Duration,
}

impl Delays {
    /// The next delay, at most the policy's greatest.
    pub fn next_delay(&mut self) -> Duration {
        self.backoff.next_backoff().map_or(self.max, |delay| delay.min(self.max))
    }

    /// Starts again with the first delay, after a success.
    pub fn reset(&mut self) {
        self.backoff.reset();
    }
}

/// What to do when a call may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDoubt {
    /// Call again: the same call twice is the same effect and the same answer.
    Repeat,
    /// Give up: a second call could answer differently although the first one did the work.
    GiveUp,
}

/// Calls until it succeeds, until it never will, or until the policy's time is over; the error is
/// then the last call's.
pub async fn retry<T, F, Fut>(policy: &RetryPolicy, after_doubt: AfterDoubt, mut call: F) -> PortResult<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = PortResult<T>>,
{
    let mut backoff = policy.backoff(Some(policy.within));
    loop {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let again = match &error {
            PortError::DidNotHappen { .. } => true,
            PortError::MayHaveHappened { .. } => after_doubt == AfterDoubt::Repeat,
            PortError::NeverWill { .. } => false,
        };
        match backoff.next_backoff().filter(|_| again) {
            Some(delay) => {
                let delay = delay.min(policy.max);
                tracing::warn!(%error, delay_ms = delay.as_millis(), "call failed, will be tried again");
                tokio::time::sleep(delay).await;
            }
            None => return Err(error),
        }
    }
}

/// The async runtime's clock, which tests can stop.
#[derive(Debug, Clone, Copy)]
struct RuntimeClock;

impl Clock for RuntimeClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests;
