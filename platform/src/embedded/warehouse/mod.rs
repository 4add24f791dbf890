//! The warehouse on SQLite: the same tables, views and questions as in BigQuery, in one file.
//!
//! One writer connection per process, one transaction at a time (`BEGIN IMMEDIATE`), in WAL mode,
//! so that readers never wait for it; several processes may share the file. All SQL runs on
//! blocking threads. A commit is on the disk when it returns (`synchronous = FULL`), since messages
//! are acknowledged on the strength of it.

mod answers;
mod failure;
mod load;
mod parts;
mod store;
mod upsert;
mod value;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use schemas::{ClusterName, SnapshotId, Table, Timestamp};

use self::store::Store;
use crate::ports::{
    Answer, Limit, LoadJob, LoadOutcome, Objects, PortError, PortResult, Question, RecentChange, Warehouse,
};

pub use self::store::FORMAT;

/// The embedded warehouse; see the module.
#[derive(Clone)]
pub struct SqliteWarehouse {
    store: Arc<Store>,
}

impl SqliteWarehouse {
    /// Opens the file, creating it where it is missing, and creates what it lacks. A file that has
    /// everything is not written to.
    ///
    /// # Errors
    /// A file written by a newer version, or that is not a warehouse, never opens; a full disk or a
    /// locked file may later.
    pub fn open(path: impl AsRef<Path>) -> PortResult<Self> {
        Ok(Self { store: Arc::new(Store::open(path.as_ref())?) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// Reads on a pooled connection, on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        attempted: impl Into<String>,
        query: impl FnOnce(&rusqlite::Connection) -> Result<T, failure::Failure> + Send + 'static,
    ) -> PortResult<T> {
        let attempted = self.attempted(attempted);
        let permit = self.store.reading().await;
        let store = Arc::clone(&self.store);
        blocking(attempted.clone(), move || {
            let connection = store.reader()?;
            let answer = query(&connection);
            // A connection whose query failed is closed, not reused.
            if answer.is_ok() {
                store.give_back(connection);
            }
            drop(permit);
            answer
        })
        .await
        .map_err(|failure| failure.into_port_error(attempted))
    }

    /// Runs one write transaction on the writer connection, on a blocking thread.
    async fn write<T: Send + 'static>(
        &self,
        attempted: impl Into<String>,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, failure::Failure> + Send + 'static,
    ) -> PortResult<T> {
        let attempted = self.attempted(attempted);
        let mut writer = self.store.writing().await;
        blocking(attempted.clone(), move || store::in_transaction(&mut writer, change))
            .await
            .map_err(|failure| failure.into_port_error(attempted))
    }

    /// What is attempted, on which file.
    fn attempted(&self, attempted: impl Into<String>) -> String {
        format!("{} in {}", attempted.into(), self.store.path().display())
    }
}

/// Runs on a blocking thread. A panic there leaves the outcome unknown.
async fn blocking<T: Send + 'static>(
    attempted: String,
    work: impl FnOnce() -> Result<T, failure::Failure> + Send + 'static,
) -> Result<T, failure::Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(PortError::may_have_happened(attempted, error).into()),
    }
}

#[async_trait]
impl Warehouse for SqliteWarehouse {
    async fn prepare(&self) -> PortResult<()> {
        let mut writer = self.store.writing().await;
        let attempted = self.attempted("create tables and views");
        let path: PathBuf = self.store.path().to_owned();
        blocking(attempted.clone(), move || store::prepare(&mut writer, &path))
            .await
            .map_err(|failure| failure.into_port_error(attempted))
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        let (source, feed) = parts::channel();
        let job = job.clone();
        let attempted = format!("load {} by job {}", job.table, job.id);
        let loading = self.write(attempted, move |transaction| load::load(transaction, &job, &source));
        let (outcome, fed) = tokio::join!(loading, feed.serve(objects));
        // When a part could not be read, that is why the load failed.
        fed?;
        outcome
    }

    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        self.write(format!("upsert {table}"), move |transaction| upsert::upsert(transaction, table, &rows)).await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        let (snapshot, kind) = (snapshot.clone(), kind.to_owned());
        self.write(format!("put rejects of {kind} part {part} of snapshot {snapshot}"), move |transaction| {
            upsert::put_rejects(transaction, &snapshot, &kind, part, &rows)
        })
        .await
    }

    async fn limits_as_of(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        let cluster = cluster.clone();
        self.read("read limits", move |connection| answers::limits_as_of(connection, &cluster, at)).await
    }

    async fn last_changes(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        let cluster = cluster.clone();
        self.read("read last changes", move |connection| answers::last_changes(connection, &cluster, at)).await
    }

    async fn ask(&self, question: &Question) -> PortResult<Answer> {
        let question = question.clone();
        self.read("ask", move |connection| answers::ask(connection, &question)).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.read("ping", |connection| Ok(connection.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }
}
