//! What waits at the subscriptions of a data directory, and putting more there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::ports::{Broker, Outgoing, SubscriptionCounts};
use schemas::{Message, Topic};

use crate::binaries::PATIENCE;
use crate::data_dir::DataDir;

/// How often the counts are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A data directory's broker, seen from outside.
pub struct Queues {
    broker: Arc<dyn Broker>,
}

impl Queues {
    /// Opens the broker of a data directory.
    pub fn of(data: &DataDir) -> Self {
        Self { broker: Arc::new(data.broker()) }
    }

    /// Publishes messages of one type.
    pub async fn publish<M: Message>(&self, messages: &[M]) {
        self.broker.publish_messages(messages).await.unwrap();
    }

    /// Publishes bytes as they are.
    pub async fn publish_bytes(&self, topic: Topic, payloads: &[Vec<u8>]) {
        let messages = payloads.iter().map(|payload| Outgoing { payload: payload.clone(), ..Outgoing::default() });
        self.broker.publish(topic, messages.collect()).await.unwrap();
    }

    /// Counts of every subscription.
    pub async fn counts(&self) -> Vec<SubscriptionCounts> {
        self.broker.counts().await.unwrap().unwrap()
    }

    /// Messages that are not acknowledged, at the subscriptions whose name is chosen.
    pub async fn waiting(&self, chosen: impl Fn(&str) -> bool) -> u64 {
        self.counts().await.iter().filter(|count| chosen(&count.subscription)).map(|count| count.unacked).sum()
    }

    /// Waits until nothing waits at the chosen subscriptions. Every handler publishes what follows
    /// before its own message is acknowledged, so with all subscriptions chosen that is the end.
    pub async fn until_idle(&self, chosen: impl Fn(&str) -> bool) {
        let started = Instant::now();
        while self.waiting(&chosen).await > 0 {
            assert!(started.elapsed() < PATIENCE, "messages still wait: {:?}", self.counts().await);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
