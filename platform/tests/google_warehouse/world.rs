//! Stand-ins for BigQuery and Cloud Storage, datasets and buckets in them, and a look behind the adapter.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use podledger_platform::google::{BigQuerySettings, BigQueryWarehouse, CloudStorageObjects};
use podledger_platform::layers::{RetryPolicy, RetryWarehouse};
use podledger_platform::ports::{Objects, Warehouse};
use podledger_platform::testkit::bigquery::BigQueryAndStorage;
use podledger_platform::testkit::storage::create_bucket;
use podledger_platform::testkit::warehouse::Fixture;
use schemas::Table;
use serde_json::{Value, json};

/// The project of every dataset.
pub(crate) const PROJECT: &str = "test";
/// What every key of a test's bucket starts with.
pub(crate) const PREFIX: &str = "some/prefix";
/// More rows than any test has.
pub(crate) const PLENTY: u64 = 10_000;
/// How long calls are tried again: machines that run tests are busy.
pub(crate) const RETRIED_FOR: Duration = Duration::from_secs(120);

/// Running servers.
pub(crate) struct World {
    pub(crate) servers: BigQueryAndStorage,
    made: AtomicU32,
    /// Prepared datasets that no fixture has any more.
    idle: Arc<Mutex<Vec<String>>>,
}

/// A fixture's dataset, which the next fixture may have after it.
struct Lease {
    dataset: String,
    idle: Arc<Mutex<Vec<String>>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.idle.lock().unwrap().push(std::mem::take(&mut self.dataset));
    }
}

impl World {
    /// Starts them, where they were built.
    pub(crate) fn start() -> Option<Self> {
        Some(Self { servers: BigQueryAndStorage::start()?, made: AtomicU32::new(0), idle: Arc::default() })
    }

    /// A name that nothing in this world has.
    pub(crate) fn fresh(&self) -> String {
        format!("world{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Opens a dataset, as any process would.
    pub(crate) async fn open(&self, dataset: &str) -> BigQueryWarehouse {
        open(&self.servers.bigquery(), dataset).await
    }

    /// Opens a dataset with the retries a stage has.
    pub(crate) async fn open_retried(&self, dataset: &str) -> Arc<dyn Warehouse> {
        let policy = RetryPolicy { within: RETRIED_FOR, ..RetryPolicy::default() };
        Arc::new(RetryWarehouse::new(Arc::new(self.open(dataset).await), policy))
    }

    /// A prepared dataset with nothing in it.
    pub(crate) async fn dataset(&self) -> String {
        let dataset = self.fresh();
        self.open(&dataset).await.prepare().await.unwrap();
        dataset
    }

    /// A bucket of its own, and its name.
    pub(crate) async fn bucket(&self) -> (Arc<dyn Objects>, String) {
        let bucket = self.fresh();
        create_bucket(&self.servers.storage(), &bucket).await;
        (open_bucket(&self.servers.storage(), &bucket).await, bucket)
    }

    /// An empty, prepared dataset and a bucket. Creating tables is most of what a test would wait for:
    /// a dataset that another fixture had is emptied and used again.
    pub(crate) async fn fixture(&self) -> Fixture {
        let used = self.idle.lock().unwrap().pop();
        let dataset = match used {
            Some(dataset) => {
                self.empty(&dataset).await;
                dataset
            }
            None => self.dataset().await,
        };
        let warehouse = Arc::new(self.open(&dataset).await);
        let (endpoint, lease) = (self.servers.bigquery(), Lease { dataset, idle: Arc::clone(&self.idle) });
        Fixture {
            warehouse,
            objects: self.bucket().await.0,
            reopen: Box::new(move || {
                let (endpoint, dataset) = (endpoint.clone(), lease.dataset.clone());
                async move { Arc::new(open(&endpoint, &dataset).await) as Arc<dyn Warehouse> }.boxed()
            }),
        }
    }

    async fn empty(&self, dataset: &str) {
        let tables = Table::ALL.iter().map(|table| table.name()).chain(["podledger_loads"]);
        let script: Vec<String> = tables.map(|table| format!("TRUNCATE TABLE `{dataset}`.`{table}`")).collect();
        self.sql(&script.join(";\n")).await;
    }

    /// Runs SQL as somebody else would, and gives the cells of its rows.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<Vec<Value>> {
        let url = format!("{}/bigquery/v2/projects/{PROJECT}/queries", self.servers.bigquery());
        let body = json!({"query": sql, "useLegacySql": false, "timeoutMs": 120_000});
        let response = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["jobComplete"], true, "{sql}: {answer}");
        let rows = answer["rows"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["f"].as_array().unwrap().iter().map(|cell| cell["v"].clone()).collect()).collect()
    }

    /// Ids of the load jobs that were ever submitted for a dataset.
    pub(crate) async fn load_jobs(&self, dataset: &str) -> Vec<String> {
        let url = format!("{}/bigquery/v2/projects/{PROJECT}/jobs?maxResults=100000", self.servers.bigquery());
        let jobs: Value = reqwest::Client::new().get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(jobs["nextPageToken"], Value::Null, "all on one page");
        let of_dataset = |job: &&Value| job["configuration"]["load"]["destinationTable"]["datasetId"] == dataset;
        let jobs = jobs["jobs"].as_array().unwrap().iter().filter(of_dataset);
        jobs.map(|job| job["jobReference"]["jobId"].as_str().unwrap().to_owned()).collect()
    }
}

/// Opens a dataset of the stand-in at an address.
pub(crate) async fn open(endpoint: &str, dataset: &str) -> BigQueryWarehouse {
    let settings = BigQuerySettings { emulator: Some(endpoint.to_owned()), ..BigQuerySettings::default() };
    BigQueryWarehouse::open(PROJECT, dataset, settings).await.unwrap()
}

/// Opens a bucket of the stand-in at an address.
pub(crate) async fn open_bucket(endpoint: &str, bucket: &str) -> Arc<dyn Objects> {
    Arc::new(CloudStorageObjects::open(bucket, PREFIX, Some(endpoint)).await.unwrap())
}
