//! The loader against real objects in a directory and a warehouse that remembers what it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use platform::embedded::DirObjects;
use platform::ports::{
    Answer, ByteStream, Created, Generation, Limit, LoadJob, LoadOutcome, Loaded, ObjectMeta, PortResult, Question,
    RecentChange, Replaced, StoredObject,
};
use schemas::manifest::{KindManifest, Manifest, PartManifest};
use schemas::{ClusterName, Purpose, RejectedRows, SnapshotId, Timestamp};

use super::*;

/// Effects that fail: the n-th from now, before or after it happens.
#[derive(Default)]
struct Fault {
    left: Mutex<Option<(usize, bool)>>,
}

impl Fault {
    fn arm(&self, nth: usize, after: bool) {
        *self.left.lock().unwrap() = Some((nth, after));
    }

    fn has_struck(&self) -> bool {
        self.left.lock().unwrap().is_none()
    }

    async fn around<T>(&self, effect: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        let strike = {
            let mut left = self.left.lock().unwrap();
            match left.as_mut() {
                Some((0, after)) => {
                    let after = *after;
                    *left = None;
                    Some(after)
                }
                Some((nth, _)) => {
                    *nth -= 1;
                    None
                }
                None => None,
            }
        };
        match strike {
            Some(false) => Err(PortError::did_not_happen("effect", anyhow::anyhow!("struck before"))),
            Some(true) => {
                effect.await?;
                Err(PortError::may_have_happened("effect", anyhow::anyhow!("struck after")))
            }
            None => effect.await,
        }
    }
}

struct FaultyObjects(DirObjects, Arc<Fault>);

#[async_trait]
impl Objects for FaultyObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        self.1.around(self.0.create(key, body)).await
    }
    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        self.1.around(self.0.replace_if(key, expected, body)).await
    }
    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        self.0.read(key).await
    }
    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        self.0.list(prefix).await
    }
    async fn delete(&self, key: &str) -> PortResult<()> {
        self.0.delete(key).await
    }
    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

/// What a warehouse holds after any sequence of calls.
#[derive(Debug, Default, Clone, PartialEq)]
struct Held {
    loaded: BTreeMap<(Table, String), i64>,
    jobs: BTreeSet<String>,
    rejects: BTreeMap<(String, i64), usize>,
    ledger: BTreeMap<String, PipelineLedger>,
    upserts: usize,
}

#[derive(Default)]
struct Recorder {
    held: Mutex<Held>,
    fault: Arc<Fault>,
}

#[async_trait]
impl Warehouse for Recorder {
    async fn prepare(&self) -> PortResult<()> {
        Ok(())
    }
    async fn load(&self, job: &LoadJob, _: &dyn Objects) -> PortResult<LoadOutcome> {
        self.fault
            .around(async {
                let mut held = self.held.lock().unwrap();
                held.jobs.insert(job.id.clone());
                let mut rows = 0;
                for snapshot in &job.snapshots {
                    let count = snapshot.parts.iter().map(|part| part.rows).sum();
                    let before = held.loaded.insert((job.table, snapshot.snapshot_id.to_string()), count);
                    assert!(before.is_none_or(|before| before == count), "a snapshot was loaded with other rows");
                    rows += count;
                }
                Ok(LoadOutcome::Loaded(Loaded { rows }))
            })
            .await
    }
    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        self.fault
            .around(async {
                let mut held = self.held.lock().unwrap();
                held.upserts += 1;
                if table == Table::PipelineLedger {
                    for row in schemas::RowReader::<PipelineLedger>::read(rows.as_slice()).unwrap() {
                        let row = row.unwrap();
                        held.ledger.insert(row.id.clone(), row);
                    }
                }
                Ok(())
            })
            .await
    }
    async fn put_rejects(&self, _: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        self.fault
            .around(async {
                let count = schemas::RowReader::<RejectedRows>::read(rows.as_slice()).unwrap().count();
                self.held.lock().unwrap().rejects.insert((kind.to_owned(), part), count);
                Ok(())
            })
            .await
    }
    async fn limits_as_of(&self, _: &ClusterName, _: Timestamp) -> PortResult<Vec<Limit>> {
        unreachable!("the loader never judges")
    }
    async fn last_changes(&self, _: &ClusterName, _: Timestamp) -> PortResult<Vec<RecentChange>> {
        unreachable!("the loader never judges")
    }
    async fn ask(&self, _: &Question) -> PortResult<Answer> {
        unreachable!("the loader never judges")
    }
    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

