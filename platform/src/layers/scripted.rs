//! Ports that do as a test tells them, and remember what was asked of them. Compiled for tests alone:
//! a lock that was left by a panic is a test that failed already.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use schemas::{Subscription, Timestamp, Topic};
use tokio::sync::Notify;

use crate::ports::{
    Backlog, Broker, ByteStream, Created, Delivery, Flow, Generation, Incoming, ObjectMeta, Objects, Outgoing,
    PortError, PortResult, Receiver, Replaced, SeekTo, Settle, StoredObject, SubscriptionCounts,
};

/// How long a test waits for a condition at most.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// An error of the given kind, to be returned by a script.
pub(crate) fn outage() -> PortError {
    PortError::did_not_happen("scripted call", anyhow::anyhow!("scripted outage"))
}

/// An error that leaves open whether it happened.
pub(crate) fn doubt() -> PortError {
    PortError::may_have_happened("scripted call", anyhow::anyhow!("scripted doubt"))
}

/// A message with that id and one delivery so far.
pub(crate) fn message(id: &str) -> Incoming {
    Incoming {
        message_id: id.to_owned(),
        payload: id.as_bytes().to_vec(),
        attributes: BTreeMap::new(),
        ordering_key: None,
        published_at: Timestamp::from_seconds(0),
        delivery_attempt: 1,
    }
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    Acked(String),
    Nacked(String, Duration),
    Abandoned(String),
}

/// A broker with one queue for whoever subscribes.
#[derive(Clone, Default)]
pub(crate) struct ScriptedBroker(Arc<Script>);

#[derive(Default)]
pub(crate) struct Script {
    deliveries: Mutex<VecDeque<PortResult<Incoming>>>,
    settled: Mutex<Vec<Settled>>,
    published: Mutex<Vec<(Topic, Outgoing)>>,
    publish_errors: Mutex<VecDeque<PortError>>,
    changed: Notify,
    pub(crate) extensions: AtomicUsize,
    pub(crate) subscriptions: AtomicUsize,
    pub(crate) lease_lost: AtomicBool,
    pub(crate) hangs: AtomicBool,
    pub(crate) acks_fail: AtomicBool,
    pub(crate) backlog_is_unknown: AtomicBool,
    pub(crate) backlogs: AtomicUsize,
    pub(crate) flushes: AtomicUsize,
    pub(crate) pings: AtomicUsize,
    pub(crate) flush_hangs: AtomicBool,
}

impl std::ops::Deref for ScriptedBroker {
    type Target = Script;
    fn deref(&self) -> &Script {
        &self.0
    }
}

impl ScriptedBroker {
    pub(crate) fn delivering(messages: impl IntoIterator<Item = Incoming>) -> Self {
        let broker = Self::default();
        messages.into_iter().for_each(|message| broker.deliver(message));
        broker
    }

    pub(crate) fn deliver(&self, message: Incoming) {
        self.script(Ok(message));
    }

    pub(crate) fn fail_receiver(&self) {
        self.script(Err(outage()));
    }

    fn script(&self, next: PortResult<Incoming>) {
        self.deliveries.lock().unwrap().push_back(next);
        self.changed.notify_waiters();
    }

    pub(crate) fn fail_publish(&self, errors: impl IntoIterator<Item = PortError>) {
        self.publish_errors.lock().unwrap().extend(errors);
    }

    pub(crate) fn settled(&self) -> Vec<Settled> {
        self.settled.lock().unwrap().clone()
    }

    pub(crate) fn published(&self) -> Vec<(Topic, Outgoing)> {
        self.published.lock().unwrap().clone()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.deliveries.lock().unwrap().len()
    }

    /// Waits until that many deliveries were settled.
    pub(crate) async fn until_settled(&self, count: usize) -> Vec<Settled> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if self.settled().len() >= count {
                    return self.settled();
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("deliveries are settled in the end")
    }
}

#[async_trait]
impl Broker for ScriptedBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(error) = self.publish_errors.lock().unwrap().pop_front() {
            return Err(error);
        }
        let ids = messages.iter().map(|_| "id".to_owned()).collect();
        self.published.lock().unwrap().extend(messages.into_iter().map(|message| (topic, message)));
        Ok(ids)
    }

    async fn subscribe(&self, _subscription: Subscription, _flow: Flow) -> PortResult<Box<dyn Receiver>> {
        self.subscriptions.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(ScriptedReceiver(self.clone())))
    }

    async fn seek(&self, _subscription: Subscription, _to: SeekTo) -> PortResult<()> {
        Ok(())
    }

    async fn backlog(&self, _subscription: Subscription) -> PortResult<Backlog> {
        self.backlogs.fetch_add(1, Ordering::SeqCst);
        Ok(Backlog { unacked: 2, oldest_unacked: Some(Duration::from_secs(7)) })
    }

    fn knows_backlog(&self) -> bool {
        !self.backlog_is_unknown.load(Ordering::SeqCst)
    }

    async fn flush(&self) -> PortResult<()> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        if self.flush_hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        Ok(None)
    }

    async fn ping(&self) -> PortResult<()> {
        self.pings.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) { Err(outage()) } else { Ok(()) }
    }
}

