//! Ports of a child process: a broker that delivers one message and prints what is done to it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use podledger_platform::ports::{
    Backlog, Broker, ByteStream, Created, Delivery, Flow, Generation, Incoming, ObjectMeta, Objects, Outgoing,
    PortResult, Receiver, Replaced, SeekTo, Settle, StoredObject, SubscriptionCounts,
};
use schemas::{Subscription, Timestamp, Topic};

pub(crate) struct OneMessage;

#[async_trait]
impl Broker for OneMessage {
    async fn publish(&self, _: Topic, _: Vec<Outgoing>) -> PortResult<Vec<String>> {
        println!("effect");
        Ok(vec!["id".to_owned()])
    }

    async fn subscribe(&self, _: Subscription, _: Flow) -> PortResult<Box<dyn Receiver>> {
        let message = Incoming {
            message_id: "one".to_owned(),
            payload: Vec::new(),
            attributes: BTreeMap::new(),
            ordering_key: None,
            published_at: Timestamp::from_seconds(0),
            delivery_attempt: 1,
        };
        Ok(Box::new(Once(Some(message))))
    }

    async fn seek(&self, _: Subscription, _: SeekTo) -> PortResult<()> {
        Ok(())
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

struct Once(Option<Incoming>);

#[async_trait]
impl Receiver for Once {
    async fn next(&mut self) -> PortResult<Delivery> {
        match self.0.take() {
            Some(message) => Ok(Delivery::new(message, Box::new(Prints))),
            None => std::future::pending().await,
        }
    }
}

struct Prints;

#[async_trait]
impl Settle for Prints {
    async fn ack(&self) -> PortResult<bool> {
        println!("acked");
        Ok(true)
    }

    async fn nack(&self, _: Duration) -> PortResult<()> {
        println!("nacked");
        Ok(())
    }

    async fn extend(&self) -> PortResult<bool> {
        Ok(true)
    }

    fn abandon(&self) {
        println!("abandoned");
    }
}

/// A store without objects; the child's stage never uses it.
pub(crate) struct NoObjects;

#[async_trait]
impl Objects for NoObjects {
    async fn create(&self, _: &str, _: ByteStream) -> PortResult<Created> {
        Ok(Created::Existed)
    }

    async fn replace_if(&self, _: &str, _: Option<Generation>, _: bytes::Bytes) -> PortResult<Replaced> {
        Ok(Replaced::LostRace)
    }

    async fn read(&self, _: &str) -> PortResult<Option<StoredObject>> {
        Ok(None)
    }

    async fn list(&self, _: &str) -> PortResult<Vec<ObjectMeta>> {
        Ok(Vec::new())
    }

    async fn delete(&self, _: &str) -> PortResult<()> {
        Ok(())
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}
