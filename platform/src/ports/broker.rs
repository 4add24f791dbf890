//! The broker port: topics, subscriptions, deliveries.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemas::{Encoded, Message, Subscription, Timestamp, Topic};

use super::{PortError, PortResult};

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// The payload, 10 MB at most (Pub/Sub's bound).
    pub payload: Vec<u8>,
    /// Attributes; names must not start with `goog`.
    pub attributes: BTreeMap<String, String>,
    /// Messages of one key are delivered in the order they were published.
    pub ordering_key: Option<String>,
}

impl From<Encoded> for Outgoing {
    fn from(encoded: Encoded) -> Self {
        Self { payload: encoded.bytes, attributes: encoded.attributes, ordering_key: None }
    }
}

/// A message as delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Id the broker gave it.
    pub message_id: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Attributes.
    pub attributes: BTreeMap<String, String>,
    /// Ordering key.
    pub ordering_key: Option<String>,
    /// When it was published.
    pub published_at: Timestamp,
    /// How often it was delivered through this subscription, this time included; from 1.
    pub delivery_attempt: u32,
}

/// Bounds of one receiver.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// Deliveries that may be unsettled at once.
    pub max_outstanding: usize,
    /// How long a delivery is ours before it is given to somebody else; extended while held.
    pub lease: Duration,
}

/// Where to seek a subscription to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeekTo {
    /// Everything published at or after that time is delivered again, everything before counts as
    /// acknowledged.
    Time(Timestamp),
}

/// What waits at a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Messages not yet acknowledged, leased ones included.
    pub unacked: u64,
    /// Age of the oldest of them.
    pub oldest_unacked: Option<Duration>,
}

/// A subscription's count of messages since it exists, for the conservation proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionCounts {
    /// The subscription's name.
    pub subscription: String,
    /// Messages published to its topic since it exists.
    pub published: u64,
    /// Messages acknowledged.
    pub acked: u64,
    /// Messages the dead-letter policy moved away.
    pub dead_lettered: u64,
    /// Messages that wait.
    pub unacked: u64,
}

/// Topics and subscriptions.
///
/// Promises:
/// - `publish` returns ids only when the messages are durable; then each existing subscription of
///   the topic delivers each of them at least once, also after every process was killed.
/// - A delivery that is not acknowledged comes again: at once after a nack without delay, after
///   its lease otherwise, with a higher delivery attempt.
/// - A subscription that orders delivers the messages of one key one after the other, in the order
///   published; the next one only once the one before is acknowledged or dead-lettered.
/// - A message delivered more often than the dead-letter policy allows is moved to `dead-letters`
///   with the attributes `podledger_topic`, `podledger_subscription`, `podledger_message_id`,
///   `podledger_reason` and its own, never lost.
/// - Acknowledged messages are kept for the retention time and delivered again after a seek.
/// - After a receiver was dropped and `flush` returned, what was acknowledged does not come again
///   because this process ended.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Publishes messages to one topic, in order; all are durable on return, or an error says
    /// whether some may be.
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>>;

    /// Opens a receiver. Several receivers of one subscription share its messages.
    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>>;

    /// Seeks a subscription.
    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()>;

    /// What waits at a subscription; `NeverWill` where that is [not known](Broker::knows_backlog).
    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog>;

    /// Whether [`Broker::backlog`] is known to this broker. Pub/Sub tells it elsewhere (Cloud
    /// Monitoring): nobody should ask again and again then.
    fn knows_backlog(&self) -> bool {
        true
    }

    /// Counts of every subscription; `None` where the broker cannot count (Pub/Sub).
    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>>;

    /// Whether the broker answers at all: for readiness.
    async fn ping(&self) -> PortResult<()>;

    /// Waits until the settlements of receivers that were dropped have reached the broker, all of
    /// whose deliveries must be settled. Brokers whose settlements are made when they return, which
    /// is the default, have nothing to wait for. Unbounded in time.
    async fn flush(&self) -> PortResult<()> {
        Ok(())
    }
}

impl dyn Broker + '_ {
    /// Publishes messages of one type, each under its own ordering key.
    pub async fn publish_messages<M: Message>(&self, messages: &[M]) -> PortResult<Vec<String>> {
        let outgoing = messages
            .iter()
            .map(|message| {
                let ordering_key = message.ordering_key();
                message.encode().map(|encoded| Outgoing { ordering_key, ..encoded.into() })
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| PortError::never_will(format!("encode for {}", M::TOPIC), error))?;
        if outgoing.is_empty() { Ok(Vec::new()) } else { self.publish(M::TOPIC, outgoing).await }
    }
}

/// A stream of deliveries.
#[async_trait]
pub trait Receiver: Send {
    /// The next delivery; waits for one. Cancel-safe: a delivery is never lost by dropping the
    /// future.
    async fn next(&mut self) -> PortResult<Delivery>;
}

/// Settles one delivery; adapters implement it.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Acknowledges. `Ok(false)`: the lease was lost before, somebody else will get it again.
    async fn ack(&self) -> PortResult<bool>;

    /// Gives it back, to be delivered again after the delay at the earliest (brokers without delay
    /// ignore it).
    async fn nack(&self, delay: Duration) -> PortResult<()>;

    /// Extends the lease by the flow's lease time. `Ok(false)`: it was lost.
    async fn extend(&self) -> PortResult<bool>;

    /// Called from `Drop` when nobody settled: gives it back without waiting.
    fn abandon(&self);
}

/// One delivered message. It must be settled; dropping it gives it back and says so.
#[must_use = "a delivery that is not settled is given back"]
pub struct Delivery {
    /// The message.
    pub message: Incoming,
    settle: Option<Box<dyn Settle>>,
}

impl Delivery {
    /// A delivery that the adapter settles.
    pub fn new(message: Incoming, settle: Box<dyn Settle>) -> Self {
        Self { message, settle: Some(settle) }
    }

    /// Acknowledges; see [`Settle::ack`].
    pub async fn ack(mut self) -> PortResult<bool> {
        match self.settle.take() {
            Some(settle) => settle.ack().await,
            None => Ok(false),
        }
    }

    /// Gives it back; see [`Settle::nack`].
    pub async fn nack(mut self, delay: Duration) -> PortResult<()> {
        match self.settle.take() {
            Some(settle) => settle.nack(delay).await,
            None => Ok(()),
        }
    }

    /// Extends the lease; see [`Settle::extend`].
    pub async fn extend(&self) -> PortResult<bool> {
        match &self.settle {
            Some(settle) => settle.extend().await,
            None => Ok(false),
        }
    }

    /// Splits off the settlement, for decorators.
    pub fn into_parts(mut self) -> (Incoming, Option<Box<dyn Settle>>) {
        let settle = self.settle.take();
        (std::mem::replace(&mut self.message, Incoming::empty()), settle)
    }
}

impl Incoming {
    /// Stands in for a message that was moved out of its delivery.
    fn empty() -> Self {
        Self {
            message_id: String::new(),
            payload: Vec::new(),
            attributes: BTreeMap::new(),
            ordering_key: None,
            published_at: Timestamp::MIN,
            delivery_attempt: 1,
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            tracing::warn!(message_id = self.message.message_id, "delivery dropped unsettled, given back");
            settle.abandon();
        }
    }
}
