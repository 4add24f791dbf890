//! What a request asks of a number, and what a response says it is.
//!
//! The content type of a request is not logged. A JSON patch is a list; everything else is an
//! object, and whole objects, merge patches, strategic merge patches and server-side apply are read
//! alike: a number that is written is set, one that is null is cleared. The directives of strategic
//! merge patches add ways to clear it
//! (<https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md>).

use schemas::ReplicaField;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::call::{Logged, Part, Verb};
use super::entry::parse;
use super::json_patch::{self, Operation};
use super::outcome::{Reject, shown};
use super::target::{default_of, key};
use super::text::{Nullable, Text};

/// Highest number of replicas: the API keeps 32-bit numbers.
const MAX_REPLICAS: i64 = i32::MAX as i64;

/// What a request does with one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// Nothing.
    Untouched,
    /// Sets it.
    Number(i64),
    /// Removes it, so that the API's default holds.
    Cleared,
    /// Sets it to something that the request does not show.
    Unknown,
}

/// A request or a response, read.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Object(Box<Object<'a>>),
    Operations(Vec<Operation<'a>>),
}

/// The fields of an object that are read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Object<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow, rename = "@type")]
    type_url: Option<Text<'a>>,
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    spec: Nullable<Spec<'a>>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    items: Option<&'a RawValue>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    patch: Option<&'a RawValue>,
    #[serde(borrow)]
    dry_run: Option<&'a RawValue>,
    #[serde(borrow, rename = "$patch")]
    directive: Option<Text<'a>>,
    #[serde(borrow, rename = "$retainKeys")]
    retain_keys: Option<Vec<Text<'a>>>,
}

/// Metadata of an object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
}

/// Spec of a Deployment, a `StatefulSet`, a Scale or an autoscaler.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec<'a> {
    #[serde(borrow)]
    replicas: Nullable<&'a RawValue>,
    #[serde(borrow)]
    min_replicas: Nullable<&'a RawValue>,
    #[serde(borrow)]
    max_replicas: Nullable<&'a RawValue>,
    #[serde(borrow)]
    scale_target_ref: Option<TargetRef<'a>>,
    #[serde(borrow, rename = "$patch")]
    directive: Option<Text<'a>>,
    #[serde(borrow, rename = "$retainKeys")]
    retain_keys: Option<Vec<Text<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TargetRef<'a> {
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

impl<'a> Body<'a> {
    /// Reads a logged request or response.
    pub(super) fn read(logged: Logged<'a>) -> Result<Self, Reject> {
        let json = logged.json.get();
        if json.starts_with('[') {
            return Ok(Self::Operations(parse(json.as_bytes(), logged.place)?));
        }
        let object: Object<'a> = parse(json.as_bytes(), logged.place)?;
        match object.wrapped_operations() {
            Some(operations) => Ok(Self::Operations(parse(operations.get().as_bytes(), logged.place)?)),
            None => Ok(Self::Object(Box::new(object))),
        }
    }

    /// What it does with a number, as the request of a call.
    pub(super) fn setting(&self, field: ReplicaField, part: Part, verb: Verb) -> Result<Setting, Reject> {
        match self {
            Self::Operations(operations) => json_patch::setting(operations, field),
            Self::Object(object) => object.setting(field, part, verb),
        }
    }

    /// The object, where it is one.
    pub(super) fn object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Operations(_) => None,
        }
    }
}

