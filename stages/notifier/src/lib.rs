//! Stage notifier: tells people, at least once, and at most once where the channel allows it.
//!
//! Consumes `violations`; tells every configured receiver of each, and emits `notifications`: what
//! became of it. For each event and receiver one object remembers the intent (written before
//! sending) and the receipt (written after), so that a redelivered violation is told again only
//! where nobody knows whether it was.
//!
//! It never decides whether something is a violation, and never reads the warehouse.

mod channel;
mod config;
mod progress;
mod silence;
mod stage;
#[cfg(test)]
mod testing;

pub use channel::{Channel, Log, Outbound, Sending, Webhook, WebhookSettings};
pub use config::Config;
pub use silence::{Matchers, Silence};
pub use stage::{Notifier, Receiver, stage};
