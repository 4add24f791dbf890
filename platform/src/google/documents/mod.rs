//! Documents in a database of Firestore.
//!
//! A list is made of queries over collection groups, ordered by name, each of which begins after the
//! last document of the one before. The first one reads what is newest; the moment that it shows,
//! which its answer names, is the read time of all that follow. Firestore keeps an hour of the past:
//! a list that takes longer ends as expired.
//!
//! Needs `datastore.entities.{get,list}` and `datastore.databases.get` (the role
//! `roles/datastore.viewer`).

mod convert;
mod failure;
mod walk;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use firestore::errors::FirestoreError;
use firestore::gcloud_sdk::GoogleAuthHeaders;
use firestore::{FirestoreDb, FirestoreDbOptions};
use futures::StreamExt as _;
use google_cloud_auth::credentials::anonymous;
use tokio::sync::OnceCell;

use crate::ports::{CollectionId, DocumentPages, Documents, DocumentsError};
use walk::Walk;

/// The database of a project that was not given another name.
pub const DEFAULT_DATABASE: &str = "(default)";
/// Documents of one query. Firestore has no bound; a query that breaks off is begun again after its
/// last document, so this bounds only how long one cursor is relied upon.
const QUERY_DOCUMENTS: u32 = 2_000;
/// How often the client itself tries to begin a query: through a hiccup.
const ATTEMPTS: usize = 3;
/// How long a query may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a database is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirestoreSettings {
    /// A stand-in, as `http://HOST:PORT`: then credentials are anonymous.
    pub emulator: Option<String>,
    /// Documents of one query, at least one.
    pub query_documents: u32,
}

impl Default for FirestoreSettings {
    fn default() -> Self {
        Self { emulator: None, query_documents: QUERY_DOCUMENTS }
    }
}

/// A database of Firestore as a documents source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FirestoreDocuments {
    project: String,
    database: String,
    settings: FirestoreSettings,
    /// Connected by the first list, so that a database that is away for a moment stops nobody from
    /// starting.
    connected: Arc<OnceCell<FirestoreDb>>,
}

impl FirestoreDocuments {
    /// A database of a project; without a name the first one. Nothing is asked of it yet. With an
    /// emulator credentials are anonymous, otherwise they are the application's default ones.
    pub fn new(project: &str, database: Option<&str>, settings: FirestoreSettings) -> Self {
        Self {
            project: project.to_owned(),
            database: database.unwrap_or(DEFAULT_DATABASE).to_owned(),
            settings: FirestoreSettings { query_documents: settings.query_documents.max(1), ..settings },
            connected: Arc::new(OnceCell::new()),
        }
    }

    async fn db(&self) -> Result<FirestoreDb, FirestoreError> {
        let options = FirestoreDbOptions::new(self.project.clone())
            .with_database_id(self.database.clone())
            .with_max_retries(ATTEMPTS)
            .with_request_timeout(PATIENCE);
        let connect = async || match &self.settings.emulator {
            None => FirestoreDb::with_options(options).await,
            Some(endpoint) => {
                let anonymous = GoogleAuthHeaders::from(anonymous::Builder::new().build());
                FirestoreDb::with_options_auth(options.with_firebase_api_url(endpoint.clone()), anonymous).await
            }
        };
        self.connected.get_or_try_init(connect).await.cloned()
    }
}

impl std::fmt::Display for FirestoreDocuments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "firestore:{}/{}", self.project, self.database)
    }
}

#[async_trait]
impl Documents for FirestoreDocuments {
    async fn list(&self, collections: &[CollectionId]) -> Result<DocumentPages, DocumentsError> {
        let db = self.db().await.map_err(|error| failure::documents_error(self.to_string(), false, error))?;
        let collections: VecDeque<_> = collections.iter().cloned().collect();
        let walk = Walk::new(db, self.to_string(), collections, self.settings.query_documents);
        Ok(futures::stream::try_unfold(walk, Walk::next).boxed())
    }
}
