//! The pull loop: take deliveries, have them handled, stop when asked.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config_error::ConfigError;
use super::handle::{Consumer, Stage};
use super::health::{BEAT, Monitor, Pulse};
use super::metrics::{Counters, Gauges};
use super::ports::Ports;
use super::settings::{DeliveryMode, RuntimeSettings};
use super::settle::Work;
use super::shutdown::Shutdown;
use crate::layers::RetryPolicy;
use crate::ports::{Broker, Flow, PortError, Receiver};

/// How long after the drain the last deliveries may take to be given back.
pub(super) const GIVING_BACK: Duration = Duration::from_secs(3);
/// How long the last acknowledgements may take to reach the broker. With the usual drain of 25 s and
/// [`GIVING_BACK`] this is less than 30 s, the usual grace before SIGKILL.
const FLUSHING: Duration = Duration::from_secs(1);
/// How often the backlog is measured.
const BACKLOG_EVERY: Duration = Duration::from_secs(15);
/// Delays before a receiver that failed is opened again.
const RESUBSCRIBE: RetryPolicy =
    RetryPolicy { first: Duration::from_millis(100), max: Duration::from_secs(10), within: Duration::MAX };

/// Runs a stage until the shutdown is asked for and what is in hand is settled.
///
/// Every outcome of a handler is settled: success and lost ownership are acknowledged, an outage (a
/// panic too) is given back with a delay that grows with the delivery attempts, poison becomes a
/// dead letter and is then acknowledged. What is not finished within the drain is given back.
/// Fails where the settings ask for push, which [`serve_push`](super::serve_push) is for, and when a
/// loop itself fails, which is a bug.
pub async fn run(stage: Stage, ports: &Ports, settings: &RuntimeSettings, shutdown: Shutdown) -> anyhow::Result<()> {
    run_monitored(stage, ports, settings, shutdown, &Monitor::of_process()).await
}

/// [`run`], with metrics and health of one's own.
pub(super) async fn run_monitored(
    stage: Stage,
    ports: &Ports,
    settings: &RuntimeSettings,
    shutdown: Shutdown,
    monitor: &Monitor,
) -> anyhow::Result<()> {
    if settings.delivery != DeliveryMode::Pull {
        let reason = "push is served by a stage's own program (expected here: pull)";
        return Err(ConfigError::new("PODLEDGER_DELIVERY", reason).into());
    }
    let mut loops = JoinSet::new();
    let drain_over = CancellationToken::new();
    for consumer in stage.consumers {
        let subscription = consumer.subscription;
        let pulse = monitor.add_loop(format!("{}/{subscription}", stage.name));
        let broker = Arc::clone(&ports.broker);
        let work = Work::new(stage.name, &consumer, Arc::clone(&broker), settings, drain_over.clone(), monitor);
        let pull = Pull {
            consumer,
            broker,
            flow: settings.flow(),
            shutdown: shutdown.clone(),
            pulse,
            work: Arc::new(work),
            oldest: monitor
                .metrics()
                .gauges("podledger_oldest_unacked_seconds", "Age of the oldest message that was not acknowledged."),
            unacked: monitor.metrics().gauges("podledger_unacked_messages", "Messages that were not acknowledged."),
            reopened: monitor
                .metrics()
                .counters("podledger_receivers_reopened", "Receivers that failed and are opened again."),
            stage: stage.name,
        };
        loops.spawn(pull.run());
    }
    tracing::info!(stage = stage.name, consumers = loops.len(), "consuming");
    let drain = settings.drain.duration();
    let end_of_drain = async {
        shutdown.requested().await;
        tokio::time::sleep(drain).await;
        drain_over.cancel();
        std::future::pending::<()>().await;
    };
    let all_loops = async {
        while let Some(ended) = loops.join_next().await {
            ended.with_context(|| format!("a consumer loop of {} failed", stage.name))?;
        }
        Ok::<(), anyhow::Error>(())
    };
    let ended = tokio::select! {
        ended = all_loops => ended,
        () = end_of_drain => Ok(()),
    };
    flush(ports.broker.as_ref()).await;
    tracing::info!(stage = stage.name, "stopped");
    ended
}

/// Waits for what was acknowledged last and may still be on its way: it would come again.
async fn flush(broker: &dyn Broker) {
    match timeout(FLUSHING, broker.flush()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "acknowledgements may not have arrived, their messages come again"),
        Err(_) => tracing::error!("acknowledgements not sent in time, their messages come again"),
    }
}

/// One consumer's loop.
struct Pull {
    consumer: Consumer,
    broker: Arc<dyn Broker>,
    flow: Flow,
    shutdown: Shutdown,
    pulse: Pulse,
    work: Arc<Work>,
    oldest: Gauges,
    unacked: Gauges,
    reopened: Counters,
    stage: &'static str,
}

