//! The keys of a list that matter.

use serde::Deserialize;

/// A key that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Kind,
    ApiVersion,
    Metadata,
    Items,
    Other,
}

impl Key {
    /// The key a JSON string spells, escapes resolved.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let spelled = |text: &[u8]| match text {
            b"kind" => Self::Kind,
            b"apiVersion" => Self::ApiVersion,
            b"metadata" => Self::Metadata,
            b"items" => Self::Items,
            _ => Self::Other,
        };
        if bytes.contains(&b'\\') {
            serde_json::from_slice::<String>(bytes).map_or(Self::Other, |text| spelled(text.as_bytes()))
        } else {
            spelled(bytes.get(1..bytes.len().saturating_sub(1)).unwrap_or_default())
        }
    }
}

/// `metadata` of a list.
#[derive(Deserialize)]
pub(super) struct ListMetadata {
    #[serde(rename = "resourceVersion")]
    pub(super) resource_version: Option<String>,
    #[serde(rename = "continue")]
    pub(super) continue_token: Option<String>,
}
