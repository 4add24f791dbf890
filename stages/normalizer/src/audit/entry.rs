//! The fields of both forms that are read, in one pass over the entry.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::outcome::Reject;
use super::text::Text;

/// One entry, of either form. Everything is optional: what is needed is decided where it is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Entry<'a> {
    // Cloud Logging
    #[serde(borrow)]
    pub(super) insert_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) log_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) receive_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) proto_payload: Option<ProtoPayload<'a>>,
    pub(super) text_payload: Option<IgnoredAny>,
    pub(super) json_payload: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) resource: Option<Resource<'a>>,
    #[serde(borrow)]
    pub(super) labels: Option<EntryLabels<'a>>,
    // audit.k8s.io
    #[serde(borrow)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) api_version: Option<Text<'a>>,
    #[serde(borrow, rename = "auditID")]
    pub(super) audit_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stage: Option<Text<'a>>,
    #[serde(borrow, rename = "requestURI")]
    pub(super) request_uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) verb: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user: Option<User<'a>>,
    #[serde(borrow)]
    pub(super) impersonated_user: Option<User<'a>>,
    #[serde(borrow)]
    pub(super) user_agent: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) object_ref: Option<ObjectRef<'a>>,
    pub(super) response_status: Option<Status>,
    #[serde(borrow)]
    pub(super) request_object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response_object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) request_received_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stage_timestamp: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProtoPayload<'a> {
    #[serde(borrow)]
    pub(super) method_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) resource_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) authentication_info: Option<AuthenticationInfo<'a>>,
    #[serde(borrow)]
    pub(super) request_metadata: Option<RequestMetadata<'a>>,
    pub(super) status: Option<Status>,
    #[serde(borrow)]
    pub(super) request: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AuthenticationInfo<'a> {
    #[serde(borrow)]
    pub(super) principal_email: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) principal_subject: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) authority_selector: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RequestMetadata<'a> {
    #[serde(borrow)]
    pub(super) caller_supplied_user_agent: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource<'a> {
    #[serde(borrow)]
    pub(super) labels: Option<ResourceLabels<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResourceLabels<'a> {
    #[serde(borrow)]
    pub(super) project_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) location: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) cluster_name: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EntryLabels<'a> {
    #[serde(borrow, rename = "command.gke.io/dryRun")]
    pub(super) dry_run: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User<'a> {
    #[serde(borrow)]
    pub(super) username: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ObjectRef<'a> {
    #[serde(borrow)]
    pub(super) resource: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) api_group: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) subresource: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: Option<i64>,
}

impl<'a> Entry<'a> {
    /// Reads an entry; an error names the field.
    pub(super) fn parse(entry: &'a [u8]) -> Result<Self, Reject> {
        parse(entry, "")
    }

    /// Whether it is a Cloud Logging entry, of whatever payload.
    pub(super) const fn is_cloud(&self) -> bool {
        self.proto_payload.is_some()
            || self.log_name.is_some()
            || self.insert_id.is_some()
            || self.text_payload.is_some()
            || self.json_payload.is_some()
    }
}

/// Reads JSON; only when that fails it is read again to find out which field is to blame.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8], place: &str) -> Result<T, Reject> {
    serde_json::from_slice(json).map_err(|error| {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let field = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(located) => located.path().to_string(),
            Ok(_) => String::new(),
        };
        let place = match (place.is_empty(), field.is_empty() || field == ".") {
            (true, _) => field,
            (false, true) => place.to_owned(),
            (false, false) => format!("{place}.{field}"),
        };
        Reject::malformed(&place, error)
    })
}

/// The text of an optional field, where it is there and not empty.
pub(super) fn filled<'t>(text: Option<&'t Text<'_>>) -> Option<&'t str> {
    text.map(Text::as_str).filter(|text| !text.is_empty())
}
