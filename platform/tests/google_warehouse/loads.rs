//! Loads: by two at once, cut off, failed, from elsewhere.

use std::process::Command;
use std::sync::Arc;

use podledger_platform::layers::{RetryObjects, RetryPolicy, TimeoutObjects, Timeouts};
use podledger_platform::ports::{
    ByteStream, Created, Generation, LoadJob, LoadOutcome, Loaded, ObjectMeta, Objects, PortError, PortResult,
    Question, Replaced, SnapshotPart, SnapshotRows, StoredObject, Warehouse,
};
use podledger_platform::testkit::memory::MemoryObjects;
use podledger_platform::testkit::storage::create_bucket;
use podledger_platform::testkit::warehouse::parts::{file, stored};
use podledger_platform::testkit::warehouse::questions::column;
use podledger_platform::testkit::warehouse::rows::{change, october, pod};
use schemas::{GkePods, Table};

use crate::world::{PLENTY, PREFIX, World, open, open_bucket};

/// How often two writers race; [`MANY_RACES`] says another number.
const RACES: usize = 20;
/// Variable with the number of races.
const MANY_RACES: &str = "PODLEDGER_TEST_RACES";
/// What the child process is to do: address of BigQuery, of Cloud Storage, dataset, bucket.
const CHILD: &str = "PODLEDGER_TEST_LOAD";

/// A job that loads one part of one snapshot.
pub(crate) fn job(snapshot: &str, part: SnapshotPart) -> LoadJob {
    let snapshots = vec![SnapshotRows { snapshot_id: snapshot.into(), revision: 0, parts: vec![part] }];
    LoadJob { id: format!("plan-{snapshot}"), table: Table::GkePods, snapshots }
}

