//! The warehouse in a dataset of BigQuery: the same tables, views and questions as in SQLite.
//!
//! A load is one load job into a table of its own and one transaction that moves the rows and notes
//! that they are there; so are upserts and rejects, without the job. Each transaction takes the turn of
//! its table first, so that of two that race one is given up and did not happen. What comes from
//! outside reaches SQL as typed parameters only.
//!
//! Needs `bigquery.jobs.create` in the project (the role `roles/bigquery.jobUser`), on the dataset
//! `roles/bigquery.dataEditor`, and on the bucket `roles/storage.objectViewer`.

mod access;
mod answers;
mod bookkeeping;
mod cell;
mod failure;
mod load;
mod parameter;
mod prepare;
mod query;
mod rows;
mod staging;
mod timestamp;
mod upsert;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use google_cloud_auth::credentials::AccessTokenCredentials;
use schemas::ddl::{DATASET, in_dataset};
use schemas::{ClusterName, SnapshotId, Table, Timestamp};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use self::query::{Queries, Query};
use crate::ports::{
    Answer, Limit, LoadJob, LoadOutcome, Objects, PortError, PortResult, Question, RecentChange, Warehouse,
};

pub use self::prepare::{DatasetLook, FORMAT, Obstacle, TableChange};

/// Rows of one page of an answer; the service makes pages of 10 MB at most whatever it is asked for.
const PAGE_ROWS: u32 = 10_000;

/// Time in which snapshots share a load of a table: 1,440 loads a day, of the 1,500 that the service
/// allows a table. <https://cloud.google.com/bigquery/quotas#load_jobs>
const LOAD_INTERVAL: Duration = Duration::from_secs(60);

/// What may be chosen about the warehouse.
#[derive(Debug, Clone)]
pub struct BigQuerySettings {
    /// A stand-in (`http://HOST:PORT`); none for Google.
    pub emulator: Option<String>,
    /// What to show for credentials. None for the application's default ones; towards a stand-in none
    /// means that nothing is shown.
    pub credentials: Option<AccessTokenCredentials>,
    /// Where a dataset that is not there is created, such as `EU` or `europe-west2`; none leaves it to
    /// the service. One that is there stays where it is. It must be where the bucket is.
    pub location: Option<String>,
    /// Rows of one page of an answer: more pages are more calls, longer ones more memory.
    pub page_rows: u32,
}

impl Default for BigQuerySettings {
    fn default() -> Self {
        Self { emulator: None, credentials: None, location: None, page_rows: PAGE_ROWS }
    }
}

/// The warehouse port on a dataset. Cheap to clone.
#[derive(Clone)]
pub struct BigQueryWarehouse {
    inner: Arc<Inner>,
}

/// What the clones share.
struct Inner {
    queries: Queries,
    project: String,
    dataset: String,
    /// `PROJECT.DATASET`, as people write it.
    shown: String,
    wanted_location: Option<String>,
    /// Held while this process writes to a table: it would only race itself.
    turns: BTreeMap<Table, Mutex<()>>,
}

impl BigQueryWarehouse {
    /// Opens a dataset; nothing is asked of it yet, see [`Warehouse::prepare`].
    ///
    /// # Errors
    /// `NeverWill` for names that cannot stand in a statement, and where no credentials are found.
    pub async fn open(project: &str, dataset: &str, settings: BigQuerySettings) -> PortResult<Self> {
        let shown = format!("{project}.{dataset}");
        let attempted = format!("open bigquery:{shown}");
        let never = |reason: anyhow::Error| PortError::never_will(&attempted, reason);
        in_dataset(DATASET, &shown).map_err(|error| never(error.into()))?;
        let page_rows = i32::try_from(settings.page_rows).ok().filter(|rows| *rows > 0);
        let page_rows = page_rows.ok_or_else(|| never(anyhow!("pages of {} rows", settings.page_rows)))?;
        let client = access::client(&settings, &attempted).await?;
        let queries = Queries {
            client,
            project: project.to_owned(),
            dataset: dataset.to_owned(),
            shown: shown.clone(),
            location: OnceCell::new(),
            page_rows,
        };
        let inner = Inner {
            queries,
            project: project.to_owned(),
            dataset: dataset.to_owned(),
            shown,
            wanted_location: settings.location,
            turns: bookkeeping::written_tables().map(|table| (table, Mutex::new(()))).collect(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the dataset lacks, in the order in which [`Warehouse::prepare`] would create it; nothing is
    /// changed.
    ///
    /// # Errors
    /// `NeverWill` where something could only be had by narrowing or rewriting what is there, naming it,
    /// and for a dataset of a newer version; outages.
    pub async fn difference(&self) -> PortResult<Vec<TableChange>> {
        Ok(self.inner.plan().await?.changes())
    }

    /// The same, beside what keeps it from being created, and where the dataset is.
    ///
    /// # Errors
    /// `NeverWill` for a dataset of a newer version; outages.
    pub async fn look(&self) -> PortResult<DatasetLook> {
        self.inner.look().await
    }
}

impl Inner {
    /// This process' turn to write to a table; none for one that has no turns.
    async fn turn(&self, table: Table) -> Option<MutexGuard<'_, ()>> {
        match self.turns.get(&table) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

#[async_trait]
impl Warehouse for BigQueryWarehouse {
    async fn prepare(&self) -> PortResult<()> {
        self.inner.prepare().await
    }

    async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        self.inner.load(job, objects).await
    }

    async fn upsert(&self, table: Table, rows: Vec<u8>) -> PortResult<()> {
        self.inner.upsert(table, &rows).await
    }

    async fn put_rejects(&self, snapshot: &SnapshotId, kind: &str, part: i64, rows: Vec<u8>) -> PortResult<()> {
        self.inner.put_rejects(snapshot, kind, part, &rows).await
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

    fn load_interval(&self) -> Duration {
        LOAD_INTERVAL
    }

    async fn ping(&self) -> PortResult<()> {
        let attempted = format!("ask {} for an answer", self.inner.shown);
        let query = Query::reading(attempted, format!("SELECT COUNT(*) FROM {DATASET}.`{}`", bookkeeping::PREPARED));
        self.inner.queries.run(&query).await.map(drop).map_err(PortError::from)
    }
}
