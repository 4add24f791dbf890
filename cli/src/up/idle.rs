//! When nothing is in flight any more.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use platform::ports::Broker;

use super::progress::Progress;

/// How often the queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// Waits until no subscription has an unacknowledged message. A handler publishes what follows
/// before its own message is acknowledged, so a moment without any is the end.
pub async fn wait(broker: &dyn Broker, timeout: Duration, progress: &Progress) -> Result<()> {
    let started = tokio::time::Instant::now();
    loop {
        let counts = broker.counts().await.context("cannot read the queues")?.context("this broker cannot tell when it is idle: --once needs the embedded one")?;
        let waiting: u64 = counts.iter().map(|count| count.unacked).sum();
        let done: u64 = counts.iter().map(|count| count.acked + count.dead_lettered).sum();
        progress.messages(done, waiting);
        if waiting == 0 {
            return Ok(());
        }
        if started.elapsed() > timeout {
            let stuck: Vec<_> = counts
                .iter()
                .filter(|count| count.unacked > 0)
                .map(|count| format!("{} at {}", count.unacked, count.subscription))
                .collect();
            bail!("messages still wait after {} s: {} (see the log; what is stored stays, another run goes on with it)", timeout.as_secs(), stuck.join(", "));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