/// A loader in a folder of its own.
struct Lab {
    _folder: tempfile::TempDir,
    objects: Arc<dyn Objects>,
    warehouse: Arc<Recorder>,
    fault: Arc<Fault>,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fault = Arc::new(Fault::default());
        let objects = DirObjects::open(folder.path()).unwrap();
        let objects: Arc<dyn Objects> = Arc::new(FaultyObjects(objects, fault.clone()));
        let warehouse = Arc::new(Recorder { fault: fault.clone(), ..Recorder::default() });
        Self { _folder: folder, objects, warehouse, fault }
    }

    fn loader(&self, interval: Duration) -> Loader {
        let planner = Planner::new(self.objects.clone(), self.warehouse.clone());
        Loader {
            objects: self.objects.clone(),
            warehouse: self.warehouse.clone(),
            groups: Groups::new(planner, interval),
            finished: Finished::default(),
        }
    }

    /// Stores the manifest of a snapshot with two parts of pods, one reject, and Deployments that
    /// could not be listed.
    async fn snapshot(&self, id: &str) -> Vec<RowBatch> {
        let keys = keys(id);
        let part = |part| PartManifest { object: keys.raw_part(1, "pods", part), object_count: 3, bytes: 10 };
        let kind = |parts: Vec<PartManifest>, gap: Option<&str>| KindManifest {
            complete: gap.is_none(),
            gap: gap.map(str::to_owned),
            api_version: "v1".into(),
            resource_version: "7".into(),
            object_count: 3 * i64::try_from(parts.len()).unwrap(),
            excluded_count: 0,
            parts,
        };
        let manifest = Manifest {
            format: 1,
            snapshot_id: id.into(),
            cluster: "c".into(),
            attempt: 1,
            requested_at: at(),
            requested_by: "test".into(),
            observed_at: at(),
            purpose: Purpose::Manual,
            kinds: BTreeMap::from([
                ("pods".to_owned(), kind(vec![part(0), part(1)], None)),
                ("deployments".to_owned(), kind(vec![], Some("forbidden"))),
            ]),
        };
        self.objects.create_bytes(&keys.manifest(), serde_json::to_vec(&manifest).unwrap()).await.unwrap();
        let rejects = keys.rejects_part(0, "pods", 1);
        let reject = RejectedRows {
            cluster: "c".into(),
            snapshot_id: id.into(),
            kind: "pods".into(),
            table: Some("gke_pods".into()),
            object: None,
            line: Some(2),
            reason: "broken".into(),
            raw_object: None,
            observed_at: at(),
        };
        self.objects.create_bytes(&rejects, serde_json::to_vec(&reject).unwrap()).await.unwrap();
        (0..2)
            .map(|part| RowBatch {
                snapshot_id: id.into(),
                cluster: "c".into(),
                kind: "pods".into(),
                table: "gke_pods".into(),
                part,
                parts: 2,
                object: keys.rows_part(0, Table::GkePods, part),
                row_count: 3 - part,
                object_count: 3 - part,
                reject_object: if part == 1 { rejects.clone() } else { String::new() },
                reject_count: part,
                observed_at: at(),
                manifest: keys.manifest(),
                purpose: Purpose::Manual,
                revision: 0,
            })
            .collect()
    }

    async fn normalized(&self, batch: &RowBatch) {
        let note = keys(batch.snapshot_id.as_str()).done_part(0, &batch.kind, batch.part);
        self.objects.create_bytes(&note, serde_json::to_vec(batch).unwrap()).await.unwrap();
    }

    fn held(&self) -> Held {
        self.warehouse.held.lock().unwrap().clone()
    }
}

