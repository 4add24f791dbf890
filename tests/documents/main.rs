//! Documents from their sources to tables, by snapshotter, normalizer and loader on the embedded
//! ports.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A laboratory that breaks is a failed test.

mod house;

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::google::{FirestoreDocuments, FirestoreSettings};
use platform::ports::{Document, DocumentValue, Documents, Fields};
use platform::runtime::install_tls;
use platform::testkit::documents::{every_type, many};
use platform::testkit::firestore::write;
use platform::testkit::servers::Built;
use serde_json::{Value, json};

use crate::house::House;

/// A document of a project and database.
fn document(project: &str, database: &str, path: &str, fields: Fields) -> Document {
    let name = format!("projects/{project}/databases/{database}/documents/{path}").parse().unwrap();
    Document { name, create_time: None, update_time: None, fields }
}

fn fields(pairs: impl IntoIterator<Item = (&'static str, DocumentValue)>) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text(text: &str) -> DocumentValue {
    DocumentValue::Text(text.to_owned())
}

/// What every registry of these tests holds.
fn registry(project: &str, database: &str) -> Vec<Document> {
    let of = |path: &str, fields| document(project, database, path, fields);
    vec![
        of("apis/orders", fields([("apiId", text("orders")), ("maxReplicas", DocumentValue::Integer(4))])),
        of("apis/typed", every_type(false)),
        of(
            "teams/payments/apis/refunds",
            fields([("api_id", text("refunds")), ("max_replicas", text("four")), ("token", text("s3cret"))]),
        ),
        of("backendservices/b", fields([("port", DocumentValue::Double(8080.0)), ("host", text("b.example.com"))])),
        of("teams/payments", fields([("name", text("payments"))])),
        of("elsewhere/e", fields([("name", text("not collected"))])),
    ]
}

const COLLECTIONS: (&str, &str) = ("PODLEDGER_COLLECTIONS", "apis,capExtChannels,backendservices,teams");

/// Writes a dump.
fn dump(folder: &std::path::Path, documents: &[Document]) {
    std::fs::create_dir_all(folder).unwrap();
    let lines: Vec<Vec<u8>> = documents.iter().map(|document| document.to_wire().unwrap()).collect();
    std::fs::write(folder.join("all.ndjson"), lines.join(&b'\n')).unwrap();
}

/// The value of each row's column.
fn column(rows: &[BTreeMap<String, Value>], column: &str) -> Vec<Value> {
    rows.iter().map(|row| row[column].clone()).collect()
}

/// The tables of one source that holds [`registry`].
async fn has_the_registry(house: &House, source: &str, project: &str, database: &str) {
    let all = house.rows("firestore_documents", source).await;
    let mut paths = column(&all, "path");
    paths.sort_by_key(Value::to_string);
    let expected = ["apis/orders", "apis/typed", "backendservices/b", "teams/payments", "teams/payments/apis/refunds"];
    assert_eq!(paths, expected.map(Value::from));
    assert!(all.iter().all(|row| row["project"] == project && row["database"] == database), "{all:?}");

    let mut apis = house.rows("firestore_apis", source).await;
    apis.sort_by_key(|row| row["path"].to_string());
    assert_eq!(column(&apis, "api_id"), [json!("orders"), Value::Null, json!("refunds")]);
    assert_eq!(column(&apis, "max_replicas"), [json!(4), Value::Null, Value::Null]);
    assert_eq!(apis[0]["mistyped"], Value::Null);
    assert_eq!(apis[2]["mistyped"], "max_replicas is \"four\", expected a whole number");
    assert_eq!(apis[2]["data"], json!({"api_id": "refunds", "max_replicas": "four"}), "redacted, otherwise whole");
    let typed = document(project, database, "apis/typed", every_type(false)).to_wire().unwrap();
    let typed: Value = serde_json::from_slice(&typed).unwrap();
    assert_eq!(apis[1]["data"], typed["data"]);

    let services = house.rows("firestore_backendservices", source).await;
    assert_eq!(
        (column(&services, "port"), column(&services, "host")),
        (vec![json!(8080)], vec![json!("b.example.com")])
    );
    assert_eq!(house.rows("firestore_capextchannels", source).await.len(), 0);
    assert_eq!(house.rows("rejected_rows", source).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projects_in_files_become_rows_of_every_table() {
    let folder = tempfile::tempdir().unwrap();
    for project in ["one", "two"] {
        dump(&folder.path().join(project), &registry(project, "(default)"));
    }
    let dumped = |project: &str| format!("{project}=dump:{}", folder.path().join(project).display());
    let addresses = [dumped("one"), dumped("two")].join(",");
    let house = House::start(folder.path(), &[("PODLEDGER_DOCUMENTS", &addresses), COLLECTIONS], BTreeMap::new()).await;
    house.snapshot("*").await;
    for project in ["one", "two"] {
        has_the_registry(&house, project, project, "(default)").await;
    }
    // One kind for all documents and one for each collection with a table, of each project.
    house.is_conserved(2 * 4).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_databases_of_firestore_become_rows_of_every_table() {
    let Some(built) = Built::find("firestore") else { return };
    install_tls();
    let server = built.start(&[]);
    let places = [("uk", "one", "(default)"), ("uk-eu", "one", "eu"), ("de", "two", "(default)")];
    let mut sources: BTreeMap<_, Arc<dyn Documents>> = BTreeMap::new();
    for (name, project, database) in places {
        write(&server.url("grpc"), &registry(project, database)).await;
        let emulator = Some(server.url("grpc"));
        let settings = FirestoreSettings { emulator, query_documents: 2, ..FirestoreSettings::default() };
        sources.insert(name.into(), Arc::new(FirestoreDocuments::open(project, Some(database), settings).unwrap()));
    }
    let folder = tempfile::tempdir().unwrap();
    let house = House::start(folder.path(), &[COLLECTIONS], sources).await;
    house.snapshot("*").await;
    for (name, project, database) in places {
        has_the_registry(&house, name, project, database).await;
        let all = house.rows("firestore_documents", name).await;
        assert!(all.iter().all(|row| !row["create_time"].is_null() && !row["update_time"].is_null()));
    }
    house.is_conserved(3 * 4).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_documents_in_parts_are_all_there_and_bad_ones_are_rejects() {
    let folder = tempfile::tempdir().unwrap();
    let dumped = folder.path().join("registry");
    dump(&dumped, &many("apis", 2_500));
    let bad = r#"{"name":"projects/test/databases/(default)/documents/apis/bad","data":{"a":{"$timestamp":"now"}}}"#;
    std::fs::write(dumped.join("bad.ndjson"), bad).unwrap();
    let address = format!("registry=dump:{}", dumped.display());
    let parts = ("PODLEDGER_SNAPSHOT_PART_OBJECTS", "400");
    let house =
        House::start(folder.path(), &[("PODLEDGER_DOCUMENTS", &address), COLLECTIONS, parts], BTreeMap::new()).await;
    house.snapshot("registry").await;
    for table in ["firestore_documents", "firestore_apis"] {
        assert_eq!(house.rows(table, "registry").await.len(), 2_500, "{table}");
    }
    // It is missing in both tables, and each says so.
    let rejects = house.rows("rejected_rows", "registry").await;
    let mut kinds = column(&rejects, "kind");
    kinds.sort_by_key(Value::to_string);
    assert_eq!(kinds, [json!("documents"), json!("documents.apis")]);
    for reject in &rejects {
        let reason = reject["reason"].as_str().unwrap();
        assert!(reason.contains("bad.ndjson line 1") && reason.contains("$timestamp is \"now\""), "{reason}");
    }
    house.is_conserved(4).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_read_into_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/documents");
    let address = format!("registry=dump:{example}");
    let house = House::start(folder.path(), &[("PODLEDGER_DOCUMENTS", &address)], BTreeMap::new()).await;
    house.snapshot("registry").await;
    let mut apis = house.rows("firestore_apis", "registry").await;
    apis.sort_by_key(|row| row["path"].to_string());
    assert_eq!(column(&apis, "max_replicas"), [json!(4), Value::Null]);
    assert_eq!(column(&apis, "created_at")[0], json!("2026-08-03T09:12:44.12Z"));
    assert_eq!(apis[1]["mistyped"], "max_replicas is \"four\", expected a whole number");
    let channels = house.rows("firestore_capextchannels", "registry").await;
    assert_eq!(column(&channels, "capacity"), [json!(9_007_199_254_740_993_i64)]);
    let services = house.rows("firestore_backendservices", "registry").await;
    assert_eq!((column(&services, "port"), column(&services, "timeout_seconds")), (vec![json!(8443)], vec![json!(30)]));
    house.is_conserved(4).await;
    house.stop().await;
}
