//! Values into items: what is one object, entry, event or declaration.

use platform::kubernetes::{YamlFault, yaml_to_json};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::envelope;
use super::form::{self, Piece, Yaml};
use super::{MAX_OBJECT_BYTES, MAX_WRAPPING, YAML_LIMITS};
use crate::ped;
use crate::yaml::{self, Node, Value};

/// One item of a file.
pub(super) enum Item<'a> {
    /// A Kubernetes object.
    Object(Object<'a>),
    /// A Cloud Logging entry or a native audit event, as JSON.
    Audit(&'a str),
    /// A PED document.
    Ped(Node),
    /// Understood, and nothing the pipeline collects.
    Skip(String),
    /// Not to be read.
    Reject(String),
}

/// A Kubernetes object.
#[derive(Clone)]
pub(super) struct Object<'a> {
    /// Its kind; in a typed list, what the list says.
    pub(super) kind: String,
    /// Its API version, likewise; empty where nothing says it.
    pub(super) api_version: String,
    /// The object.
    pub(super) json: &'a RawValue,
}

/// What takes items.
pub(super) type Take<'t> = dyn FnMut(Item<'_>) + 't;

/// Hands each item of some bytes to `take`: at least one.
pub(super) fn each(bytes: &[u8], take: &mut Take<'_>) {
    each_at(bytes, 0, take);
}

/// The items of bytes within that many wrappings.
pub(super) fn each_at(bytes: &[u8], wrapping: usize, take: &mut Take<'_>) {
    form::each(bytes, &mut |piece| match piece {
        Piece::Json(value) => of_value(value, None, wrapping, take),
        Piece::Yaml(document) => of_document(document, wrapping, take),
        Piece::Broken(reason) => take(Item::Reject(reason)),
        Piece::Nothing => take(Item::Skip("nothing in it".to_owned())),
    });
}

/// The items of a YAML document. What is no declaration is read again as dumps are read, in which
/// words mean what they mean to `kubectl`.
fn of_document(document: Yaml<'_>, wrapping: usize, take: &mut Take<'_>) {
    let Yaml { node, text, first_line } = document;
    if is_ped(node.get("kind").and_then(Node::text), node.get("apiVersion").and_then(Node::text)) {
        return take(Item::Ped(node));
    }
    let json = match yaml_to_json(text) {
        Ok(json) => json,
        Err(YamlFault { line, column, reason }) => {
            let line = first_line as u64 + line.saturating_sub(1);
            return take(Item::Reject(format!("YAML, line {line}, column {column}: {reason}")));
        }
    };
    match serde_json::from_slice::<Box<RawValue>>(&json) {
        Ok(json) => of_value(&json, None, wrapping, take),
        Err(error) => take(Item::Reject(format!("YAML, line {}: as JSON: {error}", node.line))),
    }
}

/// Whether kind and version are those of a PED document. A version of ours of which this build
/// knows nothing is one, so that the error can say which is known.
fn is_ped(kind: Option<&str>, api_version: Option<&str>) -> bool {
    kind == Some(ped::KIND) || api_version.is_some_and(|version| version.starts_with("podledger/"))
}

/// The keys that tell what an object is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Probe<'a> {
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    api_version: Option<&'a RawValue>,
    #[serde(borrow)]
    items: Items<'a>,
    metadata: Option<IgnoredAny>,
    // Cloud Logging
    proto_payload: Option<IgnoredAny>,
    text_payload: Option<IgnoredAny>,
    json_payload: Option<IgnoredAny>,
    log_name: Option<IgnoredAny>,
    insert_id: Option<IgnoredAny>,
    // audit events
    verb: Option<IgnoredAny>,
    #[serde(rename = "requestURI")]
    request_uri: Option<IgnoredAny>,
    object_ref: Option<IgnoredAny>,
    #[serde(rename = "auditID")]
    audit_id: Option<IgnoredAny>,
    // envelopes
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "data_base64")]
    data_base64: Option<&'a RawValue>,
    specversion: Option<IgnoredAny>,
    // detection rules
    #[serde(borrow, rename = "Tests")]
    tests: Option<&'a RawValue>,
}

/// The items of a list: absent and null are different things.
#[derive(Default)]
enum Items<'a> {
    #[default]
    Absent,
    Null,
    Some(&'a RawValue),
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<&'a RawValue>::deserialize(deserializer)?.map_or(Items::Null, Items::Some))
    }
}

/// Kind and version that a list gives its items.
#[derive(Clone, Copy)]
pub(super) struct Inherited<'a> {
    kind: &'a str,
    api_version: &'a str,
}

/// The items of a JSON value.
pub(super) fn of_value(value: &RawValue, inherited: Option<Inherited<'_>>, wrapping: usize, take: &mut Take<'_>) {
    let json = value.get();
    if wrapping > MAX_WRAPPING {
        return take(Item::Reject(format!("wrapped more than {MAX_WRAPPING} times")));
    }
    match json.as_bytes().first() {
        Some(b'{') => of_object(value, inherited, wrapping, take),
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(json) {
            Ok(values) if values.is_empty() => take(Item::Skip("an empty array".to_owned())),
            Ok(values) => values.into_iter().for_each(|value| of_value(value, inherited, wrapping + 1, take)),
            Err(error) => take(Item::Reject(format!("array: {error}"))),
        },
        Some(b'"') => take(Item::Reject("a text, expected an object".to_owned())),
        Some(b'n') => take(Item::Reject("null, expected an object".to_owned())),
        _ => take(Item::Reject("a number or boolean, expected an object".to_owned())),
    }
}

