//! The broker on SQLite: a durable queue in one file that several processes share.
//!
//! One thread per process owns the connection. Everything asked for while it commits goes into the
//! next transaction together (group commit), so that many callers share one flush to disk. Each
//! write transaction takes the file's write lock first, so processes never dead-lock. A process
//! notices what others publish by looking at the file's change counter every few milliseconds.
//!
//! Times are the machine's wall clock, since processes must agree on when a lease ends. Should the
//! clock be set back, leases last longer, by ten minutes at most.

mod failure;
mod job;
mod receiver;
mod schema;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use schemas::{Subscription, Topic};

pub use settings::BrokerSettings;

use crate::ports::bounds;
use crate::ports::{Backlog, Broker, Flow, Outgoing, PortError, PortResult, Receiver, SeekTo, SubscriptionCounts};
use failure::Attempt;
use receiver::SqliteReceiver;
use store::{SubscriptionId, TopicId};
use writer::Writer;

/// The broker port on one SQLite file. Cheap to clone; the last clone, receiver or delivery to go
/// finishes what was asked for, stops the thread and closes the file.
///
/// Beyond the port's promises:
/// - Counts say how things stand: a seek back takes messages out of `acked` (and `dead_lettered`)
///   into `unacked`; published = acked + dead-lettered + unacked always holds.
/// - A seek ends every lease of the subscription, and settled messages that come again count their
///   attempts anew.
/// - Retention works on unacknowledged messages too: they become dead letters with a reason.
/// - A lease that ran out can still be acknowledged as long as nobody else got the message.
#[derive(Clone)]
pub struct SqliteBroker {
    writer: Arc<Writer>,
    topics: Arc<HashMap<Topic, TopicId>>,
    subscriptions: Arc<HashMap<String, SubscriptionId>>,
}

impl std::fmt::Debug for SqliteBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteBroker").field("attempt", &self.attempt("use", "").to_string()).finish()
    }
}

impl SqliteBroker {
    /// Opens the file, creating it, its folder, its topics and its subscriptions where missing.
    ///
    /// # Errors
    /// `NeverWill` for settings of zero, a file that is no broker's, one that a newer version
    /// wrote, or a place that cannot be written; `DidNotHappen` while others keep it busy or the
    /// disk is full.
    pub fn open(path: impl AsRef<Path>, settings: BrokerSettings) -> PortResult<Self> {
        let file: Arc<Path> = path.as_ref().into();
        let attempt = Attempt { verb: "open", subject: "".into(), file: Arc::clone(&file) };
        settings.check(&attempt.to_string())?;
        let mut opened = schema::open(&attempt, &settings)?;
        let (topics, subscriptions) = (std::mem::take(&mut opened.topics), std::mem::take(&mut opened.subscriptions));
        let writer = Writer::start(opened, &settings, file)
            .map_err(|error| PortError::did_not_happen(attempt.to_string(), error))?;
        Ok(Self { writer: Arc::new(writer), topics: Arc::new(topics), subscriptions: Arc::new(subscriptions) })
    }

    /// Messages not yet acknowledged at any subscription, leased ones included, at one moment: zero
    /// means that nothing is in flight, as long as whoever handles a message publishes what
    /// follows from it before acknowledging it.
    ///
    /// # Errors
    /// `DidNotHappen` or `NeverWill` where the file cannot be read.
    pub async fn pending(&self) -> PortResult<u64> {
        self.writer.read(self.attempt("count what waits", ""), |store| store.pending()).await
    }

    fn attempt(&self, verb: &'static str, subject: &str) -> Attempt {
        self.writer.attempt(verb, subject.into())
    }

    fn subscription(&self, verb: &'static str, subscription: Subscription) -> PortResult<(SubscriptionId, Attempt)> {
        let name = subscription.name();
        let attempt = self.attempt(verb, &name);
        match self.subscriptions.get(&name) {
            Some(id) => Ok((*id, attempt)),
            None => Err(PortError::never_will(attempt.to_string(), anyhow::anyhow!("there is no such subscription"))),
        }
    }
}

#[async_trait]
impl Broker for SqliteBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        let attempt = self.attempt("publish to", topic.name());
        let refused = |reason: String| PortError::never_will(attempt.to_string(), anyhow::anyhow!("{reason}"));
        for (index, message) in messages.iter().enumerate() {
            bounds::check(message).map_err(|reason| refused(format!("message {index}: {reason}")))?;
        }
        let Some(id) = self.topics.get(&topic).copied() else { return Err(refused("there is no such topic".into())) };
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = messages.iter().map(|message| message.payload.len()).sum();
        self.writer.write(attempt, bytes, move |store| store.publish(id, &messages)).await
    }

    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>> {
        let (id, attempt) = self.subscription("receive from", subscription)?;
        if flow.max_outstanding == 0 || flow.lease.is_zero() {
            let reason = anyhow::anyhow!("max_outstanding and lease must be more than 0, not {flow:?}");
            return Err(PortError::never_will(attempt.to_string(), reason));
        }
        Ok(Box::new(SqliteReceiver::new(Arc::clone(&self.writer), id, attempt.subject, flow)))
    }

    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()> {
        let (id, attempt) = self.subscription("seek", subscription)?;
        let SeekTo::Time(at) = to;
        self.writer.write(attempt, 0, move |store| store.seek(id, at)).await
    }

    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog> {
        let (id, attempt) = self.subscription("read the backlog of", subscription)?;
        self.writer.read(attempt, move |store| store.backlog(id)).await
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        self.writer.read(self.attempt("count messages", ""), |store| store.counts().map(Some)).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.writer.read(self.attempt("ask for an answer", ""), |store| store.pending().map(drop)).await
    }
}
