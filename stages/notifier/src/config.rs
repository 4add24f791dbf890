//! Configuration of the stage.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::channel::WebhookSettings;
use crate::secret::Secret;

/// Settings of the notifier, read from the environment with the prefix `PODLEDGER_`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Whether violations are written to the log, one structured line each. Default true.
    pub notify_log: bool,
    /// `http` or `https` URL that violations are posted to. Default: none, no webhook. It is kept as
    /// a secret, since such URLs often hold a token.
    pub webhook_url: Option<Secret>,
    /// Secret that webhook calls are signed with (HMAC-SHA256). Default: none, calls are not signed.
    pub webhook_secret: Option<Secret>,
    /// File with that secret, instead of `webhook_secret`; read once at start-up.
    pub webhook_secret_file: Option<PathBuf>,
    /// Longest time for connecting, in milliseconds. Default 5000.
    pub webhook_connect_timeout_ms: u64,
    /// Longest time for a whole call, in milliseconds. Default 15000. It must be shorter than the
    /// lease of the subscription, or a slow receiver is called twice.
    pub webhook_timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            notify_log: true,
            webhook_url: None,
            webhook_secret: None,
            webhook_secret_file: None,
            webhook_connect_timeout_ms: 5_000,
            webhook_timeout_ms: 15_000,
        }
    }
}

impl Config {
    /// The webhook's settings, where one is configured.
    pub(crate) fn webhook(&self) -> anyhow::Result<Option<WebhookSettings>> {
        let Some(url) = self.webhook_url.clone().filter(|url| !url.reveal().is_empty()) else {
            anyhow::ensure!(
                self.webhook_secret.is_none() && self.webhook_secret_file.is_none(),
                "a webhook secret is set but no URL: set PODLEDGER_WEBHOOK_URL"
            );
            return Ok(None);
        };
        let secret = match (&self.webhook_secret, &self.webhook_secret_file) {
            (Some(_), Some(_)) => {
                anyhow::bail!("both PODLEDGER_WEBHOOK_SECRET and PODLEDGER_WEBHOOK_SECRET_FILE are set: expected one")
            }
            (Some(secret), None) => Some(secret.clone()),
            (None, Some(path)) => Some(Secret::read(path)?),
            (None, None) => None,
        };
        anyhow::ensure!(
            secret.as_ref().is_none_or(|secret| !secret.reveal().is_empty()),
            "the webhook secret is empty: leave it out for calls without signature"
        );
        anyhow::ensure!(
            self.webhook_connect_timeout_ms > 0 && self.webhook_timeout_ms > 0,
            "a webhook time-out is 0 ms, expected more"
        );
        Ok(Some(WebhookSettings {
            url,
            secret,
            connect_timeout: Duration::from_millis(self.webhook_connect_timeout_ms),
            timeout: Duration::from_millis(self.webhook_timeout_ms),
        }))
    }
}
