use rusqlite::Connection;
use schemas::ddl::{Dialect, questions, views};
use schemas::{GkePods, Table};

use super::*;
use crate::ports::{SnapshotPart, SnapshotRows};
use crate::testkit::memory::MemoryObjects;
use crate::testkit::warehouse::parts::{file, stored};
use crate::testkit::warehouse::rows::{change, declaration, october, pod};

fn warehouse(folder: &tempfile::TempDir) -> SqliteWarehouse {
    SqliteWarehouse::open(folder.path().join("warehouse.db")).unwrap()
}

fn never(result: PortResult<impl Sized>) -> String {
    match result {
        Err(error @ PortError::NeverWill { .. }) => error.to_string(),
        Err(other) => panic!("not a lasting failure: {other}"),
        Ok(_) => panic!("it succeeded"),
    }
}

#[test]
fn every_view_and_question_has_the_columns_its_file_declares() {
    let folder = tempfile::tempdir().unwrap();
    let path = warehouse(&folder).path().to_owned();
    let connection = Connection::open(path).unwrap();
    let found =
        |sql: &str| -> Vec<String> { connection.prepare(sql).unwrap().column_names().map(str::to_owned).collect() };
    for view in views(Dialect::Sqlite) {
        let declared: Vec<&str> = view.columns.iter().map(|column| column.name.as_str()).collect();
        // The file's own SELECT, not the view, whose columns are named by the head.
        assert_eq!(found(view.sql), declared, "view {}", view.name);
        connection.prepare(&format!("SELECT * FROM {}", view.name)).unwrap();
    }
    for question in questions(Dialect::Sqlite) {
        let declared: Vec<&str> = question.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(found(question.sql), declared, "question {}", question.name);
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = warehouse(&folder).path().to_owned();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", FORMAT + 1).unwrap();
    let error = never(SqliteWarehouse::open(&path));
    for expected in [path.to_str().unwrap(), "format 2", "format 1"] {
        assert!(error.contains(expected), "{expected:?} is not in {error}");
    }
    let version: i64 = Connection::open(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, FORMAT + 1);
}

#[test]
fn what_is_not_a_warehouse_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    assert!(never(SqliteWarehouse::open(&other)).contains("not a warehouse"));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, but it is longer than a header would be".repeat(20)).unwrap();
    assert!(never(SqliteWarehouse::open(&text)).contains("text.db"));
    let missing = SqliteWarehouse::open(folder.path().join("no/such/folder/w.db")).err().unwrap();
    assert!(missing.is_outage() && missing.to_string().contains("no/such/folder"), "{missing}");
}

#[tokio::test]
async fn a_damaged_file_is_a_lasting_failure_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = {
        let warehouse = warehouse(&folder);
        let pods: Vec<GkePods> = (0..2_000).map(|n| pod("s1", &format!("pod-{n}"))).collect();
        let objects = MemoryObjects::default();
        load(&warehouse, &objects, &pods).await.unwrap();
        warehouse.path().to_owned()
    };
    // The log is in the file once the last connection is closed.
    let mut bytes = std::fs::read(&path).unwrap();
    let start = bytes.len() / 2;
    bytes[start..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let outcome = match SqliteWarehouse::open(&path) {
        Ok(warehouse) => {
            warehouse.ask(&Question::Rows { name: "gke_pods".to_owned(), limit: 10_000 }).await.map(|_| ())
        }
        Err(error) => Err(error),
    };
    let error = never(outcome);
    assert!(error.contains("warehouse.db") && error.contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_an_outage_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder);
    {
        let writer = warehouse.store.writing().await;
        let pages: i64 = writer.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        writer.query_row(&format!("PRAGMA max_page_count = {}", pages + 20), [], |_| Ok(())).unwrap();
    }
    let pods: Vec<GkePods> = (0..5_000).map(|n| pod("s1", &format!("pod-{n}"))).collect();
    let objects = MemoryObjects::default();
    let error = load(&warehouse, &objects, &pods).await.unwrap_err();
    assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("load gke_pods") && text.contains("warehouse.db") && text.contains("full"), "{text}");
    let rows = warehouse.ask(&Question::Rows { name: "gke_pods".to_owned(), limit: 1 }).await.unwrap().rows;
    assert_eq!(rows.len(), 0);
}

