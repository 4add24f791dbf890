//! From one delivery to its settlement.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use schemas::{Subscription, Topic};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::handle::{Consumer, HandleError, HandleIncoming};
use super::health::Monitor;
use super::metrics::{Counters, Durations, Gauges};
use super::settings::RuntimeSettings;
use super::trace::TraceContext;
use crate::layers::RetryPolicy;
use crate::ports::{Broker, Delivery, Incoming, Outgoing, PortError};

/// A lease is extended that many times within its length, so that two extensions may fail.
const EXTENSIONS_PER_LEASE: u32 = 3;
/// How long an acknowledgement or giving back may take.
const SETTLING: Duration = Duration::from_secs(10);
/// Longest attribute value, Pub/Sub's bound, in bytes.
const LONGEST_ATTRIBUTE: usize = 1024;
/// Most attributes of a message, Pub/Sub's bound.
const MOST_ATTRIBUTES: usize = 100;
/// Attribute names that start so are refused by Pub/Sub.
const RESERVED_PREFIX: &str = "goog";
/// What such a name is given in front in a dead letter.
const ORIGINAL_PREFIX: &str = "podledger_original_";

/// Handles and settles the deliveries of one consumer.
pub(super) struct Work {
    stage: &'static str,
    subscription: Subscription,
    handle: Arc<dyn HandleIncoming>,
    broker: Arc<dyn Broker>,
    lease: Duration,
    redelivery: RetryPolicy,
    drain_over: CancellationToken,
    messages: Counters,
    unconfirmed: Counters,
    handle_seconds: Durations,
    in_hand: Gauges,
}

