//! The handler: a violation in, everybody told, what became of it out.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use platform::ports::{Broker, Clock, Generation, Objects, Replaced};
use platform::layers::Points;
use platform::runtime::{Consumer, Handle, HandleError, MessageContext, Ports, Stage};
use schemas::{IdBuilder, Notification, NotificationId, Subscription, Topic, Violation, keys};

use crate::channel::{Channel, Log, Outbound, Sending, Webhook};
use crate::config::Config;
use crate::progress::{Outcome, Progress, Receipt};
use crate::silence::Silences;

/// Largest state of one event and receiver, in bytes.
const MAX_STATE_BYTES: u64 = 64 << 10;
/// How often a receipt is tried to be written when others write too.
const MAX_RACES: usize = 8;

/// Somebody to tell, and how.
#[derive(Clone)]
pub struct Receiver {
    /// Configured name; part of the state's key.
    pub name: String,
    /// The channel.
    pub channel: Arc<dyn Channel>,
}

/// Tells every receiver of every violation.
pub struct Notifier {
    receivers: Vec<Receiver>,
    points: Points,
    silences: Silences,
    objects: Arc<dyn Objects>,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
}

/// The stage, with the receivers that are configured.
pub fn stage(config: &Config, ports: &Ports, points: &Points) -> anyhow::Result<Stage> {
    let mut receivers = Vec::new();
    if config.notify_log {
        receivers.push(Receiver { name: "log".to_owned(), channel: Arc::new(Log) });
    }
    if let Some(settings) = config.webhook()? {
        if settings.secret.is_none() {
            tracing::warn!("webhook calls are not signed: no secret is set");
        }
        receivers.push(Receiver { name: "webhook".to_owned(), channel: Arc::new(Webhook::new(settings)?) });
    }
    let subscription = Subscription::new(Topic::Violations, "notifier");
    let notifier = Arc::new(Notifier::new(receivers, ports, points.clone()));
    Ok(Stage { name: "notifier", consumers: vec![Consumer::new::<Violation>(subscription, notifier)] })
}

#[async_trait]
impl Handle<Violation> for Notifier {
    async fn handle(&self, violation: Violation, _context: &MessageContext) -> Result<(), HandleError> {
        // All at once, each to its end: a receiver that is down does not hold up the others.
        let told = join_all(self.receivers.iter().map(|receiver| self.tell(receiver, &violation))).await;
        let mut failures = told.into_iter().filter_map(Result::err);
        let Some(first) = failures.next() else { return Ok(()) };
        // One that may mend keeps the message; what is told by then is remembered.
        Err(failures.fold(first, |kept, next| if matches!(kept, HandleError::Outage(_)) { kept } else { next }))
    }
}

/// The id of telling one receiver of one event.
fn notification_id(receiver: &str, violation: &Violation) -> NotificationId {
    IdBuilder::new("notification").part("event", violation.event_id.as_str()).part("receiver", receiver).finish()
}

impl Notifier {
    /// A notifier with these receivers.
    pub fn new(receivers: Vec<Receiver>, ports: &Ports, points: Points) -> Self {
        Self {
            receivers,
            points,
            silences: Silences::default(),
            objects: Arc::clone(&ports.objects),
            broker: Arc::clone(&ports.broker),
            clock: Arc::clone(&ports.clock),
        }
    }

    /// Tells one receiver: intent, sending, receipt, notification. With a receipt from before, the
    /// notification only.
    async fn tell(&self, receiver: &Receiver, violation: &Violation) -> Result<(), HandleError> {
        let id = notification_id(&receiver.name, violation);
        let key = keys::notifier_state(&receiver.name, &violation.event_id);
        let (generation, progress) = self.load(&key).await?;
        let told = if progress.receipt.is_some() {
            progress
        } else if self.silences.silence(&*self.objects, violation).await? {
            let silenced = Receipt { outcome: Outcome::Silenced, at: self.clock.now(), error: None };
            self.write_receipt(&key, generation, Progress { receipt: Some(silenced), ..progress }).await?
        } else {
            self.send(receiver, violation, &id, &key, generation, progress).await?
        };
        let Progress { attempts, receipt: Some(receipt), .. } = told else {
            return Err(HandleError::Outage(anyhow::anyhow!("state {key} has no receipt")));
        };
        tracing::info!(
            notification_id = %id,
            event_id = %violation.event_id,
            receiver = receiver.name,
            outcome = receipt.outcome.as_str(),
            attempts,
            "receiver told"
        );
        let notification = Notification {
            notification_id: id,
            event_id: violation.event_id.clone(),
            episode_id: violation.episode_id.clone(),
            receiver: receiver.name.clone(),
            channel: receiver.channel.name().to_owned(),
            outcome: receipt.outcome.as_str().to_owned(),
            attempts,
            sent_at: receipt.at,
            error: receipt.error,
        };
        self.broker.publish_messages(&[notification]).await?;
        Ok(())
    }

