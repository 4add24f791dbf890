//! A stand-in for BigQuery together with the one for Cloud Storage that it loads from.

use super::servers::{Built, Server};

/// Both, started on free ports and ending with this.
#[derive(Debug)]
pub struct BigQueryAndStorage {
    bigquery: Server,
    storage: Server,
    /// Tables, and objects as files: BigQuery's stand-in reads them there.
    _folder: tempfile::TempDir,
}

impl BigQueryAndStorage {
    /// Starts them. Where one was not built the reason is printed and the test goes without.
    ///
    /// # Panics
    /// In CI (`CI=true`), where one was not built.
    pub fn start() -> Option<Self> {
        // As `main` does; another test of the process may have.
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let (bigquery, storage) = (Built::find("bigquery")?, Built::find("storage")?);
        let folder = tempfile::tempdir().expect("a folder for tests");
        let below = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).expect("a folder for tests");
            path.to_str().expect("a path in UTF-8").to_owned()
        };
        let (tables, objects) = (below("tables"), below("objects"));
        let storage = storage.start(&["-data", &objects]);
        let bigquery = bigquery.start(&["-data", &tables, "-objects", &objects]);
        Some(Self { bigquery, storage, _folder: folder })
    }

    /// Where BigQuery's stand-in is, as `http://HOST:PORT`.
    pub fn bigquery(&self) -> String {
        self.bigquery.url("http")
    }

    /// Where Cloud Storage's is.
    pub fn storage(&self) -> String {
        self.storage.url("http")
    }

    /// Kills BigQuery's stand-in; its tables stay.
    pub fn stop_bigquery(&mut self) {
        self.bigquery.stop();
    }

    /// Starts it again where it was, with the tables it had.
    pub fn start_bigquery_again(&mut self) {
        self.bigquery.start_again(&[("-listen", "http")]);
    }
}
