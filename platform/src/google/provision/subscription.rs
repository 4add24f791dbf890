//! Subscriptions: how messages are delivered, kept and given up.

use std::time::Duration;

use google_cloud_pubsub::model::push_config::{AuthenticationMethod, OidcToken};
use google_cloud_pubsub::model::{DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy, Subscription};

use super::compare::{Comparison, Finding, or_none, shown, yes_or_no};
use super::topic::{name_within, our_duration, wire_duration};

/// What a resource of this kind is called.
pub(super) const KIND: &str = "subscription";

/// What is wanted of a subscription. It never expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// Name of its topic.
    pub topic: String,
    /// How long a delivery is its holder's, 10 s to 10 min. Receivers of streams say their own; for
    /// push it is how long a request may take.
    pub ack_deadline: Duration,
    /// Whether messages of one ordering key come one after the other.
    pub ordering: bool,
    /// Whether acknowledgements are confirmed and none is delivered again after one.
    pub exactly_once: bool,
    /// How long an unacknowledged message waits, 10 min to 31 days.
    pub retention: Duration,
    /// Whether acknowledged messages are kept as long, for seeking.
    pub retain_acked: bool,
    /// Which messages of the topic come; empty means all.
    pub filter: String,
    /// Where a message goes that is not acknowledged.
    pub dead_letter: Option<DeadLetter>,
    /// How long a message that was given back waits.
    pub retry: Retry,
    /// Where messages are sent to; none where the stage asks for them.
    pub push: Option<Push>,
}

/// When a message is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Name of the topic it goes to.
    pub topic: String,
    /// After how many deliveries, 5 to 100.
    pub attempts: i32,
}

/// Delays before a message is delivered again; they grow from the least to the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The least, up to 10 min.
    pub min: Duration,
    /// The greatest, up to 10 min.
    pub max: Duration,
}

/// Delivery by HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Where requests go.
    pub endpoint: String,
    /// The service account whose token comes with each.
    pub service_account: String,
    /// The token's audience.
    pub audience: String,
}

impl SubscriptionSettings {
    /// The settings in a few words.
    pub(super) fn note(&self) -> String {
        let delivery = self.push.as_ref().map_or("pull".to_owned(), |push| format!("push to {}", push.endpoint));
        let ordered = if self.ordering { ", ordered" } else { "" };
        let given_up = self.dead_letter.as_ref().map_or_else(
            || "never given up".to_owned(),
            |policy| format!("{} attempts, then {}", policy.attempts, policy.topic),
        );
        format!("{delivery}{ordered}, {given_up}, kept {}", shown(self.retention))
    }

    /// The subscription to make.
    pub(super) fn create(&self, name: String, project: &str) -> Subscription {
        self.on_top_of(Subscription::new(), project)
            .set_name(name)
            .set_topic(topic_name(project, &self.topic))
            .set_enable_message_ordering(self.ordering)
            .set_filter(self.filter.as_str())
    }

    /// The settings that can change, on top of what is there.
    fn on_top_of(&self, found: Subscription, project: &str) -> Subscription {
        let dead_letter = self.dead_letter.as_ref().map(|policy| {
            DeadLetterPolicy::new()
                .set_dead_letter_topic(topic_name(project, &policy.topic))
                .set_max_delivery_attempts(policy.attempts)
        });
        let push = self.push.as_ref().map(|push| {
            let token = OidcToken::new()
                .set_service_account_email(push.service_account.as_str())
                .set_audience(push.audience.as_str());
            // How messages are wrapped stays as it was.
            let there = found.push_config.clone().unwrap_or_default();
            there.set_push_endpoint(push.endpoint.as_str()).set_oidc_token(token)
        });
        let retry = RetryPolicy::new()
            .set_minimum_backoff(wire_duration(self.retry.min))
            .set_maximum_backoff(wire_duration(self.retry.max));
        found
            // At most 600, so it fits.
            .set_ack_deadline_seconds(i32::try_from(self.ack_deadline.as_secs()).unwrap_or(i32::MAX))
            .set_enable_exactly_once_delivery(self.exactly_once)
            .set_message_retention_duration(wire_duration(self.retention))
            .set_retain_acked_messages(self.retain_acked)
            .set_expiration_policy(ExpirationPolicy::new())
            .set_or_clear_dead_letter_policy(dead_letter)
            .set_retry_policy(retry)
            .set_or_clear_push_config(push)
    }

