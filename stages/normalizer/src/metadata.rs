//! What every object says of itself, and the conditions of those that have some.

use platform::ports::Kind;
use schemas::{Condition, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::document::{Entries, Fault, List, Moment, Object, Text, Whole, decode, or_default, owned, present, text_of};

/// Longest name Kubernetes allows, in bytes; also that of a namespace.
const MAX_NAME: usize = 253;
/// Where an object without a namespace lives.
const DEFAULT_NAMESPACE: &str = "default";

/// `metadata`, as far as the rows need it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(crate) struct Metadata<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) uid: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) resource_version: Option<Text<'a>>,
    #[serde(default)]
    pub(crate) creation_timestamp: Option<Moment>,
    #[serde(default)]
    pub(crate) deletion_timestamp: Option<Moment>,
    #[serde(default)]
    pub(crate) generation: Option<Whole<{ i64::MAX }>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(crate) labels: Entries<'a, Text<'a>>,
    /// Read only where they matter: they are the largest part of many objects.
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(crate) owner_references: List<OwnerReference<'a>>,
}

/// One owner of an object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(crate) struct OwnerReference<'a> {
    #[serde(borrow, default)]
    pub(crate) kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) uid: Option<Text<'a>>,
    #[serde(default)]
    controller: Option<bool>,
}

impl<'a> Metadata<'a> {
    /// The name, which must be there.
    pub(crate) fn name(&self) -> Result<&str, Fault> {
        name_like(text_of(&self.name), "metadata.name", "a name")?
            .ok_or_else(|| Fault::missing("metadata.name", "a name"))
    }

    /// The namespace; `default` where none is written.
    pub(crate) fn namespace(&self) -> Result<&str, Fault> {
        let written = text_of(&self.namespace).filter(|namespace| !namespace.is_empty());
        Ok(name_like(written, "metadata.namespace", "a namespace")?.unwrap_or(DEFAULT_NAMESPACE))
    }

    /// The uid; absent in manifests, never empty.
    pub(crate) fn uid(&self) -> Result<Option<String>, Fault> {
        Ok(name_like(text_of(&self.uid), "metadata.uid", "a uid")?.map(str::to_owned))
    }

    /// The labels as a JSON object; none where there are none.
    pub(crate) fn labels_json(&self) -> Result<Option<Json>, Fault> {
        entries_json(&self.labels)
    }

    /// The annotations.
    pub(crate) fn annotations(&self) -> Result<Entries<'a, Text<'a>>, Fault> {
        match self.annotations {
            Some(raw) => decode(raw.get(), "metadata.annotations"),
            None => Ok(Entries::default()),
        }
    }

    /// The owner with `controller: true`.
    pub(crate) fn controller(&self) -> Option<&OwnerReference<'a>> {
        present(&self.owner_references).find(|owner| owner.controller == Some(true))
    }
}

/// Text of the length of a name, and not empty.
fn name_like<'t>(text: Option<&'t str>, path: &str, what: &str) -> Result<Option<&'t str>, Fault> {
    match text {
        Some("") => Err(Fault::value(path, "\"\"", what)),
        Some(text) if text.len() > MAX_NAME => {
            Err(Fault::value(path, &format!("\"{text}\""), &format!("{what} of at most {MAX_NAME} bytes")))
        }
        text => Ok(text),
    }
}

/// Entries as a JSON object; none where there are none.
pub(crate) fn entries_json<V: Serialize>(entries: &Entries<'_, V>) -> Result<Option<Json>, Fault> {
    if entries.is_empty() {
        return Ok(None);
    }
    Json::of(entries).map(Some).map_err(|error| Fault(error.to_string()))
}

/// Items of typed lists have no kind; one that is there must be the right one.
pub(crate) fn expect_kind(written: &Option<Text<'_>>, kind: Kind) -> Result<(), Fault> {
    match text_of(written) {
        Some(word) if Kind::of_object(word) != Some(kind) => {
            Err(Fault::value("kind", &format!("\"{word}\""), &format!("an object of the list of {kind}")))
        }
        _ => Ok(()),
    }
}

/// A condition as written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(crate) struct WrittenCondition<'a> {
    #[serde(borrow)]
    pub(crate) r#type: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(default)]
    pub(crate) last_transition_time: Option<Moment>,
    #[serde(default)]
    pub(crate) last_update_time: Option<Moment>,
}

/// The condition of a type.
pub(crate) fn condition<'c, 'a>(
    conditions: &'c [Option<Object<WrittenCondition<'a>>>],
    wanted: &str,
) -> Option<&'c WrittenCondition<'a>> {
    present(conditions).find(|condition| condition.r#type.as_str() == wanted)
}

/// Conditions as rows hold them.
pub(crate) fn condition_rows(conditions: &[Option<Object<WrittenCondition<'_>>>]) -> Vec<Condition> {
    let row = |condition: &WrittenCondition<'_>| Condition {
        r#type: condition.r#type.as_str().to_owned(),
        status: owned(&condition.status),
        reason: owned(&condition.reason),
        message: owned(&condition.message),
        last_transition_time: condition.last_transition_time.map(|moment| moment.0),
    };
    present(conditions).map(row).collect()
}
