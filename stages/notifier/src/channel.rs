//! Channels: ways to tell somebody.

mod log;
mod retry_after;
mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use schemas::{NotificationId, Timestamp, Violation};

pub use log::Log;
pub use webhook::{Webhook, WebhookSettings};

/// One violation on its way to one receiver.
#[derive(Debug, Clone, Copy)]
pub struct Outbound<'a> {
    /// What to tell.
    pub violation: &'a Violation,
    /// The same for every attempt: channels that know idempotency keys get it as one.
    pub notification_id: &'a NotificationId,
    /// Now.
    pub at: Timestamp,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// The receiver has it.
    Sent,
    /// The receiver does not want it and never will.
    Refused(String),
    /// It may or may not have arrived: try again, not before the delay.
    Failed {
        /// Why, in one sentence.
        reason: String,
        /// What the receiver asked for.
        retry_after: Option<Duration>,
    },
}

/// A way to tell somebody.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Its name, as `notification_log` has it.
    fn name(&self) -> &'static str;

    /// Tries once, within bounded time.
    async fn send(&self, message: Outbound<'_>) -> Sending;
}