/// Why deliveries stopped coming.
enum Ended {
    ByShutdown,
    ByError(PortError),
}

impl Pull {
    async fn run(self) {
        let in_hand = TaskTracker::new();
        tokio::select! {
            () = self.receive_until_shutdown(&in_hand) => {}
            // Never ends: it only measures meanwhile.
            () = self.measure_backlog() => {}
        }
        self.pulse.stopped();
    }

    /// Receives, resubscribing after errors; on shutdown waits for what is in hand.
    async fn receive_until_shutdown(&self, in_hand: &TaskTracker) {
        let subscription = self.consumer.subscription;
        let permits = Arc::new(Semaphore::new(self.flow.max_outstanding));
        let mut delays = RESUBSCRIBE.endless();
        loop {
            self.pulse.connecting();
            let subscribed = tokio::select! {
                biased;
                () = self.shutdown.requested() => break,
                subscribed = self.broker.subscribe(subscription, self.flow) => subscribed,
            };
            let error = match subscribed {
                Err(error) => error,
                Ok(mut receiver) => {
                    self.pulse.receiving();
                    let opened = Instant::now();
                    match self.pump(receiver.as_mut(), &permits, in_hand).await {
                        (Ended::ByShutdown, _) => {
                            // The receiver stays open: some brokers settle through its connection.
                            self.drain(in_hand).await;
                            return;
                        }
                        (Ended::ByError(error), received) => {
                            // One that lasted is no failure to open, though nothing came: services end
                            // streams by themselves now and then.
                            if received || opened.elapsed() > RESUBSCRIBE.max {
                                delays.reset();
                            }
                            error
                        }
                    }
                }
            };
            self.pulse.connecting();
            self.reopened.add(&[("stage", self.stage), ("subscription", &subscription.name())], 1);
            let delay = delays.next_delay();
            tracing::warn!(%subscription, %error, delay_ms = delay.as_millis(), "receiver failed, will be opened again");
            tokio::select! {
                () = self.shutdown.requested() => break,
                () = tokio::time::sleep(delay) => {}
            }
        }
        self.drain(in_hand).await;
    }

    /// Takes deliveries, as many at once as there are permits. The flag says whether any came.
    async fn pump(
        &self,
        receiver: &mut dyn Receiver,
        permits: &Arc<Semaphore>,
        in_hand: &TaskTracker,
    ) -> (Ended, bool) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut received = false;
        let mut permit: Option<OwnedSemaphorePermit> = None;
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.requested() => return (Ended::ByShutdown, received),
                _ = beat.tick() => self.pulse.beat(),
                free = Arc::clone(permits).acquire_owned(), if permit.is_none() => match free {
                    Ok(free) => permit = Some(free),
                    // Cannot be: nobody closes the semaphore.
                    Err(_) => return (Ended::ByShutdown, received),
                },
                delivery = receiver.next(), if permit.is_some() => {
                    let delivery = match delivery {
                        Ok(delivery) => delivery,
                        Err(error) => return (Ended::ByError(error), received),
                    };
                    received = true;
                    let (work, permit) = (Arc::clone(&self.work), permit.take());
                    in_hand.spawn(async move {
                        work.on(delivery).await;
                        drop(permit);
                    });
                }
            }
        }
    }

    /// Waits for what is in hand: handlers end with the drain, then their deliveries are given back.
    async fn drain(&self, in_hand: &TaskTracker) {
        in_hand.close();
        if !in_hand.is_empty() {
            tracing::info!(subscription = %self.consumer.subscription, in_hand = in_hand.len(), "draining");
        }
        let given_back = async {
            self.work.drain_over().await;
            tokio::time::sleep(GIVING_BACK).await;
        };
        tokio::select! {
            biased;
            () = in_hand.wait() => {}
            () = given_back => {
                let left = in_hand.len();
                tracing::error!(subscription = %self.consumer.subscription, left, "deliveries left to their leases");
            }
        }
    }

    /// Measures the backlog for as long as it is polled; without a gauge where it is not known.
    async fn measure_backlog(&self) {
        if !self.broker.knows_backlog() {
            return std::future::pending().await;
        }
        let subscription = self.consumer.subscription.name();
        let labels = [("stage", self.stage), ("subscription", subscription.as_str())];
        let mut every = interval(BACKLOG_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            match self.broker.backlog(self.consumer.subscription).await {
                Ok(backlog) => {
                    // Precision beyond 2^53 messages is not needed.
                    self.unacked.set(&labels, backlog.unacked as f64);
                    self.oldest.set(&labels, backlog.oldest_unacked.unwrap_or_default().as_secs_f64());
                }
                Err(error) => tracing::debug!(subscription, %error, "backlog not measured"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