struct ScriptedReceiver(ScriptedBroker);

#[async_trait]
impl Receiver for ScriptedReceiver {
    async fn next(&mut self) -> PortResult<Delivery> {
        loop {
            let changed = self.0.changed.notified();
            let next = self.0.deliveries.lock().unwrap().pop_front();
            if let Some(next) = next {
                let message = next?;
                let settle = ScriptedSettle { broker: self.0.clone(), id: message.message_id.clone() };
                return Ok(Delivery::new(message, Box::new(settle)));
            }
            changed.await;
        }
    }
}

struct ScriptedSettle {
    broker: ScriptedBroker,
    id: String,
}

impl ScriptedSettle {
    fn note(&self, settled: Settled) {
        self.broker.settled.lock().unwrap().push(settled);
        self.broker.changed.notify_waiters();
    }
}

#[async_trait]
impl Settle for ScriptedSettle {
    async fn ack(&self) -> PortResult<bool> {
        self.note(Settled::Acked(self.id.clone()));
        if self.broker.acks_fail.load(Ordering::SeqCst) {
            return Err(doubt());
        }
        Ok(!self.broker.lease_lost.load(Ordering::SeqCst))
    }

    async fn nack(&self, delay: Duration) -> PortResult<()> {
        self.note(Settled::Nacked(self.id.clone(), delay));
        Ok(())
    }

    async fn extend(&self) -> PortResult<bool> {
        self.broker.extensions.fetch_add(1, Ordering::SeqCst);
        Ok(!self.broker.lease_lost.load(Ordering::SeqCst))
    }

    fn abandon(&self) {
        self.note(Settled::Abandoned(self.id.clone()));
    }
}

/// A store in memory whose calls fail as told: `before` without the effect, `after` with it.
#[derive(Default)]
pub(crate) struct ScriptedObjects {
    pub(crate) objects: Mutex<BTreeMap<String, Bytes>>,
    pub(crate) before: Mutex<VecDeque<PortError>>,
    pub(crate) after: Mutex<VecDeque<PortError>>,
    /// Bytes a create reads before it fails `before`.
    pub(crate) reads_first: AtomicUsize,
    pub(crate) calls: AtomicUsize,
    pub(crate) hangs: AtomicBool,
}

impl ScriptedObjects {
    async fn call<T>(&self, effect: impl FnOnce() -> T) -> PortResult<T> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(error) = self.before.lock().unwrap().pop_front() {
            return Err(error);
        }
        let result = effect();
        match self.after.lock().unwrap().pop_front() {
            Some(error) => Err(error),
            None => Ok(result),
        }
    }
}

#[async_trait]
impl Objects for ScriptedObjects {
    async fn create(&self, key: &str, mut body: ByteStream) -> PortResult<Created> {
        let fails = !self.before.lock().unwrap().is_empty();
        let first = self.reads_first.load(Ordering::SeqCst);
        let mut bytes = Vec::new();
        while !fails || bytes.len() < first {
            match body.try_next().await.map_err(|error| PortError::did_not_happen("read body", error))? {
                Some(piece) => bytes.extend_from_slice(&piece),
                None => break,
            }
        }
        self.call(|| {
            let mut objects = self.objects.lock().unwrap();
            if objects.contains_key(key) {
                return Created::Existed;
            }
            objects.insert(key.to_owned(), bytes.into());
            Created::New(Generation(1))
        })
        .await
    }

    async fn replace_if(&self, key: &str, _expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        self.call(|| {
            self.objects.lock().unwrap().insert(key.to_owned(), body);
            Replaced::Done(Generation(2))
        })
        .await
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        self.call(|| {
            let body = self.objects.lock().unwrap().get(key).cloned()?;
            let size = body.len() as u64;
            let body = Box::pin(futures::stream::once(async move { Ok(body) }));
            Some(StoredObject { generation: Generation(1), size, body })
        })
        .await
    }

    async fn list(&self, _prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        self.call(Vec::new).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.call(|| drop(self.objects.lock().unwrap().remove(key))).await
    }

    async fn ping(&self) -> PortResult<()> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}