    /// One attempt under a durable intent.
    async fn send(
        &self,
        receiver: &Receiver,
        violation: &Violation,
        id: &NotificationId,
        key: &str,
        generation: Option<Generation>,
        progress: Progress,
    ) -> Result<Progress, HandleError> {
        let at = self.clock.now();
        if let Some(not_before) = progress.not_before.filter(|not_before| at < *not_before) {
            return Err(HandleError::Outage(anyhow::anyhow!(
                "receiver {}: it asked not to be tried before {not_before}",
                receiver.name
            )));
        }
        let intent =
            Progress { attempts: progress.attempts.saturating_add(1), not_before: None, receipt: None, ..progress };
        let Some(generation) = self.store(key, generation, &intent).await? else {
            return Err(HandleError::Outage(anyhow::anyhow!("receiver {}: another notifier tells it", receiver.name)));
        };
        self.points.before("channel.send");
        let sending = receiver.channel.send(Outbound { violation, notification_id: id, at }).await;
        self.points.after("channel.send");
        let (outcome, error) = match sending {
            Sending::Sent => (Outcome::Sent, None),
            Sending::Refused(reason) => {
                tracing::warn!(receiver = receiver.name, event_id = %violation.event_id, reason, "receiver refused");
                (Outcome::Refused, Some(reason))
            }
            Sending::Failed { reason, retry_after } => {
                if let Some(wait) = retry_after.filter(|wait| !wait.is_zero()) {
                    let not_before = Some(self.clock.now().plus(wait));
                    // A lost race means somebody else is at it; this attempt has failed either way.
                    if self.store(key, Some(generation), &Progress { not_before, ..intent }).await?.is_none() {
                        tracing::debug!(key, "state replaced by another notifier after a failed attempt");
                    }
                }
                return Err(HandleError::Outage(anyhow::anyhow!("receiver {}: {reason}", receiver.name)));
            }
        };
        let receipt = Some(Receipt { outcome, at: self.clock.now(), error });
        self.write_receipt(key, Some(generation), Progress { receipt, ..intent }).await
    }

    /// Writes a receipt; one that somebody else wrote first counts instead.
    async fn write_receipt(
        &self,
        key: &str,
        mut expected: Option<Generation>,
        mut told: Progress,
    ) -> Result<Progress, HandleError> {
        for _ in 0..MAX_RACES {
            if self.store(key, expected, &told).await?.is_some() {
                return Ok(told);
            }
            let (generation, other) = self.load(key).await?;
            if other.receipt.is_some() {
                return Ok(other);
            }
            told.attempts = told.attempts.max(other.attempts);
            expected = generation;
        }
        Err(HandleError::Outage(anyhow::anyhow!("state {key}: lost {MAX_RACES} races in a row")))
    }

    async fn load(&self, key: &str) -> Result<(Option<Generation>, Progress), HandleError> {
        let found = self.objects.read_bytes(key, MAX_STATE_BYTES).await;
        let Some((generation, bytes)) = found.map_err(|error| HandleError::Outage(error.into()))? else {
            return Ok((None, Progress::default()));
        };
        // Not poison: the violation is fine, and somebody still wants to know of it.
        Ok((Some(generation), Progress::parse(key, &bytes).map_err(HandleError::Outage)?))
    }

    async fn store(
        &self,
        key: &str,
        expected: Option<Generation>,
        progress: &Progress,
    ) -> Result<Option<Generation>, HandleError> {
        let bytes = serde_json::to_vec(progress).context("write a notifier state").map_err(HandleError::Poison)?;
        Ok(match self.objects.replace_if(key, expected, Bytes::from(bytes)).await? {
            Replaced::Done(generation) => Some(generation),
            Replaced::LostRace => None,
        })
    }
}
