//! The connection to a database, and the credentials shown over it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use firestore::{FirestoreDb, FirestoreDbOptions};
use google_cloud_auth::credentials::{Builder, Credentials};

use super::FirestoreSettings;
use crate::google::credentials_shown;

/// Where Firestore is. Always said to its client, which else would look for an emulator by itself, and
/// show it these credentials.
const FIRESTORE: &str = "https://firestore.googleapis.com";
/// What a token may be used for; what it may do is the account's roles' business.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Connects to one database, and once for all its lists, as long as that serves.
#[derive(Debug)]
pub(super) struct Connections {
    project: String,
    database: String,
    settings: FirestoreSettings,
    current: Mutex<Current>,
    /// Held by who connects, so that nobody else does meanwhile.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Current {
    /// The application's default ones, where these are to be shown.
    credentials: Option<Credentials>,
    connection: Option<Connection>,
}

/// A connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) db: FirestoreDb,
    credentials: Credentials,
    /// Tells it from one that replaced it.
    mark: Arc<()>,
}

impl Connections {
    pub(super) fn new(project: &str, database: &str, settings: FirestoreSettings) -> Self {
        let (project, database) = (project.to_owned(), database.to_owned());
        Self { project, database, settings, current: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    /// What is to be shown: what was chosen, nothing to an emulator, or the application's default
    /// ones, made where there are none.
    pub(super) fn credentials(&self) -> anyhow::Result<Credentials> {
        let FirestoreSettings { emulator, credentials, .. } = &self.settings;
        if let Some(shown) = credentials_shown(credentials.as_ref(), emulator.is_some()) {
            return Ok(shown);
        }
        let mut current = self.current();
        if let Some(made) = &current.credentials {
            return Ok(made.clone());
        }
        let built = Builder::default().with_scopes([SCOPE]).build();
        let made = built.map_err(|error| anyhow!(error)).context("read the application default credentials")?;
        current.credentials = Some(made.clone());
        Ok(made)
    }

    /// A connection with a token to show, the one that is there or a new one. Asking for the token
    /// here, and not only in the client, makes its failure one that says so.
    pub(super) async fn get(&self) -> anyhow::Result<Connection> {
        let connection = self.within("connect", self.connected()).await?;
        let token = connection.credentials.headers(http::Extensions::new());
        let token = async { token.await.map(drop).map_err(|error| anyhow!(error)) };
        let shown = self.within("get a Google access token", token).await;
        if let Err(error) = shown {
            // Some of the crate's credentials never try again after an error they think final.
            self.leave(&connection);
            return Err(error);
        }
        Ok(connection)
    }

    /// Has the next query connect anew, with default credentials made anew, unless another has by now:
    /// this one was silent, or its token was not accepted.
    pub(super) fn leave(&self, connection: &Connection) {
        let mut current = self.current();
        if current.connection.as_ref().is_some_and(|now| Arc::ptr_eq(&now.mark, &connection.mark)) {
            *current = Current::default();
        }
    }

    async fn connected(&self) -> anyhow::Result<Connection> {
        let _alone = self.connecting.lock().await;
        if let Some(connection) = self.current().connection.clone() {
            return Ok(connection);
        }
        let credentials = self.credentials()?;
        let endpoint = self.settings.emulator.clone().unwrap_or_else(|| FIRESTORE.to_owned());
        // It tries once: when a query is begun again is decided in one place, which knows of all breaks.
        let options = FirestoreDbOptions::new(self.project.clone())
            .with_database_id(self.database.clone())
            .with_firebase_api_url(endpoint)
            .with_max_retries(0)
            .with_request_timeout(self.settings.answer_within);
        let db = FirestoreDb::with_options_auth(options, credentials.clone()).await?;
        let connection = Connection { db, credentials, mark: Arc::new(()) };
        self.current().connection = Some(connection.clone());
        Ok(connection)
    }

    async fn within<T>(&self, what: &'static str, call: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let limit = self.settings.answer_within;
        let made = tokio::time::timeout(limit, call).await;
        made.unwrap_or_else(|_| Err(anyhow!("no answer within {limit:?}"))).context(what)
    }

    /// A panic while the lock was held left it as it was.
    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "firestore:{}/{}", self.project, self.database)
    }
}
