//! One process' way to a port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemas::{ClusterName, SnapshotId, Subscription, Table, Timestamp, Topic};

use super::Effects;
use crate::ports::{
    Answer, Backlog, Broker, ByteStream, Created, Flow, Generation, Limit, LoadJob, LoadOutcome, ObjectMeta, Objects,
    Outgoing, PortResult, Question, Receiver, RecentChange, Replaced, SeekTo, StoredObject, SubscriptionCounts,
    Warehouse,
};

/// A port whose effects are those of one process. What only reads goes through as it is.
pub struct Affected<P: ?Sized> {
    inner: Arc<P>,
    effects: Arc<Effects>,
}

impl<P: ?Sized> Affected<P> {
    /// The way of the process with these effects.
    pub fn new(inner: &Arc<P>, effects: &Arc<Effects>) -> Self {
        Self { inner: Arc::clone(inner), effects: Arc::clone(effects) }
    }
}

#[async_trait]
impl<P: Objects + ?Sized> Objects for Affected<P> {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        self.effects.around(key, self.inner.create(key, body)).await
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        self.effects.around(key, self.inner.replace_if(key, expected, body)).await
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        self.inner.read(key).await
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.effects.around(key, self.inner.delete(key)).await
    }

    fn uri(&self, key: &str) -> Option<String> {
        self.inner.uri(key)
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}

#[async_trait]
impl<P: Broker + ?Sized> Broker for Affected<P> {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        self.effects.around("publish", self.inner.publish(topic, messages)).await
    }

    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>> {
        self.inner.subscribe(subscription, flow).await
    }

    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()> {
        self.effects.around("seek", self.inner.seek(subscription, to)).await
    }

    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog> {
        self.inner.backlog(subscription).await
    }

    fn knows_backlog(&self) -> bool {
        self.inner.knows_backlog()
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        self.inner.counts().await
    }

    async fn flush(&self) -> PortResult<()> {
        self.inner.flush().await
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}

#[async_trait]
impl<P: Warehouse + ?Sized> Warehouse for Affected<P> {
    fn load_interval(&self) -> Duration {
        self.inner.load_interval()
    }

    async fn prepare(&self) -> PortResult<()> {
        self.effects.around("prepare", self.inner.prepare()).await
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        self.effects.around("load", self.inner.load(job, objects)).await
    }

    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        self.effects.around(table.name(), self.inner.upsert(table, rows)).await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        self.effects.around("put rejects", self.inner.put_rejects(snapshot, kind, part, rows)).await
    }

    async fn limits_as_of(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        self.inner.limits_as_of(cluster, at).await
    }

    async fn last_changes(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        self.inner.last_changes(cluster, at).await
    }

    async fn ask(&self, question: &Question) -> PortResult<Answer> {
        self.inner.ask(question).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}
