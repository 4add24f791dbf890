//! What a message may be: Pub/Sub's bounds, so that what works embedded works there.
//! <https://cloud.google.com/pubsub/quotas#resource_limits>

use super::Outgoing;

/// Largest payload, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 10_000_000;
/// Most attributes of one message.
pub const MAX_ATTRIBUTES: usize = 100;
/// Longest name of an attribute, in bytes.
pub const MAX_ATTRIBUTE_NAME_BYTES: usize = 256;
/// Longest value of an attribute, in bytes.
pub const MAX_ATTRIBUTE_VALUE_BYTES: usize = 1024;
/// Longest ordering key, in bytes.
pub const MAX_ORDERING_KEY_BYTES: usize = 1024;
/// Names that start so belong to Google.
const RESERVED_PREFIX: &str = "goog";
/// How much of a name an error shows, in characters.
const SHOWN_CHARS: usize = 64;

/// Says what is wrong with a message, if anything.
pub(crate) fn check(message: &Outgoing) -> Result<(), String> {
    let payload = message.payload.len();
    if payload > MAX_PAYLOAD_BYTES {
        return Err(format!("the payload has {payload} bytes, more than the {MAX_PAYLOAD_BYTES} allowed"));
    }
    if payload == 0 && message.attributes.is_empty() {
        return Err("the message is empty: expected a payload or an attribute".to_owned());
    }
    let attributes = message.attributes.len();
    if attributes > MAX_ATTRIBUTES {
        return Err(format!("it has {attributes} attributes, more than the {MAX_ATTRIBUTES} allowed"));
    }
    message.attributes.iter().try_for_each(|(name, value)| attribute(name, value))?;
    match message.ordering_key.as_deref().map_or(0, str::len) {
        long if long > MAX_ORDERING_KEY_BYTES => {
            Err(format!("the ordering key has {long} bytes, more than the {MAX_ORDERING_KEY_BYTES} allowed"))
        }
        _ => Ok(()),
    }
}

fn attribute(name: &str, value: &str) -> Result<(), String> {
    let shown = || name.chars().take(SHOWN_CHARS).collect::<String>();
    if name.is_empty() {
        return Err("an attribute has no name".to_owned());
    }
    if name.starts_with(RESERVED_PREFIX) {
        return Err(format!("attribute {:?}: names that start with {RESERVED_PREFIX:?} are reserved", shown()));
    }
    for (what, length, most) in
        [("name", name.len(), MAX_ATTRIBUTE_NAME_BYTES), ("value", value.len(), MAX_ATTRIBUTE_VALUE_BYTES)]
    {
        if length > most {
            return Err(format!(
                "attribute {:?}: its {what} has {length} bytes, more than the {most} allowed",
                shown()
            ));
        }
    }
    Ok(())
}
