//! Receiving and settling.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::job::Waiting;
use super::settings::MAX_DELAY;
use super::store::{LeaseId, Leased, SubscriptionId, Wanted};
use super::writer::Writer;
use crate::ports::{Delivery, Flow, PortResult, Receiver, Settle};

/// Messages leased ahead of being asked for, at most; more would keep them from other receivers.
const MAX_PREFETCH: usize = 256;
/// A buffered message is extended before it is delivered once this part of its lease has passed.
const STALE_AFTER: f64 = 0.5;

/// One receiver of one subscription.
pub(super) struct SqliteReceiver {
    writer: Arc<Writer>,
    subscription: SubscriptionId,
    name: Arc<str>,
    lease: Duration,
    /// One permit per delivery that may be unsettled.
    slots: Arc<Semaphore>,
    buffer: VecDeque<Leased>,
    leased_at: Instant,
    /// An answer that is still to come, kept over a cancelled call.
    pending: Option<oneshot::Receiver<PortResult<Vec<Leased>>>>,
}

impl SqliteReceiver {
    pub(super) fn new(writer: Arc<Writer>, subscription: SubscriptionId, name: Arc<str>, flow: Flow) -> Self {
        Self {
            writer,
            subscription,
            name,
            lease: flow.lease.min(MAX_DELAY),
            slots: Arc::new(Semaphore::new(flow.max_outstanding.min(Semaphore::MAX_PERMITS))),
            buffer: VecDeque::new(),
            leased_at: Instant::now(),
            pending: None,
        }
    }

    /// Waits until at least one message is in the buffer. `messages` is how many there may be.
    async fn fill(&mut self, messages: usize) -> PortResult<()> {
        let attempt = self.writer.attempt("receive from", Arc::clone(&self.name));
        let pending = self.pending.get_or_insert_with(|| {
            let (reply, pending) = oneshot::channel();
            let wanted = Wanted { subscription: self.subscription, messages, lease: self.lease };
            self.writer.lease(Waiting { attempt: attempt.clone(), wanted, reply });
            pending
        });
        let answer = pending.await;
        self.pending = None;
        let leased = answer.unwrap_or_else(|_| Err(self.writer.ended(&attempt)))?;
        self.leased_at = Instant::now();
        self.buffer.extend(leased);
        Ok(())
    }

    /// Makes sure that enough of the first buffered message's lease is left to work with; false
    /// when it was lost.
    async fn refresh(&self, id: LeaseId) -> PortResult<bool> {
        if self.leased_at.elapsed() < self.lease.mul_f64(STALE_AFTER) {
            return Ok(true);
        }
        let (lease, attempt) = (self.lease, self.writer.attempt("extend a lease of", Arc::clone(&self.name)));
        self.writer.write(attempt, 0, move |store| store.extend(id, lease)).await
    }
}

#[async_trait]
impl Receiver for SqliteReceiver {
    async fn next(&mut self) -> PortResult<Delivery> {
        // Never closed, so it cannot fail; a failure would only lift the bound.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        loop {
            let Some(first) = self.buffer.front() else {
                let messages = self.slots.available_permits().saturating_add(1).min(MAX_PREFETCH);
                self.fill(messages).await?;
                continue;
            };
            let held = self.refresh(first.id).await?;
            if let (Some(Leased { id, incoming }), true) = (self.buffer.pop_front(), held) {
                let settle = SqliteSettle {
                    writer: Arc::clone(&self.writer),
                    name: Arc::clone(&self.name),
                    id,
                    lease: self.lease,
                    _slot: slot,
                };
                return Ok(Delivery::new(incoming, Box::new(settle)));
            }
        }
    }
}

impl Drop for SqliteReceiver {
    fn drop(&mut self) {
        let mut undelivered: Vec<LeaseId> = self.buffer.drain(..).map(|message| message.id).collect();
        if let Some(mut pending) = self.pending.take() {
            // After this an answer cannot arrive any more: the thread takes back what it leased.
            pending.close();
            if let Ok(Ok(leased)) = pending.try_recv() {
                undelivered.extend(leased.into_iter().map(|message| message.id));
            }
        }
        let attempt = self.writer.attempt("give back to", Arc::clone(&self.name));
        self.writer.give_back(attempt, undelivered, false);
    }
}

/// Settles one delivery.
struct SqliteSettle {
    writer: Arc<Writer>,
    name: Arc<str>,
    id: LeaseId,
    lease: Duration,
    /// Frees the receiver's slot when it goes.
    _slot: Option<OwnedSemaphorePermit>,
}

#[async_trait]
impl Settle for SqliteSettle {
    async fn ack(&self) -> PortResult<bool> {
        let (id, attempt) = (self.id, self.writer.attempt("acknowledge a message of", Arc::clone(&self.name)));
        self.writer.write(attempt, 0, move |store| store.ack(id)).await
    }

    async fn nack(&self, delay: Duration) -> PortResult<()> {
        let (id, attempt) = (self.id, self.writer.attempt("give back a message of", Arc::clone(&self.name)));
        let delay = delay.min(MAX_DELAY);
        self.writer.write(attempt, 0, move |store| store.nack(id, delay)).await
    }

    async fn extend(&self) -> PortResult<bool> {
        let (id, lease) = (self.id, self.lease);
        let attempt = self.writer.attempt("extend a lease of", Arc::clone(&self.name));
        self.writer.write(attempt, 0, move |store| store.extend(id, lease)).await
    }

    fn abandon(&self) {
        let attempt = self.writer.attempt("give back a message of", Arc::clone(&self.name));
        self.writer.give_back(attempt, vec![self.id], true);
    }
}
