//! A webhook: violations posted as JSON, signed.
//!
//! The body is the violation, its fields as in `alert_log`. Headers:
//! - `Idempotency-Key`: the notification's id, the same for every attempt.
//! - `X-Podledger-Timestamp`: when this attempt was made, in seconds since the Unix epoch.
//! - `X-Podledger-Signature`: `sha256=` and the hex HMAC-SHA256, under the shared secret, of the
//!   timestamp, a full stop, and the body. A receiver should refuse old timestamps.

#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use schemas::Timestamp;
use sha2::Sha256;

use super::{Channel, Outbound, Sending, retry_after};
use platform::runtime::Secret;

/// Bytes of an answer that are read: enough for a reason.
const MAX_ANSWER_BYTES: usize = 4 << 10;
/// Characters of an answer that a reason quotes.
const MAX_QUOTE: usize = 200;

/// Where and how to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// `http` or `https` URL.
    pub url: Secret,
    /// Secret that calls are signed with.
    pub secret: Option<Secret>,
    /// Longest time for connecting.
    pub connect_timeout: Duration,
    /// Longest time for a whole call.
    pub timeout: Duration,
}

/// Posts violations to one URL. Redirects are not followed: a signed body goes where it was
/// configured to go.
pub struct Webhook {
    url: Url,
    secret: Option<Secret>,
    client: Client,
}

impl Webhook {
    /// Checks the URL and makes the client.
    pub fn new(settings: WebhookSettings) -> anyhow::Result<Self> {
        // The URL may hold a token: an error says what is wrong with it, never what it is.
        let url = Url::parse(settings.url.expose()).context("the webhook URL cannot be read")?;
        anyhow::ensure!(
            matches!(url.scheme(), "http" | "https"),
            "the webhook URL has the scheme {:?}, expected http or https",
            url.scheme()
        );
        let client = Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("podledger/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("make the webhook's client")?;
        Ok(Self { url, secret: settings.secret, client })
    }
}

/// The signature of a body sent at a time.
fn signature(secret: &Secret, timestamp: &str, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).context("use the webhook secret")?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    Ok(format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn send(&self, message: Outbound<'_>) -> Sending {
        let body = match serde_json::to_vec(message.violation) {
            Ok(body) => body,
            Err(error) => return Sending::Refused(format!("the violation is not JSON: {error}")),
        };
        let timestamp = message.at.micros().div_euclid(1_000_000).to_string();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", message.notification_id.as_str())
            .header("X-Podledger-Timestamp", &timestamp);
        if let Some(secret) = &self.secret {
            match signature(secret, &timestamp, &body) {
                Ok(signature) => request = request.header("X-Podledger-Signature", signature),
                Err(error) => return Sending::Refused(format!("{error:#}")),
            }
        }
        match request.body(body).send().await {
            Ok(response) => verdict(response, message.at).await,
            Err(error) => failed(&anyhow::Error::new(error.without_url())),
        }
    }
}

/// No answer: whether it arrived is not known.
fn failed(error: &anyhow::Error) -> Sending {
    Sending::Failed { reason: format!("{error:#}"), retry_after: None }
}

/// What an answer means. A time-out of the receiver (408), too many requests (429) and errors of
/// the server pass; everything else that is not success stays.
async fn verdict(response: Response, now: Timestamp) -> Sending {
    let status = response.status();
    if status.is_success() {
        return Sending::Sent;
    }
    let passes =
        status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|header| retry_after::parse(header, now));
    let mut reason = if status.is_redirection() {
        format!("HTTP {}: redirects are not followed", status.as_u16())
    } else {
        format!("HTTP {}", status.as_u16())
    };
    let quote = quote(response).await;
    if !quote.is_empty() {
        reason = format!("{reason}: {quote}");
    }
    if passes { Sending::Failed { reason, retry_after } } else { Sending::Refused(reason) }
}

/// The beginning of an answer, on one line. What cannot be read is left out: the status says enough.
async fn quote(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        bytes.extend_from_slice(&piece[..piece.len().min(MAX_ANSWER_BYTES - bytes.len())]);
        if bytes.len() == MAX_ANSWER_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    line.trim().chars().take(MAX_QUOTE).collect()
}
