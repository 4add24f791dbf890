//! Ports in memory, and a process that may end at any of its effects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use platform::ports::{
    Answer, Backlog, Broker, ByteStream, Created, Flow, Generation, Limit, LoadJob, LoadOutcome, Loaded, ObjectMeta,
    Objects, Outgoing, PortError, PortResult, Question, Receiver, RecentChange, Replaced, SeekTo, StoredObject,
    SubscriptionCounts, Warehouse,
};
use schemas::{
    ClusterName, DeadLetters, GkePodUsage, LimitDeclaration, Notification, PipelineLedger, RejectedRows, ReplicaChange,
    Row, RowReader, SnapshotId, Subscription, Table, Timestamp, Topic, Violation,
};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

/// Ends a process at one of its effects: from then on every port fails.
#[derive(Default)]
pub(super) struct Crash {
    /// The effect it ends at, from 1; 0 is never.
    at: usize,
    /// Whether that effect still happens.
    after: bool,
    seen: AtomicUsize,
    /// When it ended.
    ended: watch::Sender<Option<Instant>>,
}

impl Crash {
    pub(super) fn at(at: usize, after: bool) -> Arc<Self> {
        Arc::new(Self { at, after, ..Self::default() })
    }

    pub(super) fn happened(&self) -> bool {
        self.at > 0 && self.seen.load(Ordering::SeqCst) >= self.at
    }

    /// How long ago it happened, if it did.
    pub(super) fn happened_ago(&self) -> Option<Duration> {
        self.ended.borrow().map(|ended| ended.elapsed())
    }

    /// Waits until it happened.
    pub(super) async fn has_happened(&self) {
        let mut ended = self.ended.subscribe();
        ended.wait_for(Option::is_some).await.unwrap();
    }

    pub(super) async fn around<T>(&self, effect: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        // Somebody else may act in between.
        tokio::task::yield_now().await;
        let crashed = || PortError::may_have_happened("crash", anyhow!("the process is dead"));
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let done = match self.at {
            at if at > 0 && (number > at || (number == at && !self.after)) => Err(crashed()),
            _ => effect.await,
        };
        if self.at != number {
            return done;
        }
        self.ended.send_replace(Some(Instant::now()));
        Err(crashed())
    }
}

/// Objects that survive a crash.
#[derive(Default)]
pub(super) struct Store(pub(super) Mutex<BTreeMap<String, Bytes>>);

/// One process' way to the objects.
pub(super) struct MemoryObjects(pub(super) Arc<Store>, pub(super) Arc<Crash>);

#[async_trait]
impl Objects for MemoryObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        self.1
            .around(async {
                let body: Vec<Bytes> = body.try_collect().await.unwrap();
                let mut objects = self.0.0.lock().unwrap();
                if objects.contains_key(key) {
                    return Ok(Created::Existed);
                }
                objects.insert(key.to_owned(), body.concat().into());
                Ok(Created::New(Generation(1)))
            })
            .await
    }

    async fn replace_if(&self, _: &str, _: Option<Generation>, _: Bytes) -> PortResult<Replaced> {
        unreachable!("the loader replaces nothing")
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        tokio::task::yield_now().await;
        let found = self.0.0.lock().unwrap().get(key).cloned();
        Ok(found.map(|body| StoredObject {
            generation: Generation(1),
            size: body.len() as u64,
            body: stream::once(async { Ok(body) }).boxed(),
        }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        let objects = self.0.0.lock().unwrap();
        let found = objects.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(found
            .map(|(key, body)| ObjectMeta { key: key.clone(), size: body.len() as u64, generation: Generation(1) })
            .collect())
    }

    async fn delete(&self, _: &str) -> PortResult<()> {
        unreachable!("the loader deletes nothing")
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

/// What the tables hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tables {
    /// Loaded rows, by table and snapshot, with their revision.
    pub(super) loaded: BTreeMap<(Table, SnapshotId), (i64, Vec<Value>)>,
    /// Upserted rows, by table and key.
    pub(super) upserted: BTreeMap<Table, BTreeMap<String, Value>>,
    /// Rejected rows, by snapshot, kind and part.
    pub(super) rejected: BTreeMap<(SnapshotId, String, i64), Vec<Value>>,
}

/// What was asked of the warehouse.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Snapshots of each load job, also of those that were loaded before.
    pub(super) jobs: BTreeMap<String, BTreeSet<SnapshotId>>,
    /// Rows of each upsert.
    pub(super) upserts: Vec<(Table, usize)>,
}

/// Tables that survive a crash, with the promises of the port.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) tables: Mutex<Tables>,
    pub(super) asked: Mutex<Asked>,
}

/// One process' way to the warehouse.
pub(super) struct MemoryWarehouse(pub(super) Arc<Rows>, pub(super) Arc<Crash>);

