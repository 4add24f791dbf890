//! From a request to the message in it.
//!
//! Wrapped, a message is JSON in the body (<https://cloud.google.com/pubsub/docs/push#receive_push>);
//! unwrapped, the body is the payload and the rest stands in the headers
//! (<https://cloud.google.com/pubsub/docs/payload-unwrapping>). Which of the two it is, the header
//! with the message's id says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use schemas::{Subscription, Timestamp, Topic};
use serde::Deserialize;

use super::refusal::Refusal;
use crate::ports::dead_letter::say_where_from;
use crate::ports::{Incoming, MAX_ATTRIBUTE_NAME_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_ATTRIBUTES, MAX_PAYLOAD_BYTES};

/// The most that is around a payload: attributes, of whose bytes JSON makes at most six each, and
/// 64 KiB for the rest.
const AROUND_PAYLOAD: usize = 6 * MAX_ATTRIBUTES * (MAX_ATTRIBUTE_NAME_BYTES + MAX_ATTRIBUTE_VALUE_BYTES) + (64 << 10);
/// The largest body of a request, in bytes: the largest payload in base64, and what is around it.
pub(super) const LARGEST_BODY: usize = MAX_PAYLOAD_BYTES.div_ceil(3) * 4 + AROUND_PAYLOAD;
/// Longest message id, in bytes; Pub/Sub's have about 20. It becomes an attribute of dead letters.
const LONGEST_ID: usize = 256;
/// Longest reason why something is no message, in characters.
const LONGEST_REASON: usize = 500;

const ID: &str = "x-goog-pubsub-message-id";
const SUBSCRIPTION: &str = "x-goog-pubsub-subscription-name";
const PUBLISHED: &str = "x-goog-pubsub-publish-time";
const ORDERING_KEY: &str = "x-goog-pubsub-ordering-key";
const ATTEMPT: &str = "x-goog-pubsub-delivery-attempt";

/// Headers that clients and the platform's front end write; every other one of an unwrapped message
/// is an attribute.
const OF_HTTP: [&str; 24] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "pragma",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-cloud-trace-context",
    "x-serverless-authorization",
];
/// What the names of more of them start with.
const OF_HTTP_BEGIN: [&str; 3] = ["x-goog-", "x-google-", "x-forwarded-"];

/// Standard base64, as Pub/Sub writes it, with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A wrapped message. Names of two words come in both spellings; the first one's is read.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    message: Wrapped<'a>,
    subscription: Option<String>,
    #[serde(rename = "deliveryAttempt")]
    delivery_attempt: Option<i64>,
    #[serde(rename = "delivery_attempt")]
    delivery_attempt_twin: Option<i64>,
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    data: Option<Text<'a>>,
    attributes: Option<BTreeMap<String, String>>,
    #[serde(rename = "messageId")]
    message_id: Option<String>,
    #[serde(rename = "message_id")]
    message_id_twin: Option<String>,
    #[serde(rename = "publishTime")]
    publish_time: Option<String>,
    #[serde(rename = "publish_time")]
    publish_time_twin: Option<String>,
    #[serde(rename = "orderingKey")]
    ordering_key: Option<String>,
    #[serde(rename = "ordering_key")]
    ordering_key_twin: Option<String>,
}

/// Text that is not copied where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What a request says, before it is a message.
struct Said<'a> {
    payload: Vec<u8>,
    attributes: BTreeMap<String, String>,
    message_id: Cow<'a, str>,
    published: Option<Cow<'a, str>>,
    ordering_key: Option<Cow<'a, str>>,
    subscription: Option<Cow<'a, str>>,
    attempt: Option<i64>,
}

