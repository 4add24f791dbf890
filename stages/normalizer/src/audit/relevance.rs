//! Entries that cannot be read, and need not be.

use serde::Deserialize;

use super::cloud::Method;
use super::entry::filled;
use super::outcome::{Outcome, Skip};
use super::target::Target;
use super::text::Text;

/// What an entry is about, and nothing else.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct About<'a> {
    #[serde(borrow)]
    proto_payload: Option<Payload<'a>>,
    #[serde(borrow)]
    object_ref: Option<ObjectRef<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload<'a> {
    #[serde(borrow)]
    method_name: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef<'a> {
    #[serde(borrow)]
    resource: Option<Text<'a>>,
    #[serde(borrow)]
    api_group: Option<Text<'a>>,
}

/// Why an entry with a field of an unexpected type is no loss: other services and resources have
/// shapes of their own, and nothing of theirs is followed.
pub(super) fn why_irrelevant(entry: &[u8]) -> Option<Skip> {
    let about: About<'_> = serde_json::from_slice(entry).ok()?;
    let target = match (&about.proto_payload, &about.object_ref) {
        (Some(payload), _) => {
            let method = Method::parse(filled(payload.method_name.as_ref())?);
            method.and_then(|method| Ok(Target::of_resource(method.group, method.resource)?))
        }
        (None, Some(object)) => {
            let group = filled(object.api_group.as_ref()).unwrap_or("");
            Target::of_resource(group, filled(object.resource.as_ref())?).map_err(Outcome::from)
        }
        (None, None) => return None,
    };
    match target {
        Err(Outcome::Skip(skip)) => Some(skip),
        _ => None,
    }
}
