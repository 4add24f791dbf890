//! A broker that keeps what is published.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;
use async_trait::async_trait;
use schemas::{Message, Subscription, Topic};

use crate::ports::{Backlog, Broker, Flow, Outgoing, PortError, PortResult, Receiver, SeekTo, SubscriptionCounts};

/// Keeps what is published, for tests that call handlers themselves: nobody can subscribe.
#[derive(Debug, Default)]
pub struct MemoryBroker {
    published: Mutex<Vec<(Topic, Outgoing)>>,
    away: AtomicBool,
}

impl MemoryBroker {
    /// Everything published and not cleared, in order, repetitions too.
    pub fn messages(&self) -> Vec<(Topic, Outgoing)> {
        self.published.lock().unwrap().clone()
    }

    /// Of these the messages of one topic.
    pub fn published<M: Message>(&self) -> Vec<M> {
        let messages = self.messages();
        let of_topic = messages.iter().filter(|(topic, _)| *topic == M::TOPIC);
        of_topic.map(|(_, message)| M::decode(&message.payload, &message.attributes).unwrap()).collect()
    }

    /// Forgets what was published.
    pub fn clear(&self) {
        self.published.lock().unwrap().clear();
    }

    /// From now on nothing can be published, or it can again.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        if self.away.load(Ordering::SeqCst) {
            return Err(PortError::did_not_happen("publish", anyhow!("away")));
        }
        let ids = messages.iter().map(|_| "id".to_owned()).collect();
        self.published.lock().unwrap().extend(messages.into_iter().map(|message| (topic, message)));
        Ok(ids)
    }

    async fn subscribe(&self, _: Subscription, _: Flow) -> PortResult<Box<dyn Receiver>> {
        Err(PortError::never_will("subscribe", anyhow!("the test calls the handler")))
    }

    async fn seek(&self, _: Subscription, _: SeekTo) -> PortResult<()> {
        Err(PortError::never_will("seek", anyhow!("the test calls the handler")))
    }

    async fn backlog(&self, _: Subscription) -> PortResult<Backlog> {
        Ok(Backlog::default())
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        Ok(None)
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}
