//! A warehouse that records its load jobs, and takes as long for them as BigQuery may.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use platform::ports::{
    Answer, Limit, LoadJob, LoadOutcome, Loaded, Objects, PortResult, Question, RecentChange, SnapshotPart, Warehouse,
};
use platform::testkit::memory::Effects;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::{ClusterName, SnapshotId, Table, Timestamp};
use tokio::time::{Instant, sleep, sleep_until};

use super::traffic::ROWS;

/// What it asks for, as BigQuery does.
const LOAD_INTERVAL: Duration = Duration::from_secs(60);
/// How long a load job takes.
const LOAD_MS: std::ops::Range<u64> = 3_000..20_000;
/// How long an upsert takes.
const UPSERT: Duration = Duration::from_millis(700);
/// Longest file of rows in these tests, in bytes.
const LARGEST_FILE: u64 = 64;

/// What happened in the warehouse; it survives every loader.
pub(super) struct Recorded {
    seen: Mutex<Seen>,
    dice: Mutex<ChaCha8Rng>,
}

#[derive(Default)]
struct Seen {
    /// Jobs by id: one that is submitted again is the same.
    jobs: BTreeMap<String, Submitted>,
    /// Every load of each snapshot's rows.
    loads: BTreeMap<(Table, SnapshotId), Vec<LoadOf>>,
}

/// A load job. It ends whether or not its submitter lives to see it.
#[derive(Debug, Clone)]
pub(super) struct Submitted {
    pub(super) job: LoadJob,
    pub(super) submitted_at: Instant,
    ends_at: Instant,
}

/// A load of one snapshot's rows.
#[derive(Debug, Clone)]
pub(super) struct LoadOf {
    pub(super) ends_at: Instant,
    pub(super) parts: Vec<SnapshotPart>,
}

impl Recorded {
    pub(super) fn new(seed: u64) -> Self {
        Self { seen: Mutex::default(), dice: Mutex::new(ChaCha8Rng::seed_from_u64(seed)) }
    }

    /// The jobs that were submitted.
    pub(super) fn jobs(&self) -> Vec<Submitted> {
        self.seen.lock().unwrap().jobs.values().cloned().collect()
    }

    /// Every load of each snapshot's rows.
    pub(super) fn loads(&self) -> BTreeMap<(Table, SnapshotId), Vec<LoadOf>> {
        self.seen.lock().unwrap().loads.clone()
    }

    pub(super) fn is_loaded(&self, rows: &(Table, SnapshotId)) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.loads.get(rows).is_some_and(|loads| loads.iter().any(|load| load.ends_at <= Instant::now()))
    }

    /// Takes a job in, unless it was before; says when it ends, and whether it is new.
    fn submit(&self, job: &LoadJob) -> (Instant, bool) {
        let mut seen = self.seen.lock().unwrap();
        if let Some(there) = seen.jobs.get(&job.id) {
            assert_eq!(there.job, *job, "one id stands for two loads");
            return (there.ends_at, false);
        }
        let took = Duration::from_millis(self.dice.lock().unwrap().random_range(LOAD_MS));
        let (submitted_at, ends_at) = (Instant::now(), Instant::now() + took);
        for rows in &job.snapshots {
            let load = LoadOf { ends_at, parts: rows.parts.clone() };
            seen.loads.entry((job.table, rows.snapshot_id.clone())).or_default().push(load);
        }
        seen.jobs.insert(job.id.clone(), Submitted { job: job.clone(), submitted_at, ends_at });
        (ends_at, true)
    }
}

/// One process' way to it.
pub(super) struct ToRecorded(pub(super) Arc<Recorded>, pub(super) Arc<Effects>);

#[async_trait]
impl Warehouse for ToRecorded {
    async fn prepare(&self) -> PortResult<()> {
        Ok(())
    }

    fn load_interval(&self) -> Duration {
        LOAD_INTERVAL
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        for part in job.snapshots.iter().flat_map(|rows| &rows.parts) {
            let (_, file) = objects.read_bytes(&part.object, LARGEST_FILE).await?.expect("a file that is not there");
            assert_eq!(file, ROWS);
        }
        let (ends_at, is_new) = self.1.around("load", async { Ok(self.0.submit(job)) }).await?;
        sleep_until(ends_at).await;
        Ok(if is_new { LoadOutcome::Loaded(Loaded { rows: 1 }) } else { LoadOutcome::AlreadyLoaded })
    }

    async fn upsert(&self, _: Table, _: Vec<u8>) -> PortResult<()> {
        sleep(UPSERT).await;
        self.1.around("upsert", async { Ok(()) }).await
    }

    async fn put_rejects(&self, _: &SnapshotId, _: &str, _: i64, _: Vec<u8>) -> PortResult<()> {
        unreachable!("nothing is rejected on this day")
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
