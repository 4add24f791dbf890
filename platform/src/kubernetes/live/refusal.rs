//! What an answer other than 200 means for a listing.

use anyhow::anyhow;
use http::StatusCode;
use serde::Deserialize;

use super::resource::ResourcePath;
use crate::ports::{ClusterError, Kind};

/// Longest text of a server's own that is passed on, in characters.
const MESSAGE_BOUND: usize = 500;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// A page of a list.
    List(ResourcePath),
    /// A path that is no resource.
    Path(&'static str),
}

/// The part of a `Status` that is of use.
#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    message: String,
}

/// The error that a status code and its body stand for.
pub(super) fn of_status(kind: Kind, asked: Asked, status: StatusCode, body: &[u8]) -> ClusterError {
    let said = message(body);
    let refused = |reason: String| ClusterError::Refused { kind, reason };
    match status {
        StatusCode::GONE => ClusterError::Expired { kind },
        StatusCode::UNAUTHORIZED => refused(format!("the API server does not accept the credentials (401{said})")),
        StatusCode::FORBIDDEN => refused(format!("{}{said}", missing_permission(asked))),
        StatusCode::NOT_FOUND => refused(format!("the API server does not serve {} (404{said})", asked.name())),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => unavailable(kind, status, &said),
        _ if status.is_client_error() => refused(format!("the API server refused the request ({status}{said})")),
        _ => unavailable(kind, status, &said),
    }
}

fn unavailable(kind: Kind, status: StatusCode, said: &str) -> ClusterError {
    ClusterError::Unavailable { kind, source: anyhow!("the API server answered {status}{said}") }
}

impl Asked {
    fn name(self) -> String {
        match self {
            Self::List(path) if path.group.is_empty() => format!("{} in {}", path.plural, path.version),
            Self::List(path) => format!("{} in {}/{}", path.plural, path.group, path.version),
            Self::Path(path) => path.to_owned(),
        }
    }
}

/// Which permission is missing, and the rule that gives it.
fn missing_permission(asked: Asked) -> String {
    match asked {
        Asked::List(path) => {
            let group = if path.group.is_empty() { "the core group" } else { path.group };
            format!(
                "permission to list {resource} in {group} is missing; a ClusterRole gives it with the rule \
                 {{apiGroups: [\"{api_group}\"], resources: [\"{resource}\"], verbs: [\"list\"]}}",
                resource = path.plural,
                api_group = path.group,
            )
        }
        Asked::Path(path) => format!(
            "permission to get {path} is missing; a ClusterRole gives it with the rule \
             {{nonResourceURLs: [\"{path}\"], verbs: [\"get\"]}}"
        ),
    }
}

/// What the server said, on one line, to append; empty if nothing.
fn message(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Status>(body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let line: Vec<_> = text.split_whitespace().collect();
    let line: String = line.join(" ").chars().filter(|c| !c.is_control()).take(MESSAGE_BOUND).collect();
    if line.is_empty() { line } else { format!("; it says: {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> ClusterError {
        let path = ResourcePath { group: "apps", version: "v1", plural: "deployments", namespaced: true };
        of_status(Kind::Deployments, Asked::List(path), StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn a_missing_permission_is_named_with_the_rule_that_gives_it() {
        let error = told(403, r#"{"kind":"Status","message":"deployments is forbidden","code":403}"#).to_string();
        for part in [
            "permission to list deployments in apps is missing",
            r#"{apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"]}"#,
            "deployments is forbidden",
        ] {
            assert!(error.contains(part), "{error}");
        }
        let version = of_status(Kind::Clusters, Asked::Path("/version"), StatusCode::FORBIDDEN, b"").to_string();
        assert!(version.contains(r#"nonResourceURLs: ["/version"]"#), "{version}");
    }

    #[test]
    fn each_status_means_what_can_be_done_about_it() {
        for (status, expected) in [
            (410, "expired"),
            (401, "refused"),
            (403, "refused"),
            (404, "refused"),
            (422, "refused"),
            (408, "unavailable"),
            (429, "unavailable"),
            (500, "unavailable"),
            (503, "unavailable"),
            (302, "unavailable"),
        ] {
            let found = match told(status, "<html>\u{7}oops</html>") {
                ClusterError::Expired { .. } => "expired",
                ClusterError::Refused { .. } => "refused",
                ClusterError::Unavailable { .. } => "unavailable",
            };
            assert_eq!(found, expected, "{status}");
        }
    }

    #[test]
    fn a_long_page_of_a_proxy_is_cut() {
        assert!(told(500, &"x y\n".repeat(10_000)).to_string().len() < 1000);
    }
}
