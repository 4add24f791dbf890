//! Configuration of the notifier.

use platform::runtime::{ConfigError, Period, Secret};

use crate::channel::WebhookSettings;

platform::settings! {
    /// What the notifier is told besides what every process is told.
    pub struct Config {
        /// Whether violations are written to the log, one structured line each.
        notify_log: bool = "true", "true or false", "";
        /// URL that violations are posted to; without it there is no webhook. A secret, since such URLs often hold a token.
        webhook_url: Option<Secret>, "http or https URL", "";
        /// Key that webhook calls are signed with, HMAC-SHA256; without it they are not signed.
        webhook_secret: Option<Secret>, "text", "";
        /// Longest time for connecting.
        webhook_connect_timeout: Period = "5s", "period", "shorter notices a dead receiver earlier and fails slow networks";
        /// Longest time for a whole call.
        webhook_timeout: Period = "15s", "period", "longer waits for slow receivers; must stay below the lease, or they are called twice";
    }
}

impl Config {
    /// The webhook's settings, where one is configured.
    pub(crate) fn webhook(&self) -> Result<Option<WebhookSettings>, ConfigError> {
        let wrong = |variable: &str, reason: &str| Err(ConfigError::new(format!("PODLEDGER_{variable}"), reason));
        let Some(url) = self.webhook_url.clone() else {
            return match self.webhook_secret {
                Some(_) => wrong("WEBHOOK_SECRET", "set without PODLEDGER_WEBHOOK_URL"),
                None => Ok(None),
            };
        };
        let (connect_timeout, timeout) = (self.webhook_connect_timeout.duration(), self.webhook_timeout.duration());
        if connect_timeout.is_zero() {
            return wrong("WEBHOOK_CONNECT_TIMEOUT", "zero: no call could ever succeed");
        }
        if timeout.is_zero() {
            return wrong("WEBHOOK_TIMEOUT", "zero: no call could ever succeed");
        }
        Ok(Some(WebhookSettings { url, secret: self.webhook_secret.clone(), connect_timeout, timeout }))
    }
}

#[cfg(test)]
impl Default for Config {
    /// The documented defaults.
    fn default() -> Self {
        platform::runtime::Env::from_pairs([("PODLEDGER_NOTIFY_LOG", "")]).read().unwrap()
    }
}
