//! Loading by slots on the embedded adapters: real files, real tables, simulated time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use platform::embedded::{DirObjects, SqliteWarehouse};
use platform::ports::{
    Answer, Clock, Limit, LoadJob, LoadOutcome, Objects, PortResult, Question, RecentChange, Warehouse,
};
use platform::runtime::Ports;
use platform::testkit::memory::MemoryBroker;
use schemas::{ClusterName, SnapshotId, Table, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::world::{Process, Snapshot, World, at};

/// Snapshots, one every so often.
const SNAPSHOTS: u32 = 30;
/// How often.
const EVERY: Duration = Duration::from_secs(10);

/// The embedded warehouse, asking for load jobs as few as BigQuery does, and noting them.
struct Counted {
    inner: SqliteWarehouse,
    loaded: Mutex<Vec<usize>>,
}

#[async_trait]
impl Warehouse for Counted {
    async fn prepare(&self) -> PortResult<()> {
        self.inner.prepare().await
    }

    fn load_interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        let outcome = self.inner.load(job, objects).await?;
        if matches!(outcome, LoadOutcome::Loaded(_)) {
            self.loaded.lock().unwrap().push(job.snapshots.len());
        }
        Ok(outcome)
    }

    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        self.inner.upsert(table, rows).await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        self.inner.put_rejects(snapshot, kind, part, rows).await
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

/// The simulated clock.
#[derive(Debug)]
struct Simulated(Instant);

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        at().plus(self.0.elapsed())
    }
}

#[tokio::test(start_paused = true)]
async fn two_loaders_on_files_and_tables_need_one_job_a_slot_and_load_every_row_once() {
    let folder = TempDir::new().unwrap();
    let objects = Arc::new(DirObjects::open(folder.path().join("objects")).unwrap());
    let inner = SqliteWarehouse::open(folder.path().join("warehouse.db")).unwrap();
    inner.prepare().await.unwrap();
    let warehouse = Arc::new(Counted { inner, loaded: Mutex::default() });
    let stored = World::default();
    let batches: Vec<_> = (0..SNAPSHOTS)
        .map(|number| Snapshot::stored(&stored, &format!("s-{number}"), &[(2, 0), (1, 0)]).normalized(&stored))
        .collect();
    let files = stored.store.all();
    for (key, body) in files {
        (objects.as_ref() as &dyn Objects).create_bytes(&key, body).await.unwrap();
    }
    let began = Instant::now();
    let ports = Ports {
        warehouse: Some(Arc::clone(&warehouse) as Arc<dyn Warehouse>),
        clock: Arc::new(Simulated(began)),
        ..Ports::new(Arc::new(MemoryBroker::default()), objects)
    };
    let loaders = [Process::with(&ports, &[]), Process::with(&ports, &[])];
    let handled = (0..).zip(&batches).map(|(number, parts)| {
        let loaders = &loaders;
        async move {
            sleep(EVERY * number).await;
            let published_at = at().plus(EVERY * number);
            // The parts go to one loader each: both find the kind whole.
            let each = parts.iter().zip(loaders);
            join_all(each.map(|(part, loader)| loader.handle_published(part, published_at))).await
        }
    });
    let outcomes = join_all(handled).await;
    assert!(outcomes.iter().flatten().all(Result::is_ok), "{outcomes:?}");
    let loaded = warehouse.loaded.lock().unwrap().clone();
    println!("snapshots of each load job: {loaded:?}");
    assert_eq!(loaded.iter().sum::<usize>(), SNAPSHOTS as usize);
    let slots = (EVERY * SNAPSHOTS).as_secs().div_ceil(60) as usize;
    assert!(loaded.len() <= slots, "{} load jobs in {slots} slots", loaded.len());
    let rows = Question::Rows { name: Table::GkePodUsage.name().to_owned(), limit: 1_000 };
    let answer = warehouse.ask(&rows).await.unwrap();
    let column = answer.columns.iter().position(|column| column == "snapshot_id").unwrap();
    for number in 0..SNAPSHOTS {
        let id = json!(format!("s-{number}"));
        assert_eq!(answer.rows.iter().filter(|row| row[column] == id).count(), 3, "{id}");
    }
}