/// The items of a JSON object.
fn of_object(value: &RawValue, inherited: Option<Inherited<'_>>, wrapping: usize, take: &mut Take<'_>) {
    let probe: Probe<'_> = match serde_json::from_str(value.get()) {
        Ok(probe) => probe,
        Err(error) => return take(Item::Reject(format!("object: {error}"))),
    };
    let (kind, api_version) = match (text_of("kind", probe.kind), text_of("apiVersion", probe.api_version)) {
        (Ok(kind), Ok(api_version)) => (kind, api_version),
        (Err(reason), _) | (_, Err(reason)) => return take(Item::Reject(reason)),
    };
    if is_ped(kind.as_deref(), api_version.as_deref()) {
        return ped(value, take);
    }
    let untyped = kind.is_none() && probe.is_log_entry();
    let kind = kind.or_else(|| inherited.map(|inherited| inherited.kind.to_owned()));
    let of_list = inherited.map(|inherited| inherited.api_version.to_owned()).filter(|version| !version.is_empty());
    let api_version = api_version.or(of_list);
    if untyped || probe.is_audit_event(kind.as_deref(), api_version.as_deref()) {
        return take(Item::Audit(value.get()));
    }
    match kind {
        Some(kind) => of_kind(value, &probe, kind, api_version.unwrap_or_default(), wrapping, take),
        None => of_wrapping(&probe, wrapping, take),
    }
}

/// The items of an object that says its kind.
fn of_kind(
    value: &RawValue,
    probe: &Probe<'_>,
    kind: String,
    api_version: String,
    wrapping: usize,
    take: &mut Take<'_>,
) {
    let listed = kind.strip_suffix("List");
    match (listed, &probe.items) {
        (Some(listed), Items::Some(items)) => match serde_json::from_str::<Vec<&RawValue>>(items.get()) {
            Ok(values) if values.is_empty() => take(Item::Skip(format!("{kind} without items"))),
            Ok(values) => {
                let typed = (!listed.is_empty()).then_some(Inherited { kind: listed, api_version: &api_version });
                values.into_iter().for_each(|value| of_value(value, typed, wrapping + 1, take));
            }
            Err(error) => take(Item::Reject(format!("{kind}: items: {error}"))),
        },
        (Some(_), Items::Null) => take(Item::Skip(format!("{kind} without items"))),
        (Some(listed), Items::Absent) if listed.is_empty() || super::is_collected(listed, &api_version) => {
            take(Item::Skip(format!("{kind} without items")));
        }
        _ if value.get().len() > MAX_OBJECT_BYTES => {
            let bytes = value.get().len();
            take(Item::Reject(format!("{kind} of {bytes} bytes, more than the {MAX_OBJECT_BYTES} an object may have")));
        }
        _ => take(Item::Object(Object { kind, api_version, json: value })),
    }
}

/// The items of an object without a kind: a wrapping of some sort, or nothing that is known.
fn of_wrapping(probe: &Probe<'_>, wrapping: usize, take: &mut Take<'_>) {
    let is_object = |value: &&RawValue| value.get().starts_with('{');
    if let Some(tests) = probe.tests.filter(|tests| tests.get().starts_with('[')) {
        return envelope::of_tests(tests, wrapping + 1, take);
    }
    if let Some(message) = probe.message.filter(is_object) {
        return envelope::of_message(message, wrapping + 1, take);
    }
    if probe.specversion.is_some() || probe.data.filter(is_object).is_some() || probe.data_base64.is_some() {
        return envelope::of_cloud_event(probe.data, probe.data_base64, wrapping + 1, take);
    }
    take(Item::Reject("no kind: not an object, entry, event or envelope that is known".to_owned()));
}

impl Probe<'_> {
    /// Whether what has no kind is a Cloud Logging entry.
    fn is_log_entry(&self) -> bool {
        let payload = self.proto_payload.is_some() || self.text_payload.is_some() || self.json_payload.is_some();
        payload || self.log_name.is_some() || self.insert_id.is_some()
    }

    /// Whether it is a native audit event. Collectors drop the version of some events.
    fn is_audit_event(&self, kind: Option<&str>, api_version: Option<&str>) -> bool {
        let about_a_call = self.object_ref.is_some() || self.request_uri.is_some() || self.audit_id.is_some();
        match (kind, api_version) {
            (Some("Event"), Some(version)) => version.starts_with("audit.k8s.io/"),
            (Some("Event") | None, None) => self.verb.is_some() && about_a_call && self.metadata.is_none(),
            _ => false,
        }
    }
}

/// A PED document as JSON, read again as YAML for its places.
fn ped(value: &RawValue, take: &mut Take<'_>) {
    match yaml::parse(value.get(), 1, YAML_LIMITS) {
        Ok(Some(node)) if matches!(node.value, Value::Map(_)) => take(Item::Ped(node)),
        Ok(_) => take(Item::Reject("PED: not a map".to_owned())),
        Err(error) => take(Item::Reject(format!("PED: {error}"))),
    }
}

/// The text of a key; absent, null and empty are one.
fn text_of(key: &str, value: Option<&RawValue>) -> Result<Option<String>, String> {
    let Some(value) = value else { return Ok(None) };
    match serde_json::from_str::<String>(value.get()) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(_) => Err(format!("{key} is {}, expected text", value.get().chars().take(80).collect::<String>())),
    }
}
