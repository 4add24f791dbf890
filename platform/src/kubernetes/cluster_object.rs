//! The one object of [`Kind::Clusters`](crate::ports::Kind::Clusters):
//! `{"gitVersion", "platform"}`, null where the source does not say; of a cluster that was found by its
//! name at Google `{"name", "project", "location"}` besides. Elsewhere the configured name is the
//! cluster's.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::gke::GkeName;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterObject<'a> {
    git_version: Option<&'a str>,
    platform: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
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

/// The object from what says a version, and its name at Google if it has one; none if only the
/// client's version is said.
pub(super) fn from_version(version: &[u8], at_google: Option<&GkeName>) -> Result<Option<Bytes>, String> {
    let version: Version = serde_json::from_slice(version).map_err(|error| format!("it is no version: {error}"))?;
    match (&version.server_version, &version.client_version) {
        (Some(server), _) => write(server, at_google).map(Some),
        (None, Some(_)) => Ok(None),
        (None, None) => write(&version, at_google).map(Some),
    }
}

/// The object of a cluster that says nothing of itself.
pub(super) fn unknown() -> Bytes {
    Bytes::from_static(br#"{"gitVersion":null,"platform":null}"#)
}

fn write(version: &Version, at_google: Option<&GkeName>) -> Result<Bytes, String> {
    let object = ClusterObject {
        git_version: version.git_version.as_deref(),
        platform: version.platform.as_deref(),
        name: at_google.map(|name| name.cluster.as_str()),
        project: at_google.map(|name| name.project.as_str()),
        location: at_google.map(|name| name.location.as_str()),
    };
    serde_json::to_vec(&object).map(Bytes::from).map_err(|error| format!("it cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_version_is_taken_and_the_clients_is_not() {
        let printed = br#"{"clientVersion":{"gitVersion":"v1.33.0"},"serverVersion":{"gitVersion":"v1.31.2","platform":"linux/amd64"}}"#;
        let expected = br#"{"gitVersion":"v1.31.2","platform":"linux/amd64"}"#;
        let read = |version: &[u8]| from_version(version, None);
        assert_eq!(read(printed).unwrap().unwrap(), expected[..]);
        assert_eq!(read(br#"{"clientVersion":{"gitVersion":"v1.33.0"}}"#).unwrap(), None);
        assert_eq!(read(br#"{"major":"1"}"#).unwrap(), Some(unknown()));
        assert!(read(b"<html>").is_err());
    }
}
