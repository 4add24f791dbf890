//! A warehouse in memory, with the promises of the port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use anyhow::anyhow;
use async_trait::async_trait;
use platform::ports::{
    Answer, Limit, LoadJob, LoadOutcome, Loaded, Objects, PortError, PortResult, Question, RecentChange, Warehouse,
};
use schemas::{
    ClusterName, DeadLetters, GkePodUsage, LimitDeclaration, Notification, PipelineLedger, RejectedRows, ReplicaChange,
    Row, RowReader, SnapshotId, Table, Timestamp, Violation,
};
use serde_json::Value;

/// More bytes than any file of these tests has.
const LARGEST_FILE: u64 = 1_000_000;

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

/// Tables that survive a crash.
#[derive(Default)]
pub(super) struct MemoryWarehouse {
    pub(super) tables: Mutex<Tables>,
    pub(super) asked: Mutex<Asked>,
}

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
                let (_, file) = objects.read_bytes(&part.object, LARGEST_FILE).await?.unwrap();
                let rows = rows_of(job.table, &file);
                if rows.len() as i64 != part.rows {
                    return Err(PortError::never_will("load", anyhow!("{}: not {} rows", part.object, part.rows)));
                }
                found.extend(rows);
            }
            files.insert(snapshot.snapshot_id.clone(), (snapshot.revision, found));
        }
        let mut tables = self.tables.lock().unwrap();
        let mut loaded = 0;
        for (snapshot, (revision, rows)) in files {
            self.asked.lock().unwrap().jobs.entry(job.id.clone()).or_default().insert(snapshot.clone());
            let there = tables.loaded.get(&(job.table, snapshot.clone()));
            if there.is_some_and(|(there, _)| *there >= revision) {
                continue;
            }
            loaded += rows.len() as i64;
            tables.loaded.insert((job.table, snapshot), (revision, rows));
        }
        Ok(if loaded > 0 { LoadOutcome::Loaded(Loaded { rows: loaded }) } else { LoadOutcome::AlreadyLoaded })
    }

    async fn upsert(&self, table: Table, file: Vec<u8>) -> PortResult<()> {
        let rows = rows_of(table, &file);
        if rows.iter().any(|row| row.to_string().contains("refuse me")) {
            return Err(PortError::never_will("upsert", anyhow!("a row is refused")));
        }
        let keys: BTreeSet<_> = rows.iter().map(|row| key(table, row)).collect();
        assert_eq!(keys.len(), rows.len(), "a key stands twice in one upsert");
        self.asked.lock().unwrap().upserts.push((table, rows.len()));
        let mut tables = self.tables.lock().unwrap();
        let into = tables.upserted.entry(table).or_default();
        into.extend(rows.into_iter().map(|row| (key(table, &row), row)));
        Ok(())
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, file: Vec<u8>) -> PortResult<()> {
        let place = (snapshot.clone(), kind.to_owned(), part);
        self.tables.lock().unwrap().rejected.insert(place, rows::<RejectedRows>(&file));
        Ok(())
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
