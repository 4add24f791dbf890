//! BigQuery, as its stand-in serves it, keeps the port's promises.
#![allow(clippy::unwrap_used)] // A failed call is a failed test, also outside its function.

mod expiry;
mod faults;
mod loads;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use podledger_platform::embedded::SqliteWarehouse;
use podledger_platform::google::{BigQuerySettings, BigQueryWarehouse};
use podledger_platform::ports::{PortError, Question, Warehouse};
use podledger_platform::testkit::memory::MemoryObjects;
use podledger_platform::testkit::warehouse::parts::{file, stored};
use podledger_platform::testkit::warehouse::questions::column;
use podledger_platform::testkit::warehouse::rows::{change, ledger, october, pod};
use podledger_platform::testkit::warehouse::{Fixture, contract, history};
use schemas::{DeadLetters, Json, Payload, Table};

use crate::loads::job;
use crate::world::{PLENTY, PROJECT, World};

/// Seeds of the histories that are compared.
const SEEDS: [u64; 2] = [1, 2];
/// Tables that no history has rows for.
const WITHOUT_ROWS: [&str; 7] = [
    "gke_nodes",
    "gke_clusters",
    "gke_pod_usage",
    "firestore_documents",
    "firestore_apis",
    "firestore_capextchannels",
    "firestore_backendservices",
];

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
    let retried = world.open_retried(&dataset).await;
    let lacks = told().await;
    assert_eq!(lacks[0], format!("create dataset test.{dataset}"));
    assert!(
        lacks.contains(&"create table gke_pods".to_owned()) && lacks.contains(&"create view pod_metrics".to_owned())
    );
    assert_eq!(told().await, lacks, "telling creates nothing");
    retried.prepare().await.unwrap();
    assert_eq!(told().await, Vec::<String>::new());

    let of = |table: &str| format!("`{dataset}`.`{table}`");
    world.sql(&format!("ALTER TABLE {} DROP COLUMN labels", of("gke_pods"))).await;
    world.sql(&format!("DROP VIEW {}", of("pod_metrics"))).await;
    world
        .sql(&format!("UPDATE {} SET definition = 'old' WHERE name = 'user_pod_usage'", of("podledger_prepared")))
        .await;
    assert_eq!(told().await, ["add column gke_pods.labels", "create view pod_metrics", "replace view user_pod_usage"]);
    retried.prepare().await.unwrap();
    assert_eq!(told().await, Vec::<String>::new());
    let (objects, _) = world.bucket().await;
    let part = stored(objects.as_ref(), "p", &[pod("s1", "a")]).await;
    retried.load(&job("s1", part), objects.as_ref()).await.unwrap();
    let question = Question::Rows { name: "gke_pods".to_owned(), limit: PLENTY };
    let labels = column(&retried.ask(&question).await.unwrap(), "labels");
    assert_eq!(labels, [serde_json::json!({"app": "orders"})]);

    let format = |number: &str| {
        format!("UPDATE {} SET definition = '{number}' WHERE name = 'podledger_format'", of("podledger_prepared"))
    };
    world.sql(&format("2")).await;
    for refused in [retried.prepare().await, warehouse.difference().await.map(drop)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }) && error.to_string().contains("format 2"), "{error}");
    }
    world.sql(&format("1")).await;
    world.sql(&format!("ALTER TABLE {} DROP COLUMN restart_count", of("gke_pods"))).await;
    world.sql(&format!("ALTER TABLE {} ADD COLUMN restart_count STRING", of("gke_pods"))).await;
    for refused in [retried.prepare().await, warehouse.difference().await.map(drop)] {
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
