//! Dead letters that the service's policy made, in the port's words.

use super::Incoming;

/// The attribute in which Pub/Sub names the subscription a dead letter is from.
/// <https://cloud.google.com/pubsub/docs/handling-failures#track_delivery_attempts>
pub(crate) const SOURCE_SUBSCRIPTION: &str = "CloudPubSubDeadLetterSourceSubscription";
/// The attribute in which it says how often the message was delivered there.
pub(crate) const SOURCE_COUNT: &str = "CloudPubSubDeadLetterSourceDeliveryCount";
/// What separates a topic's name from a stage's in a subscription's.
const STAGE_SEPARATOR: &str = "--";

/// Says in the port's words where a dead letter of the service's policy is from, and why. One that a
/// stage published says so itself.
pub(crate) fn say_where_from(letter: &mut Incoming) {
    let attributes = &mut letter.attributes;
    if attributes.contains_key("podledger_reason") {
        return;
    }
    let Some(subscription) = attributes.get(SOURCE_SUBSCRIPTION).cloned() else { return };
    let reason = match attributes.get(SOURCE_COUNT) {
        Some(count) => format!("delivered {count} times without being acknowledged"),
        None => "delivered too often without being acknowledged".to_owned(),
    };
    if let Some((topic, _)) = subscription.split_once(STAGE_SEPARATOR) {
        attributes.insert("podledger_topic".to_owned(), topic.to_owned());
    }
    attributes.insert("podledger_subscription".to_owned(), subscription);
    attributes.insert("podledger_reason".to_owned(), reason);
}