fn at() -> Timestamp {
    Timestamp::from_seconds(1_790_000_000)
}

fn keys(id: &str) -> SnapshotKeys {
    SnapshotKeys::new("c".into(), at(), id.into())
}

fn context() -> MessageContext {
    MessageContext { message_id: "1".into(), published_at: at(), delivery_attempt: 1, attributes: BTreeMap::new() }
}

async fn handle(loader: &Loader, batch: &RowBatch) -> Result<(), HandleError> {
    loader.handle(batch.clone(), &context()).await
}

#[tokio::test]
async fn a_kind_is_loaded_when_its_last_part_is_normalized_and_not_before() {
    let lab = Lab::new();
    let loader = lab.loader(Duration::ZERO);
    let batches = lab.snapshot("s").await;
    lab.normalized(&batches[0]).await;
    handle(&loader, &batches[0]).await.unwrap();
    assert_eq!(lab.held(), Held::default());

    lab.normalized(&batches[1]).await;
    handle(&loader, &batches[1]).await.unwrap();
    let held = lab.held();
    assert_eq!(held.loaded, BTreeMap::from([((Table::GkePods, "s".to_owned()), 5)]));
    assert_eq!(held.rejects, BTreeMap::from([(("pods".to_owned(), 1), 1)]));
    let row = |stage: &str, kind: &str| {
        held.ledger.values().find(|row| row.stage == stage && row.kind.as_deref() == Some(kind)).unwrap().clone()
    };
    assert_eq!((row("snapshotter", "pods").objects, row("snapshotter", "pods").outcome.as_str()), (6, "done"));
    assert_eq!(row("snapshotter", "deployments").outcome, "incomplete");
    let normalizer = row("normalizer", "pods");
    assert_eq!((normalizer.objects, normalizer.rows, normalizer.rejects), (6, 5, 1));
    assert_eq!(row("loader", "pods").rows, 5);
}

#[tokio::test]
async fn a_redelivered_batch_changes_nothing() {
    let lab = Lab::new();
    let batches = lab.snapshot("s").await;
    for batch in &batches {
        lab.normalized(batch).await;
    }
    handle(&lab.loader(Duration::ZERO), &batches[0]).await.unwrap();
    let once = lab.held();
    // To another process, which remembers nothing.
    handle(&lab.loader(Duration::ZERO), &batches[1]).await.unwrap();
    let twice = lab.held();
    assert_eq!((once.loaded, once.jobs, once.rejects, once.ledger), (twice.loaded, twice.jobs, twice.rejects, twice.ledger));
}

#[tokio::test]
async fn a_failure_before_or_after_any_effect_ends_in_the_same_tables() {
    let undisturbed = {
        let lab = Lab::new();
        let batches = lab.snapshot("s").await;
        for batch in &batches {
            lab.normalized(batch).await;
        }
        handle(&lab.loader(Duration::ZERO), &batches[0]).await.unwrap();
        lab.held()
    };
    let mut strikes = 0;
    for nth in 0.. {
        let mut struck = false;
        for after in [false, true] {
            let lab = Lab::new();
            let batches = lab.snapshot("s").await;
            for batch in &batches {
                lab.normalized(batch).await;
            }
            lab.fault.arm(nth, after);
            if handle(&lab.loader(Duration::ZERO), &batches[0]).await.is_err() {
                assert!(lab.fault.has_struck());
                (struck, strikes) = (true, strikes + 1);
                handle(&lab.loader(Duration::ZERO), &batches[0]).await.unwrap();
            }
            let held = lab.held();
            assert_eq!((&held.loaded, &held.rejects, &held.ledger), (&undisturbed.loaded, &undisturbed.rejects, &undisturbed.ledger));
            assert_eq!(held.jobs, undisturbed.jobs, "effect {nth}, after: {after}");
        }
        if !struck {
            break;
        }
    }
    // Plan, claim, seal, rejects, load, ledger: before and after each.
    assert_eq!(strikes, 12);
}

