//! Time-outs over the broker port.

use std::sync::Arc;

use async_trait::async_trait;
use schemas::{Subscription, Topic};

use super::{Timeouts, effect, reading};
use crate::ports::{Backlog, Broker, Flow, Outgoing, PortResult, Receiver, SeekTo, SubscriptionCounts};

/// A broker whose calls end in time. Waiting for a delivery is no call.
pub struct TimeoutBroker {
    inner: Arc<dyn Broker>,
    limits: Timeouts,
}

impl TimeoutBroker {
    /// Bounds a broker's calls.
    pub fn new(inner: Arc<dyn Broker>, limits: Timeouts) -> Self {
        Self { inner, limits }
    }
}

#[async_trait]
impl Broker for TimeoutBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        effect(self.limits.call, || format!("publish to {topic}"), self.inner.publish(topic, messages)).await
    }

    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>> {
        let call = self.inner.subscribe(subscription, flow);
        reading(self.limits.call, || format!("subscribe to {subscription}"), call).await
    }

    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()> {
        effect(self.limits.call, || format!("seek {subscription}"), self.inner.seek(subscription, to)).await
    }

    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog> {
        let call = self.inner.backlog(subscription);
        reading(self.limits.call, || format!("backlog of {subscription}"), call).await
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        reading(self.limits.call, || "counts of the broker".to_owned(), self.inner.counts()).await
    }

    async fn ping(&self) -> PortResult<()> {
        reading(self.limits.call, || "ping the broker".to_owned(), self.inner.ping()).await
    }

    fn knows_backlog(&self) -> bool {
        self.inner.knows_backlog()
    }

    async fn flush(&self) -> PortResult<()> {
        reading(self.limits.call, || "flush the broker".to_owned(), self.inner.flush()).await
    }
}