/// What becomes of a delivery, and the word for it in metrics and logs.
#[derive(Debug, PartialEq, Eq)]
enum Settlement {
    Ack(&'static str),
    Nack(Duration, &'static str),
}

impl Work {
    pub(super) fn new(
        stage: &'static str,
        consumer: &Consumer,
        broker: Arc<dyn Broker>,
        settings: &RuntimeSettings,
        drain_over: CancellationToken,
        monitor: &Monitor,
    ) -> Self {
        let metrics = monitor.metrics();
        Self {
            stage,
            subscription: consumer.subscription,
            handle: Arc::clone(&consumer.handle),
            broker,
            lease: settings.lease.duration(),
            redelivery: settings.redelivery(),
            drain_over,
            messages: metrics.counters("podledger_messages", "Messages settled, by outcome."),
            unconfirmed: metrics.counters(
                "podledger_acks_unconfirmed",
                "Acknowledgements that failed or were not answered in time; their messages may come again.",
            ),
            handle_seconds: metrics.durations("podledger_handle_seconds", "Time from delivery to settlement."),
            in_hand: metrics.gauges("podledger_messages_in_hand", "Messages being handled."),
        }
    }

    /// Waits until handlers have to end.
    pub(super) async fn drain_over(&self) {
        self.drain_over.cancelled().await;
    }

    /// Handles and settles one delivery.
    pub(super) async fn on(&self, delivery: Delivery) {
        self.on_until(delivery, None).await;
    }

    /// Handles and settles one delivery; what is not handled by then is given back.
    pub(super) async fn on_until(&self, delivery: Delivery, cut: Option<Instant>) {
        let trace = TraceContext::for_message(&delivery.message.attributes);
        let span = tracing::info_span!(
            "handle",
            stage = self.stage,
            subscription = %self.subscription,
            message_id = delivery.message.message_id,
            attempt = delivery.message.delivery_attempt,
            trace_id = trace.trace_id(),
            span_id = trace.span_id(),
        );
        trace.scope(self.handle_and_settle(delivery, cut).instrument(span)).await;
    }

    async fn handle_and_settle(&self, delivery: Delivery, cut: Option<Instant>) {
        let subscription = self.subscription.name();
        let labels = [("stage", self.stage), ("subscription", subscription.as_str())];
        let started = Instant::now();
        self.in_hand.add(&labels, 1.0);
        let settlement = tokio::select! {
            biased;
            settlement = self.decide(&delivery.message) => settlement,
            () = self.drain_over.cancelled() => {
                tracing::warn!("not finished within the drain, given back");
                Settlement::Nack(Duration::ZERO, "given-back")
            }
            () = moment(cut) => {
                tracing::warn!("not finished within its deadline, given back");
                Settlement::Nack(Duration::ZERO, "deadline")
            }
            never = self.keep_lease(&delivery) => match never {},
        };
        let outcome = match settlement {
            Settlement::Ack(outcome) => self.ack(delivery, outcome, &labels).await,
            Settlement::Nack(delay, outcome) => nack(delivery, delay, outcome).await,
        };
        let elapsed = started.elapsed();
        self.in_hand.add(&labels, -1.0);
        self.handle_seconds.observe(&labels, elapsed);
        self.messages.add(&[labels[0], labels[1], ("outcome", outcome)], 1);
        tracing::info!(outcome, elapsed_ms = elapsed.as_millis(), "message settled");
    }

    /// Has the message handled and turns the result into a settlement. Poison is a dead letter when
    /// this returns.
    async fn decide(&self, message: &Incoming) -> Settlement {
        let handled = AssertUnwindSafe(async { self.handle.handle_incoming(message).await }).catch_unwind().await;
        let error = match handled {
            Ok(Ok(())) => return Settlement::Ack("acked"),
            Ok(Err(error)) => error,
            Err(panic) => {
                tracing::error!(panic = panic_text(&*panic), "handler panicked");
                return Settlement::Nack(self.redelivery.after_attempt(message.delivery_attempt), "panicked");
            }
        };
        match error {
            HandleError::LostOwnership(reason) => {
                tracing::info!(reason, "already done elsewhere");
                Settlement::Ack("lost-ownership")
            }
            HandleError::Outage(error) => {
                let not_set_up = error.downcast_ref::<PortError>().is_some_and(PortError::is_not_set_up);
                let delay = self.redelivery.after_attempt(message.delivery_attempt);
                let (error, delay_ms) = (format!("{error:#}"), delay.as_millis());
                match not_set_up {
                    true => tracing::error!(error, delay_ms, "something is not set up or not granted, given back"),
                    false => tracing::warn!(error, delay_ms, "outage, given back"),
                }
                Settlement::Nack(delay, if not_set_up { "not-set-up" } else { "nacked" })
            }
            HandleError::Poison(error) => self.dead_letter(message, &format!("{error:#}")).await,
        }
    }

    /// Publishes the dead letter. A dead letter that is poison itself would make another one, which
    /// would make another one: it is kept waiting for a person instead.
    async fn dead_letter(&self, message: &Incoming, reason: &str) -> Settlement {
        if self.subscription.topic == Topic::DeadLetters {
            tracing::error!(reason, "dead letter that cannot be handled, kept at the broker");
            return Settlement::Nack(self.redelivery.max, "poison-kept");
        }
        let letter = self.letter(message, reason);
        match self.broker.publish(Topic::DeadLetters, vec![letter]).await {
            Ok(_) => {
                tracing::error!(reason, "poison, now a dead letter");
                Settlement::Ack("dead-lettered")
            }
            Err(error) => {
                let delay = self.redelivery.after_attempt(message.delivery_attempt);
                tracing::error!(reason, %error, "poison, but the dead letter could not be published");
                Settlement::Nack(delay, "nacked")
            }
        }
    }

    /// The original bytes and attributes, with where from and why.
    fn letter(&self, message: &Incoming, reason: &str) -> Outgoing {
        let ours = [
            ("podledger_stage", self.stage.to_owned()),
            ("podledger_reason", shortened(reason, LONGEST_ATTRIBUTE).to_owned()),
            ("podledger_topic", self.subscription.topic.name().to_owned()),
            ("podledger_subscription", self.subscription.name()),
            ("podledger_message_id", message.message_id.clone()),
        ];
        let theirs = message.attributes.iter().map(|(name, value)| match name.starts_with(RESERVED_PREFIX) {
            true => (format!("{ORIGINAL_PREFIX}{name}"), value.clone()),
            false => (name.clone(), value.clone()),
        });
        let mut attributes: std::collections::BTreeMap<_, _> = theirs.take(MOST_ATTRIBUTES - ours.len()).collect();
        attributes.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        Outgoing { payload: message.payload.clone(), attributes, ordering_key: None }
    }

    /// Acknowledges. Of what fails here nobody knows whether it is acknowledged: it is counted, and
    /// comes again after its lease if it is not.
    async fn ack(&self, delivery: Delivery, outcome: &'static str, labels: &[(&str, &str)]) -> &'static str {
        let error = match timeout(SETTLING, delivery.ack()).await {
            Ok(Ok(true)) => return outcome,
            Ok(Ok(false)) => return "lease-lost",
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.unconfirmed.add(labels, 1);
        settle_failed(&error)
    }

    /// Extends the lease for as long as it is polled. A lease that is lost is not fought for: the
    /// work goes on, since whoever has the message now finds it done.
    async fn keep_lease(&self, delivery: &Delivery) -> Infallible {
        let every = self.lease / EXTENSIONS_PER_LEASE;
        let mut tick = interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            match timeout(every, delivery.extend()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    tracing::warn!("lease lost, somebody else will get the message too");
                    return std::future::pending().await;
                }
                Ok(Err(error)) => tracing::warn!(%error, "lease not extended, will be tried again"),
                Err(_) => tracing::warn!("lease not extended in time, will be tried again"),
            }
        }
    }
}

/// Waits until then; for ever, if there is no then.
async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Gives it back; what fails here comes again after its lease, so it is only reported.
async fn nack(delivery: Delivery, delay: Duration, outcome: &'static str) -> &'static str {
    match timeout(SETTLING, delivery.nack(delay)).await {
        Ok(Ok(())) => outcome,
        Ok(Err(error)) => settle_failed(&error.to_string()),
        Err(_) => settle_failed("no answer in time"),
    }
}

fn settle_failed(error: &str) -> &'static str {
    tracing::warn!(error, "not settled, comes again after its lease");
    "settle-failed"
}

/// What a panic said, where it said it with text.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text")
}

/// The text's beginning, at most so many bytes, never half a character.
fn shortened(text: &str, most_bytes: usize) -> &str {
    let mut end = text.len().min(most_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
