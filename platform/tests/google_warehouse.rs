//! BigQuery, as its stand-in serves it, keeps the port's promises.
#![allow(clippy::unwrap_used)] // A failed call is a failed test, also outside its function.

mod google_warehouse_world;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use futures::FutureExt as _;
use google_warehouse_world::{PREFIX, PROJECT, World, open, open_bucket};
use podledger_platform::embedded::SqliteWarehouse;
use podledger_platform::google::{BigQuerySettings, BigQueryWarehouse};
use podledger_platform::layers::{RetryObjects, RetryPolicy, TimeoutObjects, Timeouts};
use podledger_platform::ports::{
    LoadJob, LoadOutcome, Loaded, Objects, PortError, Question, SnapshotPart, SnapshotRows, Warehouse,
};
use podledger_platform::testkit::warehouse::parts::{MemoryObjects, file, stored};
use podledger_platform::testkit::warehouse::questions::column;
use podledger_platform::testkit::warehouse::rows::{change, ledger, october, pod};
use podledger_platform::testkit::warehouse::{Fixture, contract, history};
use schemas::{DeadLetters, GkePods, Json, Payload, Table};

/// Seeds of the histories that are compared.
const SEEDS: [u64; 2] = [1, 2];
/// How often two writers race.
const RACES: usize = 200;
/// What the child process is to do: address of BigQuery, of Cloud Storage, dataset, bucket.
const CHILD: &str = "PODLEDGER_TEST_LOAD";
/// Tables that no history has rows for.
const WITHOUT_ROWS: [&str; 4] = ["gke_nodes", "gke_clusters", "gke_pod_usage", "firestore_documents"];
/// More rows than any test has.
const PLENTY: u64 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_keeps_the_contract() {
    let Some(world) = World::start() else { return };
    contract(async || world.fixture().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_views_and_questions_answer_as_the_embedded_warehouse_does() {
    let Some(world) = World::start() else { return };
    for seed in SEEDS {
        let (embedded, dataset) = (sqlite(), world.fixture().await);
        history::write(&embedded, seed).await;
        history::write(&dataset, seed).await;
        let (expected, found) = (history::ask_everything(&embedded).await, history::ask_everything(&dataset).await);
        for ((what, expected), (_, found)) in expected.answers.iter().zip(&found.answers) {
            let is_tested = !expected.rows.is_empty() || WITHOUT_ROWS.contains(&what.as_str());
            assert!(is_tested, "seed {seed}: {what} has no rows");
            assert_eq!(found.columns, expected.columns, "seed {seed}: {what}");
            for (place, (found, expected)) in found.rows.iter().zip(&expected.rows).enumerate() {
                assert_eq!(found, expected, "seed {seed}: {what}, row {place}");
            }
            assert_eq!(found.rows.len(), expected.rows.len(), "seed {seed}: {what}");
        }
        assert_eq!(found, expected, "seed {seed}");
    }
}

fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("warehouse.db");
    Fixture {
        warehouse: Arc::new(SqliteWarehouse::open(&path).unwrap()),
        objects: Arc::new(MemoryObjects::default()),
        reopen: Box::new(move || {
            // The folder lives as long as the fixture.
            let path = folder.path().join("warehouse.db");
            async move { Arc::new(SqliteWarehouse::open(path).unwrap()) as Arc<dyn Warehouse> }.boxed()
        }),
    }
}

/// A job that loads one part of one snapshot.
fn job(snapshot: &str, part: SnapshotPart) -> LoadJob {
    let snapshots = vec![SnapshotRows { snapshot_id: snapshot.into(), revision: 0, parts: vec![part] }];
    LoadJob { id: format!("plan-{snapshot}"), table: Table::GkePods, snapshots }
}

async fn pods_of(warehouse: &dyn Warehouse) -> Vec<(String, String)> {
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
    for race in 0..RACES {
        let snapshot = format!("s{race:03}");
        let part = stored(objects.as_ref(), &snapshot, &[pod(&snapshot, "a"), pod(&snapshot, "b")]).await;
        let job = job(&snapshot, part);
        let (first, second) = tokio::join!(one.load(&job, objects.as_ref()), other.load(&job, objects.as_ref()));
        let mut outcomes = [first.unwrap(), second.unwrap()];
        outcomes.sort_by_key(|outcome| *outcome == LoadOutcome::AlreadyLoaded);
        assert_eq!(outcomes, [LoadOutcome::Loaded(Loaded { rows: 2 }), LoadOutcome::AlreadyLoaded], "race {race}");
    }
    let expected: Vec<(String, String)> =
        (0..RACES).flat_map(|race| ["a", "b"].map(|name| (format!("s{race:03}"), name.to_owned()))).collect();
    assert_eq!(pods_of(one.as_ref()).await, expected);
    assert_eq!(world.load_jobs(&dataset).await.len(), RACES, "one load job each");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_of_one_row_none_doubles_it() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let (one, other) = (world.open_retried(&dataset).await, world.open_retried(&dataset).await);
    for race in 0..10 {
        let rows = file(&[change(&format!("e{race}"), october(1, 0), 3)]);
        let again = rows.clone();
        let (first, second) =
            tokio::join!(one.upsert(Table::ReplicaChanges, rows), other.upsert(Table::ReplicaChanges, again));
        first.unwrap();
        second.unwrap();
    }
    let question = Question::Rows { name: "replica_changes".to_owned(), limit: PLENTY };
    assert_eq!(one.ask(&question).await.unwrap().rows.len(), 10);
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
        child.args(["--exact", "child", "--ignored", "--nocapture"]).env(CHILD, &told);
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
    for attempt in 1..=2 {
        let error = warehouse.load(&job("s1", part.clone()), &elsewhere).await.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
        assert!(error.to_string().contains(&elsewhere.bucket), "the file is named: {error}");
        assert_eq!(world.load_jobs(&dataset).await.len(), attempt, "an attempt each");
    }
    podledger_platform::testkit::storage::create_bucket(&world.servers.storage(), &elsewhere.bucket).await;
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

/// Objects whose URIs are those of another bucket.
struct Elsewhere {
    inner: Arc<dyn Objects>,
    bucket: String,
}

#[async_trait::async_trait]
impl Objects for Elsewhere {
    async fn create(
        &self,
        key: &str,
        body: podledger_platform::ports::ByteStream,
    ) -> podledger_platform::ports::PortResult<podledger_platform::ports::Created> {
        self.inner.create(key, body).await
    }
    async fn replace_if(
        &self,
        key: &str,
        expected: Option<podledger_platform::ports::Generation>,
        body: bytes::Bytes,
    ) -> podledger_platform::ports::PortResult<podledger_platform::ports::Replaced> {
        self.inner.replace_if(key, expected, body).await
    }
    async fn read(
        &self,
        key: &str,
    ) -> podledger_platform::ports::PortResult<Option<podledger_platform::ports::StoredObject>> {
        self.inner.read(key).await
    }
    async fn list(
        &self,
        prefix: &str,
    ) -> podledger_platform::ports::PortResult<Vec<podledger_platform::ports::ObjectMeta>> {
        self.inner.list(prefix).await
    }
    async fn delete(&self, key: &str) -> podledger_platform::ports::PortResult<()> {
        self.inner.delete(key).await
    }
    fn uri(&self, key: &str) -> Option<String> {
        Some(format!("gs://{}/{PREFIX}/{key}", self.bucket))
    }
    async fn ping(&self) -> podledger_platform::ports::PortResult<()> {
        self.inner.ping().await
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_several_pages_is_whole_and_its_times_are_those_of_one_page() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let rows: Vec<_> = (0..20_i64)
        .map(|n| schemas::PipelineLedger {
            started_at: schemas::Timestamp::from_micros(october(1, 0).micros() + n * 333_333),
            ..ledger("loader", &format!("u{n:02}"), n, n, 0)
        })
        .collect();
    let whole = world.open(&dataset).await;
    whole.upsert(Table::PipelineLedger, file(&rows)).await.unwrap();
    let settings =
        BigQuerySettings { emulator: Some(world.servers.bigquery()), page_rows: 3, ..BigQuerySettings::default() };
    let paged = BigQueryWarehouse::open(PROJECT, &dataset, settings).await.unwrap();
    let question = Question::Rows { name: "pipeline_ledger".to_owned(), limit: PLENTY };
    let (one, many) = (whole.ask(&question).await.unwrap(), paged.ask(&question).await.unwrap());
    assert_eq!(one.rows.len(), 20);
    assert_eq!(many, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_too_many_for_one_request_are_written_together() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let warehouse = world.open(&dataset).await;
    let letter = |n: u8, bytes: usize| DeadLetters {
        message_id: format!("m{n}"),
        topic: "row-batches".to_owned(),
        subscription: "row-batches--loader".to_owned(),
        stage: "loader".to_owned(),
        reason: "not avro".to_owned(),
        payload: Payload(vec![n; bytes]),
        attributes: Json::parse(r#"{"a": "b"}"#).unwrap(),
        received_at: october(1, 0),
    };
    let letters: Vec<_> = (0..8).map(|n| letter(n, 1_000_000)).collect();
    warehouse.upsert(Table::DeadLetters, file(&letters)).await.unwrap();
    warehouse.upsert(Table::DeadLetters, file(&letters)).await.unwrap();
    let question = Question::Rows { name: "dead_letters".to_owned(), limit: PLENTY };
    let answer = warehouse.ask(&question).await.unwrap();
    let expected: Vec<_> = letters.iter().map(|letter| serde_json::to_value(&letter.payload).unwrap()).collect();
    assert!(column(&answer, "payload") == expected, "{} rows", answer.rows.len());
    let error = warehouse.upsert(Table::DeadLetters, file(&[letter(9, 9_000_000)])).await.unwrap_err();
    assert!(matches!(error, PortError::NeverWill { .. }) && error.to_string().contains("one request"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dataset_lacks_is_told_and_then_created_and_nothing_else() {
    let Some(world) = World::start() else { return };
    let dataset = world.fresh();
    let warehouse = world.open(&dataset).await;
    let told =
        async || -> Vec<String> { warehouse.difference().await.unwrap().iter().map(ToString::to_string).collect() };
    let lacks = told().await;
    assert_eq!(lacks[0], format!("create dataset test.{dataset}"));
    assert!(
        lacks.contains(&"create table gke_pods".to_owned()) && lacks.contains(&"create view pod_metrics".to_owned())
    );
    assert_eq!(told().await, lacks, "telling creates nothing");
    warehouse.prepare().await.unwrap();
    assert_eq!(told().await, Vec::<String>::new());

    let of = |table: &str| format!("`{dataset}`.`{table}`");
    world.sql(&format!("ALTER TABLE {} DROP COLUMN labels", of("gke_pods"))).await;
    world.sql(&format!("DROP VIEW {}", of("pod_metrics"))).await;
    world
        .sql(&format!("UPDATE {} SET definition = 'old' WHERE name = 'user_pod_usage'", of("podledger_prepared")))
        .await;
    assert_eq!(told().await, ["add column gke_pods.labels", "create view pod_metrics", "replace view user_pod_usage"]);
    warehouse.prepare().await.unwrap();
    assert_eq!(told().await, Vec::<String>::new());
    let (objects, _) = world.bucket().await;
    let part = stored(objects.as_ref(), "p", &[pod("s1", "a")]).await;
    warehouse.load(&job("s1", part), objects.as_ref()).await.unwrap();
    let question = Question::Rows { name: "gke_pods".to_owned(), limit: PLENTY };
    let labels = column(&warehouse.ask(&question).await.unwrap(), "labels");
    assert_eq!(labels, [serde_json::json!({"app": "orders"})]);

    let format = |number: &str| {
        format!("UPDATE {} SET definition = '{number}' WHERE name = 'podledger_format'", of("podledger_prepared"))
    };
    world.sql(&format("2")).await;
    for refused in [warehouse.prepare().await, warehouse.difference().await.map(drop)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }) && error.to_string().contains("format 2"), "{error}");
    }
    world.sql(&format("1")).await;
    world.sql(&format!("ALTER TABLE {} DROP COLUMN restart_count", of("gke_pods"))).await;
    world.sql(&format!("ALTER TABLE {} ADD COLUMN restart_count STRING", of("gke_pods"))).await;
    for refused in [warehouse.prepare().await, warehouse.difference().await.map(drop)] {
        let error = refused.unwrap_err();
        let names = error.to_string().contains("gke_pods.restart_count");
        assert!(matches!(error, PortError::NeverWill { .. }) && names, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_and_clusters_are_as_the_schemas_say() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let sql = format!(
        "SELECT table_name, column_name, is_partitioning_column, clustering_ordinal_position \
         FROM `{dataset}`.INFORMATION_SCHEMA.COLUMNS"
    );
    let mut partitions = BTreeMap::new();
    let mut clusters: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in world.sql(&sql).await {
        let text = |place: usize| row[place].as_str().unwrap_or_default().to_owned();
        if text(2) == "YES" {
            partitions.insert(text(0), text(1));
        }
        if !text(3).is_empty() {
            clusters.entry(text(0)).or_default().insert(text(3), text(1));
        }
    }
    for table in Table::ALL {
        assert_eq!(partitions.get(table.name()).map(String::as_str), Some(table.time_column()), "{table}");
        let found: Vec<&str> = clusters[table.name()].values().map(String::as_str).collect();
        let expected: Vec<&str> = table.cluster_by().iter().take(4).map(String::as_str).collect();
        assert_eq!(found, expected, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_stand_in_a_statement_never_open() {
    for (project, dataset) in [("p", "d`; DROP TABLE x"), ("", "d"), ("p", ""), ("p.q", "d")] {
        let refused = BigQueryWarehouse::open(project, dataset, BigQuerySettings::default()).await;
        assert!(matches!(refused.err(), Some(PortError::NeverWill { .. })), "{project} {dataset}");
    }
    let settings = BigQuerySettings { page_rows: 0, ..BigQuerySettings::default() };
    assert!(BigQueryWarehouse::open("p", "d", settings).await.is_err());
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
