//! Entries that come together: an audit webhook sends `EventList`s.

use schemas::ReplicaChange;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::outcome::{Outcome, Reject};
use super::text::Text;
use super::{AuditContext, MAX_ENTRY_BYTES, decode};

/// Largest list of events that is read, in bytes: what a Pub/Sub message may have, with room for
/// files that hold several.
const MAX_MESSAGE_BYTES: usize = 16 * MAX_ENTRY_BYTES;

/// What one entry of a message says.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Its place in the list, from 0; none where the message is one entry.
    pub position: Option<usize>,
    /// Its changes, or why there are none.
    pub changes: Result<Vec<ReplicaChange>, Outcome>,
}

/// Decodes a message: one entry, or an `EventList` of them, whose items are decoded one by one.
pub fn decode_message(message: &[u8], context: &AuditContext) -> Vec<Decoded> {
    let whole = decode(message, context);
    let may_be_list = match &whole {
        Err(Outcome::Reject(Reject::UnknownForm { kind, .. })) => kind == "EventList",
        Err(Outcome::Reject(Reject::TooLarge { .. })) => true,
        _ => false,
    };
    let items = if may_be_list { items(message) } else { Ok(None) };
    match items {
        Ok(None) => vec![Decoded { position: None, changes: whole }],
        Ok(Some(items)) => {
            let decoded = |(position, item): (usize, &RawValue)| Decoded {
                position: Some(position),
                changes: decode(item.get().as_bytes(), context),
            };
            items.into_iter().enumerate().map(decoded).collect()
        }
        Err(reject) => vec![Decoded { position: None, changes: Err(reject.into()) }],
    }
}

/// The items of an `EventList`; none where the message is something else.
fn items(message: &[u8]) -> Result<Option<Vec<&RawValue>>, Reject> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct List<'a> {
        #[serde(borrow)]
        kind: Option<Text<'a>>,
        #[serde(borrow)]
        items: Option<&'a RawValue>,
    }
    if message.len() > MAX_MESSAGE_BYTES {
        return Ok(None);
    }
    let list: List<'_> = super::entry::parse(message, "")?;
    if list.kind.is_none_or(|kind| kind.as_str() != "EventList") {
        return Ok(None);
    }
    list.items.map_or(Ok(Some(Vec::new())), |items| super::entry::parse(items.get().as_bytes(), "items").map(Some))
}