/// The message of a request to the endpoint of that subscription.
///
/// # Errors
/// [`Refusal::NoMessage`] for what is no message, or one of another subscription;
/// [`Refusal::TooLarge`] for a payload beyond [`MAX_PAYLOAD_BYTES`].
pub(super) fn read(subscription: Subscription, headers: &HeaderMap, body: &[u8]) -> Result<Incoming, Refusal> {
    let said = if headers.contains_key(ID) { unwrapped(headers, body)? } else { wrapped(body)? };
    if said.payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Refusal::TooLarge);
    }
    if said.message_id.is_empty() || said.message_id.len() > LONGEST_ID {
        return Err(no_message(format!("its id has {} bytes, expected 1 to {LONGEST_ID}", said.message_id.len())));
    }
    // A message for somebody else is no poison: it would be one for nobody.
    if let Some(named) = &said.subscription
        && named.rsplit('/').next() != Some(subscription.name().as_str())
    {
        return Err(no_message(format!("it is of subscription {named:?}, this endpoint is {subscription}'s")));
    }
    let published_at = match &said.published {
        Some(text) => Timestamp::parse(text).map_err(|error| no_message(format!("publish time: {error}")))?,
        None => Timestamp::MIN,
    };
    let mut incoming = Incoming {
        message_id: said.message_id.into_owned(),
        payload: said.payload,
        attributes: said.attributes,
        ordering_key: said.ordering_key.filter(|key| !key.is_empty()).map(Cow::into_owned),
        published_at,
        delivery_attempt: said.attempt.map_or(1, |attempt| u32::try_from(attempt.max(1)).unwrap_or(u32::MAX)),
    };
    if subscription.topic == Topic::DeadLetters {
        say_where_from(&mut incoming);
    }
    Ok(incoming)
}

fn wrapped(body: &[u8]) -> Result<Said<'_>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| no_message(format!("not UTF-8: {error}")))?;
    let Envelope { message, subscription, delivery_attempt, delivery_attempt_twin } =
        serde_json::from_str(text).map_err(|error| no_message(format!("no envelope: {error}")))?;
    let payload = match &message.data {
        Some(Text(data)) => {
            BASE64.decode(data.as_bytes()).map_err(|error| no_message(format!("data is not base64: {error}")))?
        }
        None => Vec::new(),
    };
    let message_id = message.message_id.or(message.message_id_twin);
    Ok(Said {
        payload,
        attributes: message.attributes.unwrap_or_default(),
        message_id: Cow::Owned(message_id.ok_or_else(|| no_message("it has no messageId".to_owned()))?),
        published: message.publish_time.or(message.publish_time_twin).map(Cow::Owned),
        ordering_key: message.ordering_key.or(message.ordering_key_twin).map(Cow::Owned),
        subscription: subscription.map(Cow::Owned),
        attempt: delivery_attempt.or(delivery_attempt_twin),
    })
}

fn unwrapped<'a>(headers: &'a HeaderMap, body: &[u8]) -> Result<Said<'a>, Refusal> {
    let text = |name: &str| headers.get(name).map(|value| header_text(name, value.as_bytes())).transpose();
    let attempt = match text(ATTEMPT)? {
        Some(number) => {
            Some(number.parse().map_err(|_| no_message(format!("{ATTEMPT}: {number:?} is no whole number")))?)
        }
        None => None,
    };
    let mut attributes = BTreeMap::new();
    for name in headers.keys().filter(|name| is_attribute(name)) {
        if let Some(value) = text(name.as_str())? {
            attributes.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(Said {
        payload: body.to_vec(),
        attributes,
        message_id: Cow::Borrowed(text(ID)?.unwrap_or_default()),
        published: text(PUBLISHED)?.map(Cow::Borrowed),
        ordering_key: text(ORDERING_KEY)?.map(Cow::Borrowed),
        subscription: text(SUBSCRIPTION)?.map(Cow::Borrowed),
        attempt,
    })
}

fn header_text<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, Refusal> {
    std::str::from_utf8(value).map_err(|_| no_message(format!("header {name} is not UTF-8")))
}

fn is_attribute(name: &HeaderName) -> bool {
    let name = name.as_str();
    !OF_HTTP.contains(&name) && !OF_HTTP_BEGIN.iter().any(|begin| name.starts_with(begin))
}

/// A reason may quote what came; of that no more is logged or answered than helps.
fn no_message(reason: String) -> Refusal {
    match reason.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => Refusal::NoMessage(format!("{} …", &reason[..end])),
        None => Refusal::NoMessage(reason),
    }
}

#[cfg(test)]
mod tests;
