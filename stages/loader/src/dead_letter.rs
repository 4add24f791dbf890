//! Dead letters: kept with where they came from and why.

use std::collections::BTreeMap;

use async_trait::async_trait;
use platform::ports::Incoming;
use platform::runtime::{Handle, HandleError, MessageContext};
use schemas::{DeadLetters, Json, Payload};

use crate::upserts::Upserts;

/// What stands where a dead letter does not say.
const NOT_SAID: &str = "";
/// What stands as reason where none is given.
const NO_REASON: &str = "no reason was given";
/// Attribute of Pub/Sub's own dead-letter policy: the subscription that gave the message up.
/// <https://cloud.google.com/pubsub/docs/handling-failures#dead_letter_topic>
const PUBSUB_SUBSCRIPTION: &str = "CloudPubSubDeadLetterSourceSubscription";
/// Another one: how often it was delivered.
const PUBSUB_DELIVERIES: &str = "CloudPubSubDeadLetterSourceDeliveryCount";

/// Writes dead letters to their table.
pub(crate) struct DeadLetterLog(pub(crate) Upserts<DeadLetters>);

#[async_trait]
impl Handle<Incoming> for DeadLetterLog {
    async fn handle(&self, letter: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        let row = row(letter).map_err(|error| HandleError::Poison(error.into()))?;
        Ok(self.0.upsert(vec![row]).await?)
    }
}

/// The row of a dead letter. What the runtime and the broker added to its attributes goes into
/// columns; its own attributes are kept as they were.
fn row(letter: Incoming) -> Result<DeadLetters, serde_json::Error> {
    let mut attributes: BTreeMap<String, String> = letter.attributes;
    let mut take = |name: &str| attributes.remove(name);
    let by_policy = attributes_of_policy(&mut take);
    let subscription = take("podledger_subscription").or(by_policy.subscription);
    // Subscriptions are named `<topic>--<stage>`.
    let named = subscription.as_deref().and_then(|name| name.split_once("--"));
    let (topic, stage) = match named {
        Some((topic, stage)) => (Some(topic.to_owned()), Some(stage.to_owned())),
        None => (None, None),
    };
    let said = |value: Option<String>| value.unwrap_or_else(|| NOT_SAID.to_owned());
    Ok(DeadLetters {
        message_id: take("podledger_message_id").unwrap_or(letter.message_id),
        topic: said(take("podledger_topic").or(topic)),
        stage: said(take("podledger_stage").or(stage)),
        reason: take("podledger_reason").or(by_policy.reason).unwrap_or_else(|| NO_REASON.to_owned()),
        subscription: said(subscription),
        payload: Payload(letter.payload),
        attributes: Json::of(&attributes)?,
        received_at: letter.published_at,
    })
}

/// What Pub/Sub's own policy says.
struct ByPolicy {
    subscription: Option<String>,
    reason: Option<String>,
}

fn attributes_of_policy(take: &mut impl FnMut(&str) -> Option<String>) -> ByPolicy {
    let deliveries = take(PUBSUB_DELIVERIES);
    ByPolicy {
        subscription: take(PUBSUB_SUBSCRIPTION),
        reason: deliveries.map(|count| format!("given up by the broker after {count} deliveries")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::Timestamp;

    fn letter(attributes: &[(&str, &str)]) -> Incoming {
        Incoming {
            message_id: "of the letter".to_owned(),
            payload: vec![0, 255],
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ordering_key: None,
            published_at: Timestamp::from_seconds(1_790_000_000),
            delivery_attempt: 3,
        }
    }

    #[test]
    fn a_dead_letter_keeps_its_bytes_and_its_own_attributes() {
        let row = row(letter(&[
            ("podledger_topic", "audit-logs"),
            ("podledger_subscription", "audit-logs--normalizer"),
            ("podledger_message_id", "m-1"),
            ("podledger_stage", "normalizer"),
            ("podledger_reason", "not JSON"),
            ("podledger_schema", "LogEntry"),
        ]))
        .unwrap();
        assert_eq!((row.message_id.as_str(), row.topic.as_str()), ("m-1", "audit-logs"));
        assert_eq!((row.stage.as_str(), row.reason.as_str()), ("normalizer", "not JSON"));
        assert_eq!(row.payload, Payload(vec![0, 255]));
        assert_eq!(row.attributes.as_str(), r#"{"podledger_schema":"LogEntry"}"#);
        assert_eq!(row.received_at, Timestamp::from_seconds(1_790_000_000));
    }

    #[test]
    fn a_letter_from_the_brokers_own_policy_says_less_and_is_kept_all_the_same() {
        let row = row(letter(&[
            ("CloudPubSubDeadLetterSourceSubscription", "row-batches--loader"),
            ("CloudPubSubDeadLetterSourceDeliveryCount", "5"),
        ]))
        .unwrap();
        assert_eq!((row.topic.as_str(), row.stage.as_str()), ("row-batches", "loader"));
        assert_eq!(row.reason, "given up by the broker after 5 deliveries");
        assert_eq!(row.message_id, "of the letter");
        let bare = super::row(letter(&[])).unwrap();
        assert_eq!((bare.topic.as_str(), bare.reason.as_str()), (NOT_SAID, NO_REASON));
    }
}
