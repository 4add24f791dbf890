//! What an object says of itself, read in the pass that checks that it is JSON.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields that tell objects apart. Of a repeated key the last one counts, as for the API server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ObjectHead {
    /// `kind`, if it is text.
    pub(crate) kind: Option<String>,
    /// `apiVersion`, if it is text.
    pub(crate) api_version: Option<String>,
    /// Whether there is a `protoPayload`, as in an audit entry of Cloud Logging.
    pub(crate) proto_payload: bool,
    /// Whether there is a `logName`, as in every entry of Cloud Logging.
    pub(crate) log_name: bool,
    /// Whether there is an `items`.
    pub(crate) items: bool,
    /// Whether there is a `serverVersion` or `clientVersion`, as `kubectl version` prints.
    pub(crate) versions: bool,
    /// Whether there is a `gitVersion`, as the API server's `/version` has.
    pub(crate) git_version: bool,
}

impl ObjectHead {
    /// Reads the head of one object and checks all of it: UTF-8, one JSON value, an object. The
    /// error is a reason in one sentence.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_str(begun(bytes)?).map_err(|error| format!("it is not JSON: {error}"))
    }
}

/// The text of what begins as an object does. Whether it goes on as JSON is for who passes over all
/// of it to say.
pub(crate) fn begun(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8: invalid byte at {} of it", error.valid_up_to()))?;
    match text.bytes().next() {
        Some(b'{') => Ok(text),
        first => Err(format!("it is {}, expected an object", describe(first))),
    }
}

/// What kind of value begins with that byte.
fn describe(first: Option<u8>) -> &'static str {
    match first {
        Some(b'"') => "text",
        Some(b'[') => "an array",
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        Some(b'-' | b'0'..=b'9') => "a number",
        _ => "not JSON",
    }
}

impl<'de> Deserialize<'de> for ObjectHead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadVisitor)
    }
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = ObjectHead;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectHead, A::Error> {
        let mut head = ObjectHead::default();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            match &*key {
                "kind" => {
                    head.kind = text(map.next_value()?);
                    continue;
                }
                "apiVersion" => {
                    head.api_version = text(map.next_value()?);
                    continue;
                }
                "protoPayload" => head.proto_payload = true,
                "logName" => head.log_name = true,
                "items" => head.items = true,
                "serverVersion" | "clientVersion" => head.versions = true,
                "gitVersion" => head.git_version = true,
                _ => {}
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(head)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_wherever_its_keys_stand() {
        let head = ObjectHead::read(br#"{"spec":{"kind":"X"},"kind":"Pod","metadata":{},"apiVersion":"v1"}"#).unwrap();
        assert_eq!(head.kind.as_deref(), Some("Pod"));
        assert_eq!(head.api_version.as_deref(), Some("v1"));
    }

    #[test]
    fn what_is_no_object_is_refused_with_a_reason() {
        for (bytes, reason) in [
            (&b"null"[..], "it is null, expected an object"),
            (b"[1]", "it is an array, expected an object"),
            (b"{\"a\":\"\xff\"}", "it is not UTF-8: invalid byte at 6 of it"),
        ] {
            assert_eq!(ObjectHead::read(bytes).unwrap_err(), reason);
        }
        assert!(ObjectHead::read(b"{\"a\": tru}").unwrap_err().starts_with("it is not JSON"));
        assert!(ObjectHead::read(b"{}{}").is_err());
    }

    #[test]
    fn a_kind_that_is_no_text_is_no_kind() {
        assert_eq!(ObjectHead::read(br#"{"kind":7}"#).unwrap().kind, None);
    }
}