impl<'a> Object<'a> {
    /// The operations of a JSON patch where the log holds them in a member of an object, since an
    /// `AuditLog`'s request is an object and a JSON patch is a list.
    fn wrapped_operations(&self) -> Option<&'a RawValue> {
        if self.spec != Nullable::Absent || self.metadata.is_some() || self.kind.is_some() {
            return None;
        }
        [self.value, self.patch, self.items].into_iter().flatten().find(|list| list.get().starts_with('['))
    }

    /// Name of the object.
    pub(super) fn name(&self) -> Option<&str> {
        super::entry::filled(self.metadata.as_ref()?.name.as_ref())
    }

    /// Namespace of the object.
    pub(super) fn namespace(&self) -> Option<&str> {
        super::entry::filled(self.metadata.as_ref()?.namespace.as_ref())
    }

    /// The Deployment an autoscaler scales.
    pub(super) fn scaled_deployment(&self) -> Option<&str> {
        let target = self.spec.value()?.scale_target_ref.as_ref()?;
        let is_deployment = target.kind.as_ref().is_some_and(|kind| kind.as_str() == "Deployment");
        super::entry::filled(target.name.as_ref()).filter(|_| is_deployment)
    }

    /// Whether the request itself asks only to try.
    pub(super) fn dry_run(&self) -> bool {
        self.dry_run.is_some_and(asks_for_dry_run)
    }

    /// The reason of a Status that says Failure.
    pub(super) fn failure(&self) -> Option<String> {
        let text = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let failed = self.is("Status") && text(self.status).as_deref() == Some("Failure");
        failed.then(|| text(self.reason).map_or_else(|| "no reason".to_owned(), |reason| shown(&reason)))
    }

    /// Whether it is a list that says it holds nothing.
    pub(super) fn is_empty_list(&self) -> bool {
        let listed = self.kind.as_ref().is_some_and(|kind| kind.as_str().ends_with("List"));
        listed && self.items.is_none_or(|items| items.get().trim_start_matches(['[', ' ', '\n', '\r', '\t']) == "]")
    }

    /// Whether it is of that kind, by its `kind` or its type URL (`core.k8s.io/v1.Status`).
    fn is(&self, kind: &str) -> bool {
        let last = |url: &Text<'_>| url.as_str().rsplit('.').next() == Some(kind);
        match &self.kind {
            Some(found) => found.as_str() == kind,
            None => self.type_url.as_ref().is_some_and(last),
        }
    }

    /// What a number is, as the response of a call: none where the response does not show it.
    pub(super) fn value_of(&self, field: ReplicaField, part: Part, place: &str) -> Result<Option<i64>, Reject> {
        let typeless = self.kind.is_none() && self.type_url.is_none();
        if self.is("Scale") || (part == Part::Scale && typeless && self.spec != Nullable::Absent) {
            return match self.spec.value().map(|spec| &spec.replicas) {
                Some(Nullable::Value(raw)) => number(raw, field, place).map(Some),
                // Scale drops the field when it is zero.
                _ => Ok(Some(0)),
            };
        }
        match self.spec.value().map(|spec| spec.number(field)) {
            _ if part == Part::Scale => Ok(None),
            Some(Nullable::Value(raw)) => number(raw, field, place).map(Some),
            Some(Nullable::Absent | Nullable::Null) => Ok(default_of(field)),
            None => Ok(None),
        }
    }

    /// What it does with a number, as the request of a call.
    fn setting(&self, field: ReplicaField, part: Part, verb: Verb) -> Result<Setting, Reject> {
        let replaced = |directive: Option<&Text<'_>>| matches!(directive.map(Text::as_str), Some("replace" | "delete"));
        let dropped = |retained: Option<&Vec<Text<'_>>>, key: &str| {
            retained.is_some_and(|keys| keys.iter().all(|kept| kept.as_str() != key))
        };
        let whole_scale = part == Part::Scale && matches!(verb, Verb::Create | Verb::Update);
        let unwritten = |cleared: bool| match (whole_scale, cleared) {
            (true, _) => Setting::Number(0),
            (false, true) => Setting::Cleared,
            (false, false) => Setting::Untouched,
        };
        let spec = match &self.spec {
            Nullable::Value(spec) => spec,
            Nullable::Null => return Ok(unwritten(true)),
            Nullable::Absent => {
                let cleared = replaced(self.directive.as_ref()) || dropped(self.retain_keys.as_ref(), "spec");
                return Ok(unwritten(cleared));
            }
        };
        if spec.directive.as_ref().is_some_and(|directive| directive.as_str() == "delete") {
            return Ok(Setting::Cleared);
        }
        match spec.number(field) {
            Nullable::Value(raw) => number(raw, field, "request").map(Setting::Number),
            Nullable::Null => Ok(unwritten(true)),
            Nullable::Absent => {
                let cleared = replaced(spec.directive.as_ref())
                    || replaced(self.directive.as_ref())
                    || dropped(spec.retain_keys.as_ref(), key(field));
                Ok(unwritten(cleared))
            }
        }
    }
}

impl<'a> Spec<'a> {
    /// A number as written.
    pub(super) const fn number(&self, field: ReplicaField) -> &Nullable<&'a RawValue> {
        match field {
            ReplicaField::Replicas => &self.replicas,
            ReplicaField::MinReplicas => &self.min_replicas,
            ReplicaField::MaxReplicas => &self.max_replicas,
        }
    }
}

impl PartialEq for Spec<'_> {
    /// Only whether there is one matters.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A number of replicas. Numbers of an `AuditLog` travel as protobuf doubles, so that some
/// exporters write `3.0`.
pub(super) fn number(raw: &RawValue, field: ReplicaField, place: &str) -> Result<i64, Reject> {
    let text = raw.get();
    let whole = text.parse::<i64>().ok().or_else(|| {
        let float: f64 = text.parse().ok()?;
        // Within 2^31 every whole double is exact.
        #[allow(clippy::cast_possible_truncation)]
        (float.fract() == 0.0 && float.abs() <= MAX_REPLICAS as f64).then_some(float as i64)
    });
    whole
        .filter(|number| (0..=MAX_REPLICAS).contains(number))
        .ok_or_else(|| Reject::Number { place: format!("{place}.spec.{}", key(field)), found: shown(text) })
}

/// Whether the value of a dry-run option asks for one: `"All"`, `["All"]`, `true`.
pub(super) fn asks_for_dry_run(value: &RawValue) -> bool {
    match serde_json::from_str::<serde_json::Value>(value.get()) {
        Ok(serde_json::Value::Array(stages)) => !stages.is_empty(),
        Ok(serde_json::Value::String(stage)) => !stage.is_empty() && stage != "false",
        Ok(serde_json::Value::Bool(asked)) => asked,
        _ => false,
    }
}
