//! The sections `subscriptionDefaults` and `subscriptions`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use platform::google::provision::{DeadLetter, Push, Retry, SubscriptionSettings};
use schemas::{Subscription, Topic};

use super::reader::{Field, Fields, Problems};
use super::topics::RETENTION;
use super::{PROJECT, check_placeholders};

/// Fields of a subscription, all of which the defaults may say.
const FIELDS: [&str; 9] = [
    "ackDeadline",
    "ordering",
    "exactlyOnce",
    "messageRetention",
    "retainAcked",
    "filter",
    "deadLetter",
    "retry",
    "push",
];
/// Fields of which a default would be wrong for some.
const OWN: [&str; 2] = ["filter", "push"];
/// Pub/Sub's bounds. <https://cloud.google.com/pubsub/docs/subscription-properties>
const ACK_DEADLINE: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(600);
const BACKOFF: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(600);
const ATTEMPTS: RangeInclusive<i32> = 5..=100;
const MAX_FILTER_BYTES: usize = 256;
/// The word for "not at all".
const NONE: &str = "none";

/// Every subscription of the program.
pub(super) fn read(
    section: &Field<'_>,
    defaults: Option<&Field<'_>>,
    problems: &mut Problems,
) -> BTreeMap<Subscription, SubscriptionSettings> {
    let shared: Vec<&str> = FIELDS.into_iter().filter(|field| !OWN.contains(field)).collect();
    let defaults = defaults.and_then(|field| Fields::of(field, "field", &shared, problems));
    let names: Vec<String> = Subscription::ALL.iter().map(|subscription| subscription.name()).collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut subscriptions = BTreeMap::new();
    let Some(fields) = Fields::of(section, "subscription", &known, problems) else { return subscriptions };
    for (subscription, name) in Subscription::ALL.iter().zip(&names) {
        let settings =
            fields.need(name, problems).and_then(|field| settings(*subscription, &field, defaults.as_ref(), problems));
        subscriptions.extend(settings.map(|settings| (*subscription, settings)));
    }
    subscriptions
}

fn settings(
    subscription: Subscription,
    field: &Field<'_>,
    defaults: Option<&Fields<'_>>,
    problems: &mut Problems,
) -> Option<SubscriptionSettings> {
    let fields = Fields::of(field, "field", &FIELDS, problems)?.or(defaults);
    let ordering = fields.need("ordering", problems).and_then(|field| {
        let ordering = field.truth(problems)?;
        if ordering != subscription.ordered() {
            let needed = if subscription.ordered() { "needs" } else { "does not need" };
            field.say(format!("expected {}: its stage {needed} the order of keys", !ordering), problems);
        }
        Some(ordering)
    });
    let exactly_once = fields.need("exactlyOnce", problems).and_then(|field| field.truth(problems));
    let push = fields.get("push").map(|field| push(&field, problems));
    if let (Some(_), Some(true)) = (&push, exactly_once) {
        field.say("exactlyOnce and push exclude each other", problems);
    }
    let ack_deadline = fields.need("ackDeadline", problems).and_then(|field| field.period(ACK_DEADLINE, problems));
    let retention = fields.need("messageRetention", problems).and_then(|field| field.period(RETENTION, problems));
    let retain_acked = fields.need("retainAcked", problems).and_then(|field| field.truth(problems));
    let filter = fields.get("filter").map_or(Some(String::new()), |field| filter(&field, problems));
    let dead_letter = fields.need("deadLetter", problems).and_then(|field| dead_letter(subscription, &field, problems));
    let retry = fields.need("retry", problems).and_then(|field| retry(&field, problems));
    let push = match push {
        None => None,
        Some(push) => Some(push?),
    };
    Some(SubscriptionSettings {
        topic: subscription.topic.name().to_owned(),
        ack_deadline: ack_deadline?,
        ordering: ordering?,
        exactly_once: exactly_once?,
        retention: retention?,
        retain_acked: retain_acked?,
        filter: filter?,
        dead_letter: dead_letter?,
        retry: retry?,
        push,
    })
}

fn filter(field: &Field<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    if text.len() > MAX_FILTER_BYTES {
        field.say(format!("{} of at most {MAX_FILTER_BYTES} bytes", text.len()), problems);
    }
    Some(text.to_owned())
}

/// `none`, or where to and after how many attempts. Only the dead letters' own have nowhere to go.
fn dead_letter(subscription: Subscription, field: &Field<'_>, problems: &mut Problems) -> Option<Option<DeadLetter>> {
    let is_last = subscription.topic == Topic::DeadLetters;
    if field.node.text() == Some(NONE) {
        if !is_last {
            field.say("every subscription needs one but that of the dead letters", problems);
        }
        return Some(None);
    }
    if is_last {
        field.say("expected none: a dead letter has nowhere to go", problems);
    }
    let fields = Fields::of(field, "field", &["topic", "attempts"], problems)?;
    let topic = fields.need("topic", problems).and_then(|field| field.word(&[Topic::DeadLetters.name()], problems));
    let attempts = fields.need("attempts", problems).and_then(|field| field.whole(ATTEMPTS, problems));
    Some(Some(DeadLetter { topic: topic?.to_owned(), attempts: attempts? }))
}

fn retry(field: &Field<'_>, problems: &mut Problems) -> Option<Retry> {
    let fields = Fields::of(field, "field", &["minBackoff", "maxBackoff"], problems)?;
    let min = fields.need("minBackoff", problems).and_then(|field| field.period(BACKOFF, problems));
    let max = fields.need("maxBackoff", problems).and_then(|field| field.period(BACKOFF, problems));
    let retry = Retry { min: min?, max: max? };
    if retry.min > retry.max {
        field.say("minBackoff is more than maxBackoff", problems);
    }
    Some(retry)
}

fn push(field: &Field<'_>, problems: &mut Problems) -> Option<Push> {
    let fields = Fields::of(field, "field", &["endpoint", "serviceAccount", "audience"], problems)?;
    let text = |name: &str, problems: &mut Problems| {
        let field = fields.need(name, problems)?;
        field.text(problems).map(|text| (field.clone(), text.to_owned()))
    };
    let endpoint = text("endpoint", problems);
    if let Some((field, endpoint)) = &endpoint
        && !(endpoint.starts_with("https://") || endpoint.starts_with("http://127.0.0.1:"))
    {
        field.wrong("an address that begins with https://", problems);
    }
    let account = text("serviceAccount", problems);
    if let Some((field, account)) = &account {
        check_placeholders(field, account, &[PROJECT], problems);
        if !account.contains('@') {
            field.wrong("a service account's e-mail address", problems);
        }
    }
    let audience = text("audience", problems);
    Some(Push { endpoint: endpoint?.1, service_account: account?.1, audience: audience?.1 })
}
