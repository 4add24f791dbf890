//! The broker on Cloud Pub/Sub.
//!
//! Topics and subscriptions are made by provisioning, never here; their names are those of
//! [`schemas::Topic`] and [`schemas::Subscription`] in the project. Messages go over gRPC,
//! administration (looking a subscription up, seeking) over HTTP/JSON.
//!
//! Needs `roles/pubsub.publisher`, `roles/pubsub.subscriber` and `roles/pubsub.viewer`; the last to
//! look at a subscription before it is opened and at a topic for readiness.
//!
//! What differs from the port's embedded twin, by the service's design:
//! - A message's delivery attempts are counted only where its subscription has a dead-letter
//!   policy; elsewhere each delivery says 1. The count is approximate.
//! - Leases are 10 s at least, and extended by the client while a delivery is held, whatever the
//!   holder does: they end when the process does, or after [`LONGEST_HANDLING`].
//! - An acknowledgement is confirmed where the subscription delivers exactly once. Elsewhere it is
//!   sent within 100 ms, and if that fails, or the process is killed first, the message comes again;
//!   [`Broker::flush`] waits until the last ones are sent.
//! - A seek does not take back what a receiver fetched before it.
//! - A dead letter that the policy made has no `podledger_message_id`: Pub/Sub does not tell.
//! - Nobody counts: [`Broker::counts`] is none, [`Broker::backlog`] not known (Cloud Monitoring has
//!   `subscription/num_undelivered_messages` and `oldest_unacked_message_age`).

mod arrived;
mod publish;
mod pump;
mod receive;
mod settle;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::retry_policy::{NeverRetry, RetryPolicyExt as _};
use google_cloud_pubsub::client::{BasePublisher, Subscriber, SubscriptionAdmin, TopicAdmin};
use google_cloud_wkt::Timestamp as WireTime;
use schemas::{Subscription, Timestamp, Topic};
use tokio_util::task::TaskTracker;

use super::failure::{Effect, port_error};
use super::{PubsubEmulator, credentials_shown};
use crate::ports::{
    Backlog, Broker, Flow, Outgoing, PortError, PortResult, Receiver, SeekTo, SubscriptionCounts, bounds,
};
use publish::Publishers;
use receive::Opening;

/// Longest a delivery is held for its holder; then it comes again, should it be stuck.
pub const LONGEST_HANDLING: Duration = Duration::from_secs(6 * 60 * 60);
/// Longest lease of the service.
const LONGEST_LEASE: Duration = Duration::from_secs(600);
/// Most bytes of deliveries that one receiver holds.
const MOST_HELD_BYTES: i64 = 100 * 1024 * 1024;
/// Microseconds of a second, and nanoseconds of a microsecond.
const MICROS: i64 = 1_000_000;
const NANOS_OF_MICRO: i64 = 1_000;

/// What may be chosen about Pub/Sub.
#[derive(Debug, Clone)]
pub struct PubsubSettings {
    /// The stand-in to use; none for Google.
    pub emulator: Option<PubsubEmulator>,
    /// What to show for credentials. None for the application's default ones; towards a stand-in none
    /// means that nothing is shown.
    pub credentials: Option<Credentials>,
    /// How long one call may take, publishing or administration; default 20 s. A call is one attempt:
    /// the retry layer decides on more.
    pub call_within: Duration,
    /// Bytes of messages that are being published at most, by all callers together; default 64 MiB.
    /// Who comes next waits. The client itself has no such bound.
    pub publishing_bytes: usize,
    /// Longest lease that is asked for, whatever the flow says; default 10 min, the service's own bound.
    /// Leases are extended while deliveries are held, so a longer one survives longer pauses and delays
    /// redelivery after a crash.
    pub longest_lease: Duration,
    /// After how long without a message the client is told to look after its stream; default 60 s.
    /// While the service is away it waits longer and longer, up to a minute: this begins anew.
    pub look_after: Duration,
}

impl Default for PubsubSettings {
    fn default() -> Self {
        Self {
            emulator: None,
            credentials: None,
            call_within: Duration::from_secs(20),
            publishing_bytes: 64 * 1024 * 1024,
            longest_lease: LONGEST_LEASE,
            look_after: Duration::from_secs(60),
        }
    }
}

/// The broker port on a project's Pub/Sub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PubsubBroker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    project: String,
    settings: PubsubSettings,
    publishers: Publishers,
    subscriber: Subscriber,
    topics: TopicAdmin,
    subscriptions: SubscriptionAdmin,
    /// Receivers that were dropped and have something to send yet.
    closing: TaskTracker,
}

