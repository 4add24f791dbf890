//! The one object of [`Kind::Clusters`](crate::ports::Kind::Clusters):
//! `{"name"?, "gitVersion", "platform"}`, null where the source does not say.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    git_version: Option<&'a str>,
    platform: Option<&'a str>,
}

/// A version as the API server's `/version` gives it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: Option<String>,
    platform: Option<String>,
}

/// What `kubectl version -o json` prints; the client's own version is not the cluster's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    server_version: Option<Version>,
}

/// The object from an answer of `/version`.
pub(super) fn from_version(name: Option<&str>, version: &[u8]) -> Result<Bytes, String> {
    let version: Version = serde_json::from_slice(version).map_err(|error| format!("it is no version: {error}"))?;
    write(name, version.git_version.as_deref(), version.platform.as_deref())
}

/// The object from what `kubectl version` printed; none if no server had answered it.
pub(super) fn from_versions(versions: &[u8]) -> Result<Option<Bytes>, String> {
    let versions: Versions = serde_json::from_slice(versions).map_err(|error| format!("it is no version: {error}"))?;
    match versions.server_version {
        Some(version) => write(None, version.git_version.as_deref(), version.platform.as_deref()).map(Some),
        None => Ok(None),
    }
}

/// The object of a cluster that says nothing of itself.
pub(super) fn unknown() -> Bytes {
    Bytes::from_static(br#"{"gitVersion":null,"platform":null}"#)
}

/// The object of known parts.
pub(super) fn write(name: Option<&str>, git_version: Option<&str>, platform: Option<&str>) -> Result<Bytes, String> {
    serde_json::to_vec(&ClusterObject { name, git_version, platform })
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
        assert_eq!(from_versions(printed).unwrap().unwrap(), expected[..]);
        assert_eq!(from_versions(br#"{"clientVersion":{"gitVersion":"v1.33.0"}}"#).unwrap(), None);
        assert_eq!(from_version(None, br#"{"major":"1"}"#).unwrap(), unknown());
        assert!(from_version(None, b"<html>").is_err());
    }
}