pub(crate) async fn pods_of(warehouse: &dyn Warehouse) -> Vec<(String, String)> {
    let question = Question::Rows { name: "gke_pods".to_owned(), limit: PLENTY };
    let answer = warehouse.ask(&question).await.unwrap();
    let texts = |name: &str| -> Vec<String> {
        column(&answer, name).iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    texts("snapshot_id").into_iter().zip(texts("name")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_of_one_job_one_loads_and_the_rows_are_there_once() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let (one, other) = (world.open_retried(&dataset).await, world.open_retried(&dataset).await);
    let (objects, _) = world.bucket().await;
    let races = std::env::var(MANY_RACES).map_or(RACES, |races| races.parse().unwrap());
    for race in 0..races {
        let snapshot = format!("s{race:03}");
        let part = stored(objects.as_ref(), &snapshot, &[pod(&snapshot, "a"), pod(&snapshot, "b")]).await;
        let job = job(&snapshot, part);
        let (first, second) = tokio::join!(one.load(&job, objects.as_ref()), other.load(&job, objects.as_ref()));
        let mut outcomes = [first.unwrap(), second.unwrap()];
        outcomes.sort_by_key(|outcome| *outcome == LoadOutcome::AlreadyLoaded);
        assert_eq!(outcomes, [LoadOutcome::Loaded(Loaded { rows: 2 }), LoadOutcome::AlreadyLoaded], "race {race}");
    }
    let expected: Vec<(String, String)> =
        (0..races).flat_map(|race| ["a", "b"].map(|name| (format!("s{race:03}"), name.to_owned()))).collect();
    assert_eq!(pods_of(one.as_ref()).await, expected);
    assert_eq!(world.load_jobs(&dataset).await.len(), races, "one load job each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_that_is_away_is_an_outage_and_comes_back_with_what_it_had() {
    let Some(mut world) = World::start() else { return };
    let dataset = world.dataset().await;
    let warehouse = world.open(&dataset).await;
    let (objects, _) = world.bucket().await;
    let part = stored(objects.as_ref(), "p", &[pod("s1", "a")]).await;
    warehouse.load(&job("s1", part.clone()), objects.as_ref()).await.unwrap();
    world.servers.stop_bigquery();
    let rows = file(&[change("e1", october(1, 0), 3)]);
    for outcome in [
        warehouse.upsert(Table::ReplicaChanges, rows.clone()).await,
        warehouse.load(&job("s1", part.clone()), objects.as_ref()).await.map(drop),
        warehouse.limits_as_of(&"prod-uk".into(), october(1, 0)).await.map(drop),
        warehouse.prepare().await,
        warehouse.ping().await,
    ] {
        assert!(outcome.as_ref().is_err_and(PortError::is_outage), "{outcome:?}");
    }
    world.servers.start_bigquery_again();
    warehouse.ping().await.unwrap();
    warehouse.prepare().await.unwrap();
    let again = warehouse.load(&job("s1", part), objects.as_ref()).await.unwrap();
    assert_eq!(again, LoadOutcome::AlreadyLoaded);
    warehouse.upsert(Table::ReplicaChanges, rows).await.unwrap();
    assert_eq!(pods_of(&warehouse).await, [("s1".to_owned(), "a".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "what another test starts as a process; alone it has nothing to do"]
async fn child() {
    let told = std::env::var(CHILD).unwrap();
    let [bigquery, storage, dataset, bucket] = told.split(' ').collect::<Vec<_>>()[..] else { panic!("{told}") };
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    let objects = open_bucket(storage, bucket).await;
    let part = SnapshotPart { object: "p".to_owned(), rows: 2 };
    open(bigquery, dataset).await.load(&job("s1", part), objects.as_ref()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_between_the_load_job_and_the_rows_is_taken_over_from() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let (objects, bucket) = world.bucket().await;
    let part = stored(objects.as_ref(), "p", &[pod("s1", "a"), pod("s1", "b")]).await;
    // Nobody gets a turn: a process gets as far as its job's end and no further.
    world.sql(&format!("DROP TABLE `{dataset}`.`podledger_turn_gke_pods`")).await;
    let told = format!("{} {} {dataset} {bucket}", world.servers.bigquery(), world.servers.storage());
    let child = || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "loads::child", "--ignored", "--nocapture"]).env(CHILD, &told);
        child.output().unwrap()
    };
    let ended = child();
    assert!(!ended.status.success(), "it got past the turn that is not there");
    assert_eq!(world.load_jobs(&dataset).await.len(), 1, "{}", String::from_utf8_lossy(&ended.stderr));
    let warehouse = world.open(&dataset).await;
    assert_eq!(pods_of(&warehouse).await, []);
    warehouse.prepare().await.unwrap();
    let ended = child();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let both = ["a", "b"].map(|name| ("s1".to_owned(), name.to_owned()));
    assert_eq!(pods_of(&warehouse).await, both);
    assert_eq!(warehouse.load(&job("s1", part), objects.as_ref()).await.unwrap(), LoadOutcome::AlreadyLoaded);
    assert_eq!(pods_of(&warehouse).await, both);
    assert_eq!(world.load_jobs(&dataset).await.len(), 1, "the first process' job served the second");
    let stages =
        format!("SELECT COUNT(*) FROM `{dataset}`.INFORMATION_SCHEMA.TABLES WHERE table_name LIKE 'podledger_stage%'");
    assert_eq!(world.sql(&stages).await, [["0"]], "no stage is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_does_not_use_up_the_load() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let (objects, bucket) = world.bucket().await;
    let part = stored(objects.as_ref(), "p", &[pod("s1", "a")]).await;
    // The part is read through one bucket and loaded from another, where it is not yet.
    let elsewhere = Elsewhere { inner: Arc::clone(&objects), bucket: world.fresh() };
    let warehouse = world.open(&dataset).await;
    for attempt in 1..=2_usize {
        let error = warehouse.load(&job("s1", part.clone()), &elsewhere).await.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
        let job = format!("_{}", attempt - 1);
        assert!(
            world.load_jobs(&dataset).await.iter().any(|id| id.ends_with(&job) && error.to_string().contains(id)),
            "{error}"
        );
        assert_eq!(world.load_jobs(&dataset).await.len(), attempt, "an attempt each");
    }
    create_bucket(&world.servers.storage(), &elsewhere.bucket).await;
    let there = open_bucket(&world.servers.storage(), &elsewhere.bucket).await;
    stored(there.as_ref(), "p", &[pod("s1", "a")]).await;
    let loaded = warehouse.load(&job("s1", part), &elsewhere).await.unwrap();
    assert_eq!(loaded, LoadOutcome::Loaded(Loaded { rows: 1 }));
    let jobs = world.load_jobs(&dataset).await;
    assert_eq!(jobs.len(), 3);
    for attempt in 0..3 {
        assert!(jobs.iter().any(|id| id.ends_with(&format!("_{attempt}"))), "{jobs:?}");
    }
    assert_ne!(bucket, elsewhere.bucket);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_another_store_than_cloud_storage_are_refused() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let warehouse = world.open(&dataset).await;
    let memory = MemoryObjects::default();
    let part = stored(&memory, "p", &[pod("s1", "a")]).await;
    let error = warehouse.load(&job("s1", part), &memory).await.unwrap_err();
    assert!(matches!(error, PortError::NeverWill { .. }) && error.to_string().contains("gs://"), "{error}");
    let (objects, _) = world.bucket().await;
    let star = stored(objects.as_ref(), "p*", &[pod("s1", "a")]).await;
    let error = warehouse.load(&job("s1", star), objects.as_ref()).await.unwrap_err();
    assert!(matches!(error, PortError::NeverWill { .. }) && error.to_string().contains("star"), "{error}");
    let layered = RetryObjects::new(
        Arc::new(TimeoutObjects::new(Arc::clone(&objects), Timeouts::default())),
        RetryPolicy::default(),
    );
    assert_eq!(layered.uri("a/b"), objects.uri("a/b"));
    assert!(objects.uri("a/b").unwrap().ends_with("/some/prefix/a/b"));
    assert_eq!(objects.uri("../b"), None);
}

/// Rows of a part that is larger than any piece of a body.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_many_rows_is_loaded_whole() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let warehouse = world.open(&dataset).await;
    let (objects, _) = world.bucket().await;
    let pods: Vec<GkePods> = (0..5_000).map(|n| pod("s1", &format!("pod-{n:04}"))).collect();
    let part = stored(objects.as_ref(), "p", &pods).await;
    let loaded = warehouse.load(&job("s1", part), objects.as_ref()).await.unwrap();
    assert_eq!(loaded, LoadOutcome::Loaded(Loaded { rows: 5_000 }));
    let expected: Vec<_> = pods.iter().map(|pod| ("s1".to_owned(), pod.name.clone())).collect();
    assert!(pods_of(&warehouse).await == expected);
}

/// Objects whose URIs are those of another bucket.
struct Elsewhere {
    inner: Arc<dyn Objects>,
    bucket: String,
}

#[async_trait::async_trait]
impl Objects for Elsewhere {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        self.inner.create(key, body).await
    }
    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: bytes::Bytes) -> PortResult<Replaced> {
        self.inner.replace_if(key, expected, body).await
    }
    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        self.inner.read(key).await
    }
    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        self.inner.list(prefix).await
    }
    async fn delete(&self, key: &str) -> PortResult<()> {
        self.inner.delete(key).await
    }
    fn uri(&self, key: &str) -> Option<String> {
        Some(format!("gs://{}/{PREFIX}/{key}", self.bucket))
    }
    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}
