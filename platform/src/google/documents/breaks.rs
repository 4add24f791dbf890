//! How long a query that breaks off is begun again.

use std::time::Duration;

use tokio::time::Instant;

use crate::layers::{Delays, RetryPolicy};

/// Queries that broke off since the last document.
pub(super) struct Breaks {
    delays: Delays,
    within: Duration,
    /// When the first of them did.
    first: Option<Instant>,
}

impl Breaks {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self { delays: policy.endless(), within: policy.within, first: None }
    }

    /// How long to wait before the next query; none once that would be too late. The time counts from
    /// the first break, so that a query that was silent for longer than that is begun again too.
    pub(super) fn next(&mut self) -> Option<Duration> {
        let first = *self.first.get_or_insert_with(Instant::now);
        let delay = self.delays.next_delay();
        (first.elapsed().saturating_add(delay) <= self.within).then_some(delay)
    }

    /// A document came.
    pub(super) fn over(&mut self) {
        if self.first.take().is_some() {
            self.delays.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { first: Duration::from_millis(100), max: Duration::from_secs(5), within: Duration::from_secs(20) };

    /// Waits as told until it is not told to; how often.
    async fn waits(breaks: &mut Breaks) -> u32 {
        let mut times = 0;
        while let Some(delay) = breaks.next() {
            tokio::time::sleep(delay).await;
            times += 1;
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn queries_are_begun_again_ever_later_and_not_for_ever() {
        let (mut breaks, started) = (Breaks::new(POLICY), Instant::now());
        let times = waits(&mut breaks).await;
        // 100 ms doubled up to 5 s, each up to half more or less.
        assert!((6..=14).contains(&times), "{times}");
        assert!(started.elapsed() <= POLICY.within && started.elapsed() > POLICY.within / 2);
        assert_eq!(breaks.next(), None, "it stays so");
    }

    #[tokio::test(start_paused = true)]
    async fn a_document_in_between_starts_the_count_anew() {
        let mut breaks = Breaks::new(POLICY);
        waits(&mut breaks).await;
        breaks.over();
        assert!(breaks.next().is_some_and(|delay| delay <= POLICY.first * 3 / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_before_the_first_break_does_not_count() {
        let mut breaks = Breaks::new(POLICY);
        tokio::time::sleep(POLICY.within * 3).await;
        assert!(breaks.next().is_some());
    }
}