impl PubsubBroker {
    /// Opens a project's Pub/Sub. Nothing is asked of it yet: see [`Broker::ping`].
    ///
    /// # Errors
    /// `NeverWill` where no credentials are found.
    pub async fn open(project: &str, settings: PubsubSettings) -> PortResult<Self> {
        let attempted = format!("open pubsub:{project}");
        let opened = |error| PortError::never_will(&attempted, anyhow::Error::new(error));
        // One attempt, bounded in time: more are the caller's to decide, who knows what it is for.
        let once = || NeverRetry.with_time_limit(settings.call_within);
        let mut base = BasePublisher::builder().with_retry_policy(once());
        let mut subscriber = Subscriber::builder();
        let mut topics = TopicAdmin::builder().with_retry_policy(once());
        let mut subscriptions = SubscriptionAdmin::builder().with_retry_policy(once());
        if let Some(PubsubEmulator { data, admin }) = &settings.emulator {
            base = base.with_endpoint(data);
            subscriber = subscriber.with_endpoint(data);
            topics = topics.with_endpoint(admin);
            subscriptions = subscriptions.with_endpoint(admin);
        }
        if let Some(credentials) = credentials_shown(settings.credentials.as_ref(), settings.emulator.is_some()) {
            base = base.with_credentials(credentials.clone());
            subscriber = subscriber.with_credentials(credentials.clone());
            topics = topics.with_credentials(credentials.clone());
            subscriptions = subscriptions.with_credentials(credentials);
        }
        let base = base.build().await.map_err(opened)?;
        let inner = Inner {
            publishers: Publishers::new(base, project, &settings),
            subscriber: subscriber.build().await.map_err(opened)?,
            topics: topics.build().await.map_err(opened)?,
            subscriptions: subscriptions.build().await.map_err(opened)?,
            closing: TaskTracker::new(),
            project: project.to_owned(),
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn attempted(&self, verb: &str, what: impl std::fmt::Display) -> String {
        format!("{verb} {what} in pubsub:{}", self.inner.project)
    }

    fn subscription_name(&self, subscription: Subscription) -> String {
        format!("projects/{}/subscriptions/{subscription}", self.inner.project)
    }
}

/// The service's form of a time; to the microsecond, as ours are.
fn wire_time(time: Timestamp) -> WireTime {
    let (seconds, micros) = (time.micros().div_euclid(MICROS), time.micros().rem_euclid(MICROS));
    // Less than 10^9, by the remainder's bound.
    let nanos = i32::try_from(micros * NANOS_OF_MICRO).unwrap_or(0);
    WireTime::clamp(seconds, nanos)
}

/// Our form of a time; nanoseconds are cut off.
fn our_time(time: &WireTime) -> Timestamp {
    let micros = time.seconds().saturating_mul(MICROS).saturating_add(i64::from(time.nanos()) / NANOS_OF_MICRO);
    Timestamp::from_micros(micros)
}

#[async_trait]
impl Broker for PubsubBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        let attempted = self.attempted("publish to", topic);
        for (index, message) in messages.iter().enumerate() {
            let checked = bounds::check(message).and_then(|()| publish::check_size(topic, message));
            checked
                .map_err(|reason| PortError::never_will(&attempted, anyhow::anyhow!("message {index}: {reason}")))?;
        }
        if messages.is_empty() {
            Ok(Vec::new())
        } else {
            self.inner.publishers.publish(topic, messages, attempted).await
        }
    }

    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>> {
        let attempted = self.attempted("receive from", subscription);
        let most = match i64::try_from(flow.max_outstanding) {
            Ok(most) if most > 0 && !flow.lease.is_zero() => most,
            _ => {
                let reason = anyhow::anyhow!("max_outstanding and lease must be more than 0, not {flow:?}");
                return Err(PortError::never_will(attempted, reason));
            }
        };
        let name = self.subscription_name(subscription);
        // A stream of a subscription that is not there would only fail at its first message.
        let found = self.inner.subscriptions.get_subscription().set_subscription(&name).send().await;
        let found = found.map_err(|error| port_error(&attempted, Effect::None, error))?;
        if found.dead_letter_policy.is_none() && subscription.topic != Topic::DeadLetters {
            tracing::warn!(%subscription, "subscription without a dead-letter policy: delivery attempts are not counted");
        }
        if subscription.ordered() && !found.enable_message_ordering {
            let reason = anyhow::anyhow!(
                "it does not keep the order of keys, which its stage needs, and cannot be changed: `podledger provision` makes it anew once it is deleted"
            );
            return Err(PortError::never_will(attempted, reason));
        }
        let stream = self
            .inner
            .subscriber
            .subscribe(name)
            .set_max_outstanding_messages(most)
            .set_max_outstanding_bytes(MOST_HELD_BYTES)
            .set_max_lease_extension(flow.lease.min(self.inner.settings.longest_lease))
            .set_max_lease(LONGEST_HANDLING)
            .build();
        let opening = Opening {
            subscription,
            orders: found.enable_message_ordering,
            look_after: self.inner.settings.look_after,
            closing: self.inner.closing.clone(),
            attempted,
        };
        Ok(Box::new(opening.receive(stream)))
    }

    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()> {
        let SeekTo::Time(time) = to;
        let attempted = self.attempted("seek", subscription);
        let seek = self.inner.subscriptions.seek().set_subscription(self.subscription_name(subscription));
        let sought = seek.set_time(wire_time(time)).send().await;
        // The same seek twice is one.
        sought.map(drop).map_err(|error| port_error(attempted, Effect::Write, error))
    }

    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog> {
        let reason = anyhow::anyhow!("Pub/Sub tells what waits only through Cloud Monitoring");
        Err(PortError::never_will(self.attempted("measure the backlog of", subscription), reason))
    }

    fn knows_backlog(&self) -> bool {
        false
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        Ok(None)
    }

    /// Looks at the topic that every stage needs, whatever else it does.
    async fn ping(&self) -> PortResult<()> {
        let attempted = self.attempted("look at", Topic::DeadLetters);
        let name = format!("projects/{}/topics/{}", self.inner.project, Topic::DeadLetters);
        let found = self.inner.topics.get_topic().set_topic(name).send().await;
        found.map(drop).map_err(|error| port_error(attempted, Effect::None, error))
    }

    async fn flush(&self) -> PortResult<()> {
        // What is not closed cannot be waited for; receivers may close all the same meanwhile.
        self.inner.closing.close();
        self.inner.closing.wait().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_from_the_wire_as_they_went() {
        for micros in [0, 1, -1, 1_767_323_045_123_456, Timestamp::MIN.micros(), Timestamp::MAX.micros()] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(our_time(&wire_time(time)), time, "{micros}");
        }
    }
}
