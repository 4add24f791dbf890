//! The one object of [`Kind::Clusters`](crate::ports::Kind::Clusters):
//! `{"gitVersion", "platform"}`, null where the source does not say. No source here knows a name
//! of its own; the configured one is the cluster's.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterObject<'a> {
    git_version: Option<&'a str>,
    platform: Option<&'a str>,
}

/// A version as the API server's `/version` gives it, or as `kubectl version` prints it: there the
/// server's is one of two, and the client's is not the cluster's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: Option<String>,
    platform: Option<String>,
    server_version: Option<Box<Version>>,
    client_version: Option<serde::de::IgnoredAny>,
}

/// The object from what says a version; none if it says only the client's.
pub(super) fn from_version(version: &[u8]) -> Result<Option<Bytes>, String> {
    let version: Version = serde_json::from_slice(version).map_err(|error| format!("it is no version: {error}"))?;
    match (&version.server_version, &version.client_version) {
        (Some(server), _) => write(server).map(Some),
        (None, Some(_)) => Ok(None),
        (None, None) => write(&version).map(Some),
    }
}

/// The object of a cluster that says nothing of itself.
pub(super) fn unknown() -> Bytes {
    Bytes::from_static(br#"{"gitVersion":null,"platform":null}"#)
}

fn write(version: &Version) -> Result<Bytes, String> {
    let (git_version, platform) = (version.git_version.as_deref(), version.platform.as_deref());
    serde_json::to_vec(&ClusterObject { git_version, platform })
        .map(Bytes::from)
        .map_err(|error| format!("it cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_version_is_taken_and_the_clients_is_not() {
        let printed = br#"{"clientVersion":{"gitVersion":"v1.33.0"},"serverVersion":{"gitVersion":"v1.31.2","platform":"linux/amd64"}}"#;
        let expected = br#"{"gitVersion":"v1.31.2","platform":"linux/amd64"}"#;
        assert_eq!(from_version(printed).unwrap().unwrap(), expected[..]);
        assert_eq!(from_version(br#"{"clientVersion":{"gitVersion":"v1.33.0"}}"#).unwrap(), None);
        assert_eq!(from_version(br#"{"major":"1"}"#).unwrap(), Some(unknown()));
        assert!(from_version(b"<html>").is_err());
    }
}
