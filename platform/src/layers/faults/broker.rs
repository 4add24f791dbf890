//! Faults over the broker port.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::{Subscription, Topic};
use tokio::time::{Instant, timeout_at};

use super::Points;
use crate::ports::{
    Backlog, Broker, Delivery, Flow, Outgoing, PortResult, Receiver, SeekTo, Settle, SubscriptionCounts,
};

/// How long a delivery is held back at most; far less than any lease.
const HELD_FOR: Duration = Duration::from_millis(200);
/// Deliveries held back at once.
const MOST_HELD: usize = 16;

/// A broker whose publishes and settlements fail, whose publishes are doubled and whose deliveries
/// overtake each other.
pub struct FaultyBroker {
    inner: Arc<dyn Broker>,
    points: Points,
}

impl FaultyBroker {
    /// Puts a stage's faults around a broker.
    pub fn new(inner: Arc<dyn Broker>, points: Points) -> Self {
        Self { inner, points }
    }
}

#[async_trait]
impl Broker for FaultyBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        self.points
            .around("broker.publish", async {
                if self.points.publishes_twice() {
                    self.inner.publish(topic, messages.clone()).await?;
                }
                self.inner.publish(topic, messages).await
            })
            .await
    }

    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>> {
        let inner = self.inner.subscribe(subscription, flow).await?;
        Ok(Box::new(FaultyReceiver { inner, points: self.points.clone(), held: VecDeque::new() }))
    }

    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()> {
        self.inner.seek(subscription, to).await
    }

    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog> {
        self.inner.backlog(subscription).await
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        self.inner.counts().await
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }

    fn knows_backlog(&self) -> bool {
        self.inner.knows_backlog()
    }

    async fn flush(&self) -> PortResult<()> {
        self.inner.flush().await
    }
}

struct FaultyReceiver {
    inner: Box<dyn Receiver>,
    points: Points,
    /// Deliveries held back, and until when; the oldest first.
    held: VecDeque<(Instant, Delivery)>,
}

impl FaultyReceiver {
    /// The oldest delivery held back, if its time is over or too many are held.
    fn due(&mut self) -> Option<Delivery> {
        let (until, _) = self.held.front()?;
        if *until > Instant::now() && self.held.len() < MOST_HELD {
            return None;
        }
        self.held.pop_front().map(|(_, delivery)| delivery)
    }

    fn with_faults(&self, delivery: Delivery) -> Delivery {
        match delivery.into_parts() {
            (message, Some(inner)) => {
                Delivery::new(message, Box::new(FaultySettle { inner, points: self.points.clone() }))
            }
            // Cannot be: a delivery is only taken apart by who settles it.
            (message, None) => Delivery::new(message, Box::new(Settled)),
        }
    }
}

#[async_trait]
impl Receiver for FaultyReceiver {
    /// Cancel-safe as the inner one is: what was received is held here before anything is awaited.
    async fn next(&mut self) -> PortResult<Delivery> {
        loop {
            if let Some(delivery) = self.due() {
                return Ok(delivery);
            }
            let received = match self.held.front() {
                None => self.inner.next().await?,
                Some((until, _)) => match timeout_at(*until, self.inner.next()).await {
                    Ok(received) => received?,
                    Err(_) => continue,
                },
            };
            let delivery = self.with_faults(received);
            if !self.points.holds_back() {
                return Ok(delivery);
            }
            self.held.push_back((Instant::now() + HELD_FOR, delivery));
        }
    }
}

struct FaultySettle {
    inner: Box<dyn Settle>,
    points: Points,
}

#[async_trait]
impl Settle for FaultySettle {
    async fn ack(&self) -> PortResult<bool> {
        self.points.around("broker.ack", self.inner.ack()).await
    }

    async fn nack(&self, delay: Duration) -> PortResult<()> {
        self.points.around("broker.nack", self.inner.nack(delay)).await
    }

    async fn extend(&self) -> PortResult<bool> {
        self.inner.extend().await
    }

    fn abandon(&self) {
        self.inner.abandon();
    }
}

/// Settles what was settled before.
struct Settled;

#[async_trait]
impl Settle for Settled {
    async fn ack(&self) -> PortResult<bool> {
        Ok(false)
    }

    async fn nack(&self, _delay: Duration) -> PortResult<()> {
        Ok(())
    }

    async fn extend(&self) -> PortResult<bool> {
        Ok(false)
    }

    fn abandon(&self) {}
}
