//! Google access tokens for requests: asked for with each one, replaced when one is rejected.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials};
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a token may be used for; what it may do is the account's roles' business.
/// <https://cloud.google.com/kubernetes-engine/docs/how-to/api-server-authentication>
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long credentials may take to give a token.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes credentials anew, with nothing cached.
pub type CredentialsMaker = Arc<dyn Fn() -> anyhow::Result<Credentials> + Send + Sync>;

/// A source of tokens. The credentials keep a token until shortly before it expires; a token that
/// was rejected before its time, and credentials that failed or do not answer, are replaced by new ones.
#[derive(Clone)]
pub struct Tokens {
    make: CredentialsMaker,
    patience: Duration,
    current: Arc<Mutex<Current>>,
}

#[derive(Default)]
struct Current {
    credentials: Option<Credentials>,
    /// How many were made.
    number: u64,
}

/// What authenticates one request.
pub(super) struct Token {
    /// The credentials it is of.
    number: u64,
    /// The headers, `authorization` among them.
    headers: HeaderMap,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens of the application default credentials.
    ///
    /// # Errors
    /// A credentials file that is there and cannot be read. That there is none is no error: then
    /// the metadata server of the machine is asked.
    pub fn application_default() -> anyhow::Result<Self> {
        let make = || {
            let built = Builder::default().with_scopes([SCOPE]).build();
            built.map_err(|error| anyhow!(error)).context("read the application default credentials")
        };
        let tokens = Self::made_by(Arc::new(make));
        tokens.credentials()?;
        Ok(tokens)
    }

    /// Tokens of credentials that are made where they are wanted.
    pub fn made_by(make: CredentialsMaker) -> Self {
        Self { make, patience: PATIENCE, current: Arc::default() }
    }

    /// The same, with another limit to how long credentials may take to give a token.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// A token that is valid now, as far as its issuer said.
    ///
    /// # Errors
    /// Credentials that give none: the next call begins with new ones.
    pub(super) async fn token(&self) -> anyhow::Result<Token> {
        let (number, credentials) = self.credentials()?;
        let made = tokio::time::timeout(self.patience, credentials.headers(http::Extensions::new())).await;
        let failure = match made {
            Ok(Ok(CacheableResource::New { data, .. })) => return Ok(Token { number, headers: data }),
            Ok(Ok(CacheableResource::NotModified)) => anyhow!("the credentials keep back a token that was asked for"),
            Ok(Err(error)) => anyhow!(error),
            Err(_) => anyhow!("no answer within {:?}", self.patience),
        };
        // Some of the crate's credentials never try again after an error they think final, and none
        // gives up waiting.
        self.replace(number);
        Err(failure.context("get a Google access token"))
    }

    /// Has the next token come from new credentials, unless this one's were replaced already.
    pub(super) fn reject(&self, token: &Token) {
        self.replace(token.number);
    }

    fn credentials(&self) -> anyhow::Result<(u64, Credentials)> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = &current.credentials {
            return Ok((current.number, credentials.clone()));
        }
        let made = (self.make)()?;
        current.number = current.number.wrapping_add(1);
        current.credentials = Some(made.clone());
        Ok((current.number, made))
    }

    fn replace(&self, number: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            current.credentials = None;
        }
    }
}

impl Token {
    /// Puts all of it on a request to Google's own APIs.
    pub(super) fn put_all(&self, headers: &mut HeaderMap) {
        headers.extend(self.headers.clone());
    }

    /// Puts on what an API server reads.
    pub(super) fn put_authorization(&self, headers: &mut HeaderMap) {
        if let Some(value) = self.headers.get(AUTHORIZATION) {
            let mut value = value.clone();
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }
}
