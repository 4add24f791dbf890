//! Retry over the broker port.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::{Subscription, Topic};

use super::{AfterDoubt, RetryPolicy, retry};
use crate::ports::{Backlog, Broker, Flow, Outgoing, PortResult, Receiver, SeekTo, SubscriptionCounts};

/// A broker whose publishes are retried. A message published twice carries the same ids, so
/// whoever receives it does the same work twice, not twice the work.
pub struct RetryBroker {
    inner: Arc<dyn Broker>,
    policy: RetryPolicy,
}

impl RetryBroker {
    /// Retries over a broker.
    pub fn new(inner: Arc<dyn Broker>, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }
}

#[async_trait]
impl Broker for RetryBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.publish(topic, messages.clone())).await
    }

    /// Not retried: whoever consumes decides how to come back.
    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>> {
        self.inner.subscribe(subscription, flow).await
    }

    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.seek(subscription, to)).await
    }

    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.backlog(subscription)).await
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.counts()).await
    }

    /// Not retried: readiness asks for now.
    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }

    fn knows_backlog(&self) -> bool {
        self.inner.knows_backlog()
    }

    /// Not retried: what was not sent comes again by itself.
    async fn flush(&self) -> PortResult<()> {
        self.inner.flush().await
    }
}
