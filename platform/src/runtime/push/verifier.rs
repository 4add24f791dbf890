//! Whether a request is Pub/Sub's, on behalf of who may push.

use std::sync::Arc;

use axum::http::HeaderMap;

use super::admission::Admission;
use super::key_cache::KeyCache;
use super::refusal::Refusal;
use super::settings::Door;
use super::token::{Token, bearer};
use crate::ports::Clock;

/// Lets requests in by their tokens.
#[derive(Debug)]
pub(super) struct Verifier {
    keys: Arc<KeyCache>,
    admission: Admission,
    clock: Arc<dyn Clock>,
}

impl Verifier {
    /// Checks tokens as these settings say, at the time that this clock says.
    ///
    /// # Errors
    /// Where no HTTP client can be made.
    pub(super) fn new(door: &Door, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let keys = Arc::new(KeyCache::new(door.jwks_url.clone(), door.pace)?);
        Ok(Self { keys, admission: door.admission.clone(), clock })
    }

    /// Whether a request with these headers may come in. Looks at nothing else of it.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = Token::read(bearer(headers)?)?;
        let key = self.keys.key(token.key_id()).await?;
        self.admission.check(&token.claims(&key)?, self.clock.now())
    }
}

#[cfg(test)]
mod tests;
