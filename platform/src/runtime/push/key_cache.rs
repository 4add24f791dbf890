//! The issuer's keys, kept and renewed.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, Url};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::keys::{Key, Keys};
use super::refusal::Refusal;

/// How long reading the keys may take; whoever waits for them waits as long.
const READING: Duration = Duration::from_secs(5);
/// The largest set of keys, in bytes; Google's has about 1,500.
const LARGEST_SET: usize = 256 << 10;

/// How long keys are believed, and how often they are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// From this age on a set is renewed.
    pub(super) fresh: Duration,
    /// Until this age a set is used where it cannot be renewed: longer than an outage, and not so
    /// long that a withdrawn key lives on for days.
    pub(super) kept: Duration,
    /// Time between two tries at least, so that tokens with invented key ids ask nobody for more.
    pub(super) pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { fresh: Duration::from_secs(3600), kept: Duration::from_secs(24 * 3600), pause: Duration::from_secs(30) }
    }
}

/// Keys of one issuer. Whoever needs a key that is not there, or whose set is old, has the set read
/// again: one at a time, for all who wait, and not before the pause is over.
#[derive(Debug)]
pub(super) struct KeyCache {
    client: Client,
    url: Url,
    pace: Pace,
    known: RwLock<Option<Known>>,
    /// Held by who reads; the last try.
    last: Arc<Mutex<Option<Try>>>,
}

#[derive(Debug, Clone)]
struct Known {
    keys: Keys,
    read_at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Try {
    at: Instant,
    succeeded: bool,
}

impl KeyCache {
    /// Keys that are read from there when they are needed first.
    ///
    /// # Errors
    /// Where no HTTP client can be made.
    pub(super) fn new(url: Url, pace: Pace) -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(READING)
            // Keys are believed because of where they are from.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("make a client for signing keys")?;
        Ok(Self { client, url, pace, known: RwLock::new(None), last: Arc::default() })
    }

    /// The key of that id. A key that is in no set is refused; where the set could not be read, or
    /// not lately, that is said instead.
    pub(super) async fn key(self: &Arc<Self>, id: &str) -> Result<Arc<Key>, Refusal> {
        if let Some(key) = self.not_older_than(self.pace.fresh, id) {
            return Ok(key);
        }
        let last = Arc::clone(&self.last).lock_owned().await;
        // Who held it before has perhaps read them.
        if let Some(key) = self.not_older_than(self.pace.fresh, id) {
            return Ok(key);
        }
        let succeeded = match *last {
            Some(tried) if tried.at.elapsed() < self.pace.pause => tried.succeeded,
            _ => self.renew(last).await,
        };
        match self.not_older_than(self.pace.kept, id) {
            Some(key) => Ok(key),
            None if succeeded => Err(Refusal::Unauthenticated("unknown-key")),
            None => Err(Refusal::KeysAway),
        }
    }

    fn not_older_than(&self, age: Duration, id: &str) -> Option<Arc<Key>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.read_at.elapsed() <= age)?.keys.get(id)
    }

    /// Reads the keys. That goes on when who wanted them has gone, so that a request that is broken
    /// off never makes the next one read again.
    async fn renew(self: &Arc<Self>, mut last: OwnedMutexGuard<Option<Try>>) -> bool {
        let cache = Arc::clone(self);
        let renewed = tokio::spawn(async move {
            let read = cache.read().await;
            let at = Instant::now();
            *last = Some(Try { at, succeeded: read.is_ok() });
            match read {
                Ok(keys) => {
                    tracing::info!(url = %cache.url, keys = keys.count(), "signing keys read");
                    let mut known = cache.known.write().unwrap_or_else(PoisonError::into_inner);
                    *known = Some(Known { keys, read_at: at });
                    true
                }
                Err(error) => {
                    tracing::warn!(url = %cache.url, error = format!("{error:#}"), "signing keys not read");
                    false
                }
            }
        });
        // It fails only where the process ends.
        renewed.await.unwrap_or(false)
    }

    async fn read(&self) -> anyhow::Result<Keys> {
        let mut answer = self.client.get(self.url.clone()).send().await?.error_for_status()?;
        anyhow::ensure!(answer.status().is_success(), "answered {}", answer.status());
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            anyhow::ensure!(text.len() + piece.len() <= LARGEST_SET, "larger than {LARGEST_SET} bytes");
            text.extend_from_slice(&piece);
        }
        Keys::parse(&text).map_err(anyhow::Error::msg)
    }
}

#[cfg(test)]
mod tests;
