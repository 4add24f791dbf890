//! Dead letters as rows.

use platform::ports::Incoming;
use schemas::{DeadLetters, Json, Payload, Timestamp};

/// The row of a dead letter. What its attributes do not say is empty, never guessed.
pub(crate) fn row(incoming: Incoming) -> anyhow::Result<DeadLetters> {
    let attribute = |name: &str| incoming.attributes.get(name).cloned().unwrap_or_default();
    let subscription = attribute("podledger_subscription");
    let stage = match attribute("podledger_stage") {
        named if !named.is_empty() => named,
        // Moved away by the broker's own policy: the subscription is `<topic>--<stage>`.
        _ => subscription.split_once("--").map(|(_, stage)| stage.to_owned()).unwrap_or_default(),
    };
    let message_id = match attribute("podledger_message_id") {
        original if !original.is_empty() => original,
        _ => incoming.message_id.clone(),
    };
    Ok(DeadLetters {
        message_id,
        topic: attribute("podledger_topic"),
        subscription,
        stage,
        reason: attribute("podledger_reason"),
        attributes: Json::of(&incoming.attributes)?,
        received_at: received_at(&incoming),
        payload: Payload(incoming.payload),
    })
}

/// When it was given up.
fn received_at(incoming: &Incoming) -> Timestamp {
    incoming.published_at
}
