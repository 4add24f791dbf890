//! What is wrapped around items: Pub/Sub messages, `CloudEvents`, detection rules.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::item::{Item, Take, each_at, of_value};

/// Pub/Sub writes standard base64 with padding; some copies lose the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A Pub/Sub message as pushed
/// (<https://cloud.google.com/pubsub/docs/push#receive_push>); other keys are ignored.
pub(super) fn of_message(message: &RawValue, wrapping: usize, take: &mut Take<'_>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Message<'a> {
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let read: Result<Message<'_>, _> = serde_json::from_str(message.get());
    match read.map(|message| message.data) {
        Ok(Some(data)) => of_base64(data, wrapping, take),
        Ok(None) => take(Item::Reject("pubsub message: no data".to_owned())),
        Err(error) => take(Item::Reject(format!("pubsub message: {error}"))),
    }
}

/// A `CloudEvent` in structured mode
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/formats/json-format.md>).
pub(super) fn of_cloud_event(data: Option<&RawValue>, base64: Option<&RawValue>, wrapping: usize, take: &mut Take<'_>) {
    match (data, base64) {
        (Some(data), _) if data.get().starts_with('"') => match serde_json::from_str::<String>(data.get()) {
            Ok(text) => of_payload(text.as_bytes(), wrapping, take),
            Err(error) => take(Item::Reject(format!("cloudevent: data: {error}"))),
        },
        (Some(data), _) => of_value(data, None, wrapping, take),
        (None, Some(base64)) => of_base64(base64, wrapping, take),
        (None, None) => take(Item::Reject("cloudevent: no data".to_owned())),
    }
}

/// The log entries that the tests of a detection rule hold.
pub(super) fn of_tests(tests: &RawValue, wrapping: usize, take: &mut Take<'_>) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Test<'a> {
        #[serde(borrow, rename = "Log")]
        log: Option<&'a RawValue>,
    }
    let tests: Vec<&RawValue> = match serde_json::from_str(tests.get()) {
        Ok(tests) => tests,
        Err(error) => return take(Item::Reject(format!("tests of a rule: {error}"))),
    };
    if tests.is_empty() {
        return take(Item::Skip("a rule without tests".to_owned()));
    }
    for test in tests {
        match serde_json::from_str::<Test<'_>>(test.get()).map(|test| test.log) {
            Ok(Some(log)) => of_value(log, None, wrapping, take),
            Ok(None) => take(Item::Reject("a test of a rule without a log entry".to_owned())),
            Err(error) => take(Item::Reject(format!("a test of a rule: {error}"))),
        }
    }
}

/// A payload in base64.
fn of_base64(data: &RawValue, wrapping: usize, take: &mut Take<'_>) {
    let Ok(text) = serde_json::from_str::<String>(data.get()) else {
        return take(Item::Reject("pubsub message: data is not text".to_owned()));
    };
    match BASE64.decode(text.trim()) {
        Ok(payload) if payload.is_empty() => take(Item::Reject("payload: empty".to_owned())),
        Ok(payload) => of_payload(&payload, wrapping, take),
        Err(error) => take(Item::Reject(format!("pubsub message: data is not base64: {error}"))),
    }
}

/// The items of a payload; what cannot be read is said to be in one.
fn of_payload(payload: &[u8], wrapping: usize, take: &mut Take<'_>) {
    each_at(payload, wrapping, &mut |item| match item {
        Item::Reject(reason) if reason.starts_with("payload: ") => take(Item::Reject(reason)),
        Item::Reject(reason) => take(Item::Reject(format!("payload: {reason}"))),
        item => take(item),
    });
}