    /// Compares with the subscription that is there: the finding, the subscription to send, and the
    /// fields of the update; without fields nothing is to be sent.
    pub(super) fn compare(
        &self,
        id: &str,
        project: &str,
        found: &Subscription,
    ) -> (Finding, Subscription, Vec<&'static str>) {
        let mut comparison = Comparison::default();
        let show = |duration: &Duration| shown(*duration);
        let text = |text: &&str| or_none(text);
        comparison.fixed("topic", (name_within(project, &found.topic), self.topic.as_str()), text);
        comparison.fixed("ordering", (found.enable_message_ordering, self.ordering), yes_or_no);
        comparison.fixed("filter", (found.filter.as_str(), self.filter.as_str()), text);
        if found.detached {
            comparison.refuse("delivery", "detached".to_owned(), "attached".to_owned(), "it cannot be attached again");
        }
        if found.bigquery_config.is_some() || found.cloud_storage_config.is_some() || found.bigtable_config.is_some() {
            let wanted = "to a stage".to_owned();
            comparison.refuse("delivery", "an export".to_owned(), wanted, "somebody would miss its messages");
        }
        let deadline = Duration::from_secs(u64::try_from(found.ack_deadline_seconds).unwrap_or(0));
        comparison.grows("ackDeadline", "ack_deadline_seconds", (deadline, self.ack_deadline), show);
        let exact = (found.enable_exactly_once_delivery, self.exactly_once);
        comparison.grows("exactlyOnce", "enable_exactly_once_delivery", exact, yes_or_no);
        let kept = found.message_retention_duration.as_ref().map(our_duration).unwrap_or_default();
        comparison.grows("messageRetention", "message_retention_duration", (kept, self.retention), show);
        let acked = (found.retain_acked_messages, self.retain_acked);
        comparison.grows("retainAcked", "retain_acked_messages", acked, yes_or_no);
        if let Some(expires) = found.expiration_policy.as_ref().and_then(|policy| policy.ttl.as_ref()) {
            let found = format!("after {} unused", shown(our_duration(expires)));
            comparison.change("expiration", "expiration_policy", found, "never".to_owned());
        }
        self.compare_dead_letter(project, found, &mut comparison);
        self.compare_retry(found, &mut comparison);
        self.compare_push(found, &mut comparison);
        let (finding, paths) = comparison.finding(KIND, id);
        (finding, self.on_top_of(found.clone(), project), paths)
    }

    fn compare_dead_letter(&self, project: &str, found: &Subscription, comparison: &mut Comparison) {
        const PATH: &str = "dead_letter_policy";
        match (&found.dead_letter_policy, &self.dead_letter) {
            (None, None) => {}
            (Some(found), None) => {
                let found = name_within(project, &found.dead_letter_topic).to_owned();
                comparison.refuse("deadLetter", found, or_none(""), "it would be narrowed");
            }
            (None, Some(wanted)) => {
                let wanted = format!("{} after {}", wanted.topic, wanted.attempts);
                comparison.change("deadLetter", PATH, or_none(""), wanted);
            }
            (Some(found), Some(wanted)) => {
                let topics = (name_within(project, &found.dead_letter_topic), wanted.topic.as_str());
                comparison.free("deadLetter.topic", PATH, topics, |topic| (*topic).to_owned());
                let attempts = (found.max_delivery_attempts, wanted.attempts);
                comparison.grows("deadLetter.attempts", PATH, attempts, ToString::to_string);
            }
        }
    }

    fn compare_retry(&self, found: &Subscription, comparison: &mut Comparison) {
        let delays = |retry: &Option<Retry>| match retry {
            Some(retry) => format!("{} to {}", shown(retry.min), shown(retry.max)),
            None => "at once".to_owned(),
        };
        let there = found.retry_policy.as_ref().map(|policy| Retry {
            min: policy.minimum_backoff.as_ref().map(our_duration).unwrap_or_default(),
            max: policy.maximum_backoff.as_ref().map(our_duration).unwrap_or_default(),
        });
        comparison.free("retry", "retry_policy", (there, Some(self.retry)), delays);
    }

    fn compare_push(&self, found: &Subscription, comparison: &mut Comparison) {
        const PATH: &str = "push_config";
        let there = found.push_config.as_ref().and_then(pushed);
        match (there, &self.push) {
            (None, None) => {}
            // Nobody would ask for the messages: who pushes has no process that pulls.
            (Some(there), None) => {
                comparison.refuse("push", there.endpoint, or_none(""), "its stage would get nothing");
            }
            (None, Some(push)) => comparison.change("push", PATH, or_none(""), push.endpoint.clone()),
            (Some(there), Some(push)) => {
                let text = |text: &&str| or_none(text);
                comparison.free("push.endpoint", PATH, (there.endpoint.as_str(), push.endpoint.as_str()), text);
                let accounts = (there.service_account.as_str(), push.service_account.as_str());
                comparison.free("push.serviceAccount", PATH, accounts, text);
                comparison.free("push.audience", PATH, (there.audience.as_str(), push.audience.as_str()), text);
            }
        }
    }
}

/// Where a subscription pushes to; none where it does not.
fn pushed(config: &PushConfig) -> Option<Push> {
    if config.push_endpoint.is_empty() {
        return None;
    }
    let (service_account, audience) = match &config.authentication_method {
        Some(AuthenticationMethod::OidcToken(token)) => (token.service_account_email.clone(), token.audience.clone()),
        _ => (String::new(), String::new()),
    };
    Some(Push { endpoint: config.push_endpoint.clone(), service_account, audience })
}

fn topic_name(project: &str, topic: &str) -> String {
    format!("projects/{project}/topics/{topic}")
}

#[cfg(test)]
mod tests;
