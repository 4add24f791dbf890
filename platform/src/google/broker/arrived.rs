//! A message of the service as the port has it.

use google_cloud_pubsub::model::Message;
use schemas::{Subscription, Timestamp, Topic};

use super::our_time;
use crate::ports::Incoming;
use crate::ports::dead_letter::say_where_from;

/// The port's form. The attempt is none where the subscription has no dead-letter policy.
pub(super) fn incoming(subscription: Subscription, message: Message, attempt: Option<i32>) -> Incoming {
    let mut incoming = Incoming {
        message_id: message.message_id,
        payload: message.data.into(),
        attributes: message.attributes.into_iter().collect(),
        ordering_key: Some(message.ordering_key).filter(|key| !key.is_empty()),
        published_at: message.publish_time.as_ref().map_or(Timestamp::MIN, our_time),
        delivery_attempt: attempt.and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1).max(1),
    };
    if subscription.topic == Topic::DeadLetters {
        say_where_from(&mut incoming);
    }
    incoming
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::dead_letter::{SOURCE_COUNT, SOURCE_SUBSCRIPTION};

    const DEAD: Subscription = Subscription::new(Topic::DeadLetters, "loader");

    #[test]
    fn a_letter_of_the_services_policy_says_where_it_is_from_in_our_words() {
        let message = Message::new().set_data("x").set_attributes([
            ("own", "kept"),
            (SOURCE_SUBSCRIPTION, "raw-batches--normalizer"),
            (SOURCE_COUNT, "5"),
        ]);
        let letter = incoming(DEAD, message.clone(), None);
        let told = |name: &str| letter.attributes.get(name).map(String::as_str);
        assert_eq!(told("own"), Some("kept"));
        assert_eq!(told("podledger_topic"), Some("raw-batches"));
        assert_eq!(told("podledger_subscription"), Some("raw-batches--normalizer"));
        assert!(told("podledger_reason").unwrap().contains("5 times"));
        let elsewhere = incoming(Subscription::new(Topic::RawBatches, "normalizer"), message, None);
        assert!(!elsewhere.attributes.contains_key("podledger_reason"), "only on the dead letters' topic");
    }

    #[test]
    fn a_letter_that_says_its_reason_is_left_alone() {
        let attributes = [("podledger_reason", "bad bytes"), (SOURCE_SUBSCRIPTION, "s--t")];
        let letter = incoming(DEAD, Message::new().set_attributes(attributes), None);
        assert_eq!(letter.attributes.get("podledger_reason").map(String::as_str), Some("bad bytes"));
        assert!(!letter.attributes.contains_key("podledger_topic"));
    }

    #[test]
    fn an_attempt_that_is_not_counted_is_the_first() {
        for (told, attempt) in [(None, 1), (Some(0), 1), (Some(-3), 1), (Some(7), 7)] {
            assert_eq!(incoming(DEAD, Message::new(), told).delivery_attempt, attempt);
        }
    }
}