#[tokio::test(start_paused = true)]
async fn snapshots_that_arrive_within_the_interval_share_a_job() {
    let lab = Lab::new();
    let loader = Arc::new(lab.loader(Duration::from_secs(60)));
    let mut handlers = Vec::new();
    for id in ["a", "b", "c"] {
        let batches = lab.snapshot(id).await;
        for batch in &batches {
            lab.normalized(batch).await;
        }
        let (loader, batch) = (loader.clone(), batches[0].clone());
        handlers.push(tokio::spawn(async move { handle(&loader, &batch).await }));
    }
    for handler in handlers {
        handler.await.unwrap().unwrap();
    }
    assert_eq!(lab.held().loaded.len(), 3);
    assert_eq!(lab.held().jobs.len(), 1, "one job for all three");
}

#[tokio::test]
async fn a_snapshot_that_its_sealed_plan_lacks_is_loaded_by_itself() {
    let lab = Lab::new();
    let planner = Planner::new(lab.objects.clone(), lab.warehouse.clone());
    let rows = |id: &str| SnapshotRowsOf(id).rows();
    // A loader died between its two claims; another one sealed the plan with the first.
    let plan = planner.propose(Table::GkePods, vec![rows("a")]).await.unwrap();
    planner.execute(Table::GkePods, &plan, &rows("a")).await.unwrap();
    planner.execute(Table::GkePods, &plan, &rows("b")).await.unwrap();
    assert_eq!(lab.held().loaded.len(), 2);
    assert_eq!(lab.held().jobs.len(), 2);
}

struct SnapshotRowsOf<'a>(&'a str);

impl SnapshotRowsOf<'_> {
    fn rows(&self) -> platform::ports::SnapshotRows {
        let part = platform::ports::SnapshotPart { object: "o".into(), rows: 1 };
        platform::ports::SnapshotRows { snapshot_id: self.0.into(), revision: 0, parts: vec![part] }
    }
}

#[tokio::test]
async fn racing_loaders_load_a_snapshot_under_one_plan() {
    let lab = Lab::new();
    let batches = lab.snapshot("s").await;
    for batch in &batches {
        lab.normalized(batch).await;
    }
    let loaders: Vec<_> = (0..8).map(|_| lab.loader(Duration::ZERO)).collect();
    let all = futures::future::join_all(loaders.iter().map(|loader| handle(loader, &batches[0]))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(lab.held().jobs.len(), 1);
}

#[tokio::test]
async fn events_that_arrive_together_share_an_upsert() {
    let recorder = Arc::new(Recorder::default());
    let batcher = Batcher::<DeadLetters>::new(recorder.clone());
    let letter = |id: usize| DeadLetters {
        message_id: id.to_string(),
        topic: String::new(),
        subscription: String::new(),
        stage: String::new(),
        reason: String::new(),
        payload: schemas::Payload(vec![0, 255]),
        attributes: schemas::Json::from(serde_json::json!({})),
        received_at: at(),
    };
    let all = futures::future::join_all((0..500).map(|id| batcher.put(letter(id)))).await;
    assert!(all.iter().all(Result::is_ok));
    let upserts = recorder.held.lock().unwrap().upserts;
    assert!(upserts <= 50, "{upserts} upserts for 500 events");
}

#[tokio::test]
async fn a_batch_of_an_unknown_table_or_manifest_is_poison() {
    let lab = Lab::new();
    let loader = lab.loader(Duration::ZERO);
    let mut batches = lab.snapshot("s").await;
    for batch in &mut batches {
        batch.table = "gke_potatoes".into();
        lab.normalized(batch).await;
    }
    assert!(matches!(handle(&loader, &batches[0]).await, Err(HandleError::Poison(_))));
    batches[0].manifest = keys("never").manifest();
    assert!(matches!(handle(&loader, &batches[0]).await, Err(HandleError::Poison(_))));
    batches[0].manifest = "../../etc/passwd".into();
    assert!(matches!(handle(&loader, &batches[0]).await, Err(HandleError::Poison(_))));
}
