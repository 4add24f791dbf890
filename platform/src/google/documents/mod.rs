//! Documents in a database of Firestore.
//!
//! A list is made of queries over collection groups, ordered by name, each of which begins after the
//! last document of the one before. The first one reads what is newest; the moment that it shows,
//! which its answer names, is the read time of all that follow. Firestore keeps an hour of the past:
//! a list that takes longer ends as expired.
//!
//! A query that fails or breaks off for a reason that may pass is begun again after its last document,
//! for as long as [`FirestoreSettings::retry`] says; then the list ends with an outage. So there is no
//! layer around this port, as there is none around clusters: only who walks knows where to go on.
//!
//! Needs `datastore.entities.{get,list}` and `datastore.databases.get` (the role
//! `roles/datastore.viewer`).

mod breaks;
mod connection;
mod convert;
mod failure;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use google_cloud_auth::credentials::Credentials;

use crate::layers::RetryPolicy;
use crate::ports::{CollectionId, DocumentPages, Documents, DocumentsError, PortError, PortResult};
use connection::Connections;
use walk::Walk;

/// The database of a project that was not given another name.
pub const DEFAULT_DATABASE: &str = "(default)";

/// How a database is read.
#[derive(Debug, Clone)]
pub struct FirestoreSettings {
    /// The stand-in to use, as `http://HOST:PORT`; none for Google.
    pub emulator: Option<String>,
    /// What to show for credentials. None for the application's default ones; towards a stand-in none
    /// means that nothing is shown.
    pub credentials: Option<Credentials>,
    /// Documents of one query, at least one; default 2,000. Firestore has no bound, and a query that
    /// breaks off is begun again after its last document: this bounds how long one query lasts.
    pub query_documents: u32,
    /// How long connecting, a token, the begin of an answer, and each next piece of it (16 KiB at
    /// most) may take; default 30 s. Time the consumer takes does not count. A connection that was
    /// silent for so long is not used again.
    pub answer_within: Duration,
    /// When a query that broke off is begun again, and for how long that is tried without a document
    /// in between; its default is that of the layers.
    pub retry: RetryPolicy,
}

impl Default for FirestoreSettings {
    fn default() -> Self {
        Self {
            emulator: None,
            credentials: None,
            query_documents: 2_000,
            answer_within: Duration::from_secs(30),
            retry: RetryPolicy::default(),
        }
    }
}

/// A database of Firestore as a documents source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FirestoreDocuments {
    connections: Arc<Connections>,
    query_documents: u32,
    retry: RetryPolicy,
}

impl FirestoreDocuments {
    /// A database of a project; without a name the first one. Nothing is asked of it yet: it is
    /// connected to by the first list, so that a database that is away for a moment stops nobody from
    /// starting. Must be called within a runtime, where credentials renew their tokens.
    ///
    /// # Errors
    /// `NeverWill` where the application's default credentials are wanted and cannot be read.
    pub fn open(project: &str, database: Option<&str>, settings: FirestoreSettings) -> PortResult<Self> {
        let (query_documents, retry) = (settings.query_documents.max(1), settings.retry);
        let connections = Connections::new(project, database.unwrap_or(DEFAULT_DATABASE), settings);
        connections.credentials().map_err(|error| PortError::never_will(format!("open {connections}"), error))?;
        Ok(Self { connections: Arc::new(connections), query_documents, retry })
    }
}

impl std::fmt::Display for FirestoreDocuments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.connections.fmt(f)
    }
}

#[async_trait]
impl Documents for FirestoreDocuments {
    /// Nothing is asked before the first page is.
    async fn list(&self, collections: &[CollectionId]) -> Result<DocumentPages, DocumentsError> {
        let collections = collections.iter().cloned().collect();
        let walk = Walk::new(Arc::clone(&self.connections), collections, self.query_documents, self.retry);
        Ok(futures::stream::try_unfold(walk, Walk::next).boxed())
    }
}
