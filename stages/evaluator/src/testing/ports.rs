//! Ports in memory that fail before or after an effect when they are told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use platform::ports::{
    Answer, Backlog, Broker, ByteStream, Created, FixedClock, Flow, Generation, Limit, LoadJob, LoadOutcome,
    ObjectMeta, Objects, Outgoing, PortError, PortResult, Question, Receiver, RecentChange, Replaced, SeekTo,
    StoredObject, SubscriptionCounts, Warehouse,
};
use platform::runtime::Ports;
use schemas::{ClusterName, Message as _, SnapshotId, Subscription, Table, Timestamp, Topic, Violation};

use super::minute;

/// When an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It did not happen, and says so.
    Before,
    /// It happened, and the caller does not learn of it.
    After,
}

/// Effects (writes and publications) in the order they are made; the plan says which fail.
#[derive(Debug, Default)]
struct Effects {
    made: usize,
    plan: BTreeMap<usize, Fault>,
}

#[derive(Default)]
pub(crate) struct Memory {
    objects: Mutex<BTreeMap<String, (u64, Bytes)>>,
    writes: Mutex<u64>,
    published: Mutex<Vec<Violation>>,
    effects: Mutex<Effects>,
    pub(crate) limits: Mutex<Vec<Limit>>,
    pub(crate) changes: Mutex<Vec<RecentChange>>,
    pub(crate) warehouse_is_away: Mutex<bool>,
}

impl Memory {
    pub(crate) fn ports(self: &Arc<Self>) -> Ports {
        Ports {
            broker: Arc::clone(self) as Arc<dyn Broker>,
            objects: Arc::clone(self) as Arc<dyn Objects>,
            warehouse: Some(Arc::clone(self) as Arc<dyn Warehouse>),
            clusters: BTreeMap::new(),
            documents: BTreeMap::new(),
            clock: Arc::new(FixedClock(minute(0))),
        }
    }

    /// Lets the n-th effect from now on fail, from 0.
    pub(crate) fn fail(&self, nth: usize, fault: Fault) {
        let mut effects = self.effects.lock().unwrap();
        let nth = effects.made + nth;
        effects.plan.insert(nth, fault);
    }

    pub(crate) fn effects_made(&self) -> usize {
        self.effects.lock().unwrap().made
    }

    /// Everything published, in order, repetitions too.
    pub(crate) fn published(&self) -> Vec<Violation> {
        self.published.lock().unwrap().clone()
    }

    pub(crate) fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let generation = self.next_generation();
        self.objects.lock().unwrap().insert(key.to_owned(), (generation, bytes.into()));
    }

    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        self.objects.lock().unwrap().get(key).map(|(_, bytes)| bytes.clone())
    }

    fn next_generation(&self) -> u64 {
        let mut writes = self.writes.lock().unwrap();
        *writes += 1;
        *writes
    }

    fn effect<T>(&self, what: &str, act: impl FnOnce() -> T) -> PortResult<T> {
        let fault = {
            let mut effects = self.effects.lock().unwrap();
            let nth = effects.made;
            effects.made += 1;
            effects.plan.remove(&nth)
        };
        match fault {
            Some(Fault::Before) => Err(PortError::did_not_happen(what, anyhow!("fault before"))),
            Some(Fault::After) => {
                act();
                Err(PortError::may_have_happened(what, anyhow!("fault after")))
            }
            None => Ok(act()),
        }
    }
}

#[async_trait]
impl Objects for Memory {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        let bytes: Vec<Bytes> = body.try_collect().await.map_err(|error| PortError::did_not_happen(key, error))?;
        self.effect(key, || {
            if self.get(key).is_some() {
                return Created::Existed;
            }
            self.put(key, bytes.concat());
            Created::New(Generation(*self.writes.lock().unwrap()))
        })
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        self.effect(key, || {
            let generation = self.next_generation();
            let mut objects = self.objects.lock().unwrap();
            if objects.get(key).map(|(generation, _)| Generation(*generation)) != expected {
                return Replaced::LostRace;
            }
            objects.insert(key.to_owned(), (generation, body));
            Replaced::Done(Generation(generation))
        })
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        let found = self.objects.lock().unwrap().get(key).cloned();
        Ok(found.map(|(generation, bytes)| StoredObject {
            generation: Generation(generation),
            size: bytes.len() as u64,
            body: Box::pin(futures::stream::once(async move { Ok(bytes) })),
        }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        let objects = self.objects.lock().unwrap();
        let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(found
            .map(|(key, (generation, bytes))| ObjectMeta {
                key: key.clone(),
                size: bytes.len() as u64,
                generation: Generation(*generation),
            })
            .collect())
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.effect(key, || {
            self.objects.lock().unwrap().remove(key);
        })
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Broker for Memory {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        assert_eq!(topic, Topic::Violations, "the evaluator publishes violations only");
        self.effect("publish", || {
            let mut published = self.published.lock().unwrap();
            for message in &messages {
                let violation = Violation::decode(&message.payload, &message.attributes).unwrap();
                assert_eq!(message.ordering_key.as_deref(), Some(violation.episode_id.as_str()));
                published.push(violation);
            }
            messages.iter().map(|_| "id".to_owned()).collect()
        })
    }

    async fn subscribe(&self, _subscription: Subscription, _flow: Flow) -> PortResult<Box<dyn Receiver>> {
        Err(PortError::never_will("subscribe", anyhow!("these tests call the handler")))
    }

    async fn seek(&self, _subscription: Subscription, _to: SeekTo) -> PortResult<()> {
        Ok(())
    }

    async fn backlog(&self, _subscription: Subscription) -> PortResult<Backlog> {
        Ok(Backlog { unacked: 0, oldest_unacked: Some(Duration::ZERO) })
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        Ok(None)
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Warehouse for Memory {
    async fn prepare(&self) -> PortResult<()> {
        Ok(())
    }

    async fn load(&self, _job: &LoadJob, _objects: &dyn Objects) -> PortResult<LoadOutcome> {
        Err(PortError::never_will("load", anyhow!("the evaluator never writes to the warehouse")))
    }

    async fn upsert(&self, _table: Table, _rows: Vec<u8>) -> PortResult<()> {
        Err(PortError::never_will("upsert", anyhow!("the evaluator never writes to the warehouse")))
    }

    async fn put_rejects(&self, _snapshot: &SnapshotId, _kind: &str, _part: i64, _rows: Vec<u8>) -> PortResult<()> {
        Err(PortError::never_will("put rejects", anyhow!("the evaluator never writes to the warehouse")))
    }

    async fn limits_as_of(&self, _cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        if *self.warehouse_is_away.lock().unwrap() {
            return Err(PortError::did_not_happen("limits", anyhow!("away")));
        }
        let limits = self.limits.lock().unwrap();
        Ok(limits.iter().filter(|limit| limit.declared_at <= at).cloned().collect())
    }

    async fn last_changes(&self, _cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        let changes = self.changes.lock().unwrap();
        Ok(changes.iter().filter(|change| change.occurred_at <= at).cloned().collect())
    }

    async fn ask(&self, _question: &Question) -> PortResult<Answer> {
        Ok(Answer::default())
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}