#[tokio::test]
async fn a_file_held_by_another_writer_is_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder);
    warehouse.store.writing().await.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = Connection::open(warehouse.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let rows = file(&[change("e1", october(1, 0), 3)]);
    let error = warehouse.upsert(Table::ReplicaChanges, rows.clone()).await.unwrap_err();
    assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
    // Readers do not wait for writers.
    warehouse.limits_as_of(&"prod-uk".into(), october(1, 0)).await.unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    warehouse.upsert(Table::ReplicaChanges, rows).await.unwrap();
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_a_lasting_failure() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder);
    warehouse.store.writing().await.pragma_update(None, "query_only", true).unwrap();
    let error = never(warehouse.upsert(Table::ReplicaChanges, file(&[change("e1", october(1, 0), 3)])).await);
    assert!(error.contains("may not be written"), "{error}");
}

#[tokio::test]
async fn a_table_of_an_older_version_gets_its_missing_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = {
        let warehouse = warehouse(&folder);
        warehouse
            .upsert(Table::LimitDeclarations, file(&[declaration("d1", october(1, 0), "orders", 3)]))
            .await
            .unwrap();
        warehouse.path().to_owned()
    };
    let connection = Connection::open(&path).unwrap();
    let drops: String = views(Dialect::Sqlite).iter().map(|view| format!("DROP VIEW {};", view.name)).collect();
    connection.execute_batch(&drops).unwrap();
    connection.execute_batch("ALTER TABLE limit_declarations DROP COLUMN change_reason").unwrap();
    connection.execute_batch("UPDATE podledger_prepared SET definitions = 'an older version'").unwrap();
    drop(connection);
    let warehouse = SqliteWarehouse::open(&path).unwrap();
    let limits = warehouse.limits_as_of(&"prod-uk".into(), october(2, 0)).await.unwrap();
    assert_eq!((limits[0].max_replicas, &limits[0].change_reason), (3, &None));
    let later = schemas::LimitDeclaration {
        change_reason: Some("peak".to_owned()),
        ..declaration("d2", october(3, 0), "orders", 4)
    };
    warehouse.upsert(Table::LimitDeclarations, file(&[later])).await.unwrap();
    let limits = warehouse.limits_as_of(&"prod-uk".into(), october(4, 0)).await.unwrap();
    assert_eq!(limits[0].change_reason.as_deref(), Some("peak"));
}

#[tokio::test]
async fn a_load_that_is_given_up_leaves_nothing_and_frees_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder);
    let stuck = Stuck::default();
    let job = job(vec![SnapshotPart { object: "stuck".to_owned(), rows: 1 }]);
    tokio::select! {
        outcome = warehouse.load(&job, &stuck) => panic!("a body that never comes was loaded: {outcome:?}"),
        () = stuck.asked.notified() => {}
    }
    load(&warehouse, &MemoryObjects::default(), &[pod("s1", "b")]).await.unwrap();
}

/// Objects of which none ever gives its body; says when one is asked for.
#[derive(Default)]
struct Stuck {
    asked: tokio::sync::Notify,
}

#[async_trait]
impl Objects for Stuck {
    async fn create(&self, _: &str, _: crate::ports::ByteStream) -> PortResult<crate::ports::Created> {
        unreachable!("a load only reads")
    }
    async fn replace_if(
        &self,
        _: &str,
        _: Option<crate::ports::Generation>,
        _: bytes::Bytes,
    ) -> PortResult<crate::ports::Replaced> {
        unreachable!("a load only reads")
    }
    async fn read(&self, _: &str) -> PortResult<Option<crate::ports::StoredObject>> {
        self.asked.notify_one();
        std::future::pending().await
    }
    async fn list(&self, _: &str) -> PortResult<Vec<crate::ports::ObjectMeta>> {
        unreachable!("a load only reads")
    }
    async fn delete(&self, _: &str) -> PortResult<()> {
        unreachable!("a load only reads")
    }
    async fn ping(&self) -> PortResult<()> {
        unreachable!("a load only reads")
    }
}

fn job(parts: Vec<SnapshotPart>) -> LoadJob {
    let snapshots = vec![SnapshotRows { snapshot_id: "s1".into(), revision: 0, parts }];
    LoadJob { id: "j".to_owned(), table: Table::GkePods, snapshots }
}

async fn load(warehouse: &SqliteWarehouse, objects: &MemoryObjects, pods: &[GkePods]) -> PortResult<LoadOutcome> {
    let part = stored(objects, "pods", pods).await;
    warehouse.load(&job(vec![part]), objects).await
}