fn rows<R: Row>(file: &[u8]) -> Vec<Value> {
    RowReader::<R>::read(file).unwrap().map(|row| serde_json::to_value(row.unwrap()).unwrap()).collect()
}

fn rows_of(table: Table, file: &[u8]) -> Vec<Value> {
    match table {
        Table::ReplicaChanges => rows::<ReplicaChange>(file),
        Table::LimitDeclarations => rows::<LimitDeclaration>(file),
        Table::AlertLog => rows::<Violation>(file),
        Table::NotificationLog => rows::<Notification>(file),
        Table::DeadLetters => rows::<DeadLetters>(file),
        Table::PipelineLedger => rows::<PipelineLedger>(file),
        Table::GkePodUsage => rows::<GkePodUsage>(file),
        other => panic!("{other} is not used by these tests"),
    }
}

#[async_trait]
impl Warehouse for MemoryWarehouse {
    async fn prepare(&self) -> PortResult<()> {
        Ok(())
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        let mut files = BTreeMap::new();
        for snapshot in &job.snapshots {
            let mut found = Vec::new();
            for part in &snapshot.parts {
                let mut object = objects.read(&part.object).await?.unwrap();
                let file = object.body.next().await.unwrap().unwrap();
                let rows = rows_of(job.table, &file);
                if rows.len() as i64 != part.rows {
                    return Err(PortError::never_will("load", anyhow!("{}: not {} rows", part.object, part.rows)));
                }
                found.extend(rows);
            }
            files.insert(snapshot.snapshot_id.clone(), (snapshot.revision, found));
        }
        self.1
            .around(async {
                let mut tables = self.0.tables.lock().unwrap();
                let mut loaded = 0;
                for (snapshot, (revision, rows)) in files {
                    self.0.asked.lock().unwrap().jobs.entry(job.id.clone()).or_default().insert(snapshot.clone());
                    let there = tables.loaded.get(&(job.table, snapshot.clone()));
                    if there.is_some_and(|(there, _)| *there >= revision) {
                        continue;
                    }
                    loaded += rows.len() as i64;
                    tables.loaded.insert((job.table, snapshot), (revision, rows));
                }
                Ok(if loaded > 0 { LoadOutcome::Loaded(Loaded { rows: loaded }) } else { LoadOutcome::AlreadyLoaded })
            })
            .await
    }

    async fn upsert(&self, table: Table, file: Vec<u8>) -> PortResult<()> {
        self.1
            .around(async {
                let rows = rows_of(table, &file);
                if rows.iter().any(|row| row.to_string().contains("refuse me")) {
                    return Err(PortError::never_will("upsert", anyhow!("a row is refused")));
                }
                let keys: BTreeSet<_> = rows.iter().map(|row| key(table, row)).collect();
                assert_eq!(keys.len(), rows.len(), "a key stands twice in one upsert");
                self.0.asked.lock().unwrap().upserts.push((table, rows.len()));
                let mut tables = self.0.tables.lock().unwrap();
                let into = tables.upserted.entry(table).or_default();
                into.extend(rows.into_iter().map(|row| (key(table, &row), row)));
                Ok(())
            })
            .await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, file: Vec<u8>) -> PortResult<()> {
        self.1
            .around(async {
                let place = (snapshot.clone(), kind.to_owned(), part);
                self.0.tables.lock().unwrap().rejected.insert(place, rows::<RejectedRows>(&file));
                Ok(())
            })
            .await
    }

    async fn limits_as_of(&self, _: &ClusterName, _: Timestamp) -> PortResult<Vec<Limit>> {
        unreachable!("the loader asks nothing")
    }

    async fn last_changes(&self, _: &ClusterName, _: Timestamp) -> PortResult<Vec<RecentChange>> {
        unreachable!("the loader asks nothing")
    }

    async fn ask(&self, _: &Question) -> PortResult<Answer> {
        unreachable!("the loader asks nothing")
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

fn key(table: Table, row: &Value) -> String {
    table.key().iter().map(|column| row[column.as_str()].to_string()).collect::<Vec<_>>().join("/")
}

/// The loader publishes nothing.
pub(super) struct NoBroker;

#[async_trait]
impl Broker for NoBroker {
    async fn publish(&self, _: Topic, _: Vec<Outgoing>) -> PortResult<Vec<String>> {
        unreachable!("the loader publishes nothing")
    }

    async fn subscribe(&self, _: Subscription, _: Flow) -> PortResult<Box<dyn Receiver>> {
        unreachable!("the runtime subscribes")
    }

    async fn seek(&self, _: Subscription, _: SeekTo) -> PortResult<()> {
        unreachable!("nobody seeks")
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
