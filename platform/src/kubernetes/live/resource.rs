//! Where kinds are listed, and how a request for a page is written.

use std::fmt::Write as _;

use crate::ports::Kind;

/// Path of the server's version.
pub(super) const VERSION_PATH: &str = "/version";

/// One kind in one API version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ResourcePath {
    /// API group; empty for the core group.
    pub(super) group: &'static str,
    /// Its version.
    pub(super) version: &'static str,
    /// Plural name.
    pub(super) plural: &'static str,
    /// Whether its objects live in namespaces.
    pub(super) namespaced: bool,
}

const fn namespaced(group: &'static str, version: &'static str, plural: &'static str) -> ResourcePath {
    ResourcePath { group, version, plural, namespaced: true }
}

/// The API versions to try for a kind, the best one first.
pub(super) const fn versions(kind: Kind) -> &'static [ResourcePath] {
    const AUTOSCALERS: &str = Kind::HorizontalPodAutoscalers.name();
    match kind {
        Kind::Pods => const { &[namespaced("", "v1", Kind::Pods.name())] },
        Kind::Deployments => const { &[namespaced("apps", "v1", Kind::Deployments.name())] },
        Kind::ReplicaSets => const { &[namespaced("apps", "v1", Kind::ReplicaSets.name())] },
        Kind::HorizontalPodAutoscalers => {
            const {
                &[
                    namespaced("autoscaling", "v2", AUTOSCALERS),
                    namespaced("autoscaling", "v2beta2", AUTOSCALERS),
                    namespaced("autoscaling", "v1", AUTOSCALERS),
                ]
            }
        }
        Kind::Nodes => {
            const { &[ResourcePath { group: "", version: "v1", plural: Kind::Nodes.name(), namespaced: false }] }
        }
        Kind::Clusters | Kind::Documents | Kind::Collection(_) | Kind::Unreadable => &[],
    }
}

impl ResourcePath {
    /// The path of its list over all namespaces.
    pub(super) fn path(self) -> String {
        match self.group {
            "" => format!("/api/{}/{}", self.version, self.plural),
            group => format!("/apis/{group}/{}/{}", self.version, self.plural),
        }
    }

    /// A request for one page. It never says `resourceVersion`: the first page is the newest state,
    /// and a continue token fixes the version of all that follow.
    pub(super) fn page(self, limit: u32, excluded_namespaces: &[String], continue_token: Option<&str>) -> String {
        let mut uri = format!("{}?limit={limit}", self.path());
        if self.namespaced && !excluded_namespaces.is_empty() {
            let terms: Vec<_> = excluded_namespaces.iter().map(|name| format!("metadata.namespace!={name}")).collect();
            push_parameter(&mut uri, "fieldSelector", &terms.join(","));
        }
        if let Some(token) = continue_token {
            push_parameter(&mut uri, "continue", token);
        }
        uri
    }
}

/// Appends a query parameter, percent-encoded but for RFC 3986's unreserved characters.
fn push_parameter(uri: &mut String, name: &str, value: &str) {
    uri.push('&');
    uri.push_str(name);
    uri.push('=');
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            // Writing into a String cannot fail.
            _ => write!(uri, "%{byte:02X}").unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_excludes_namespaces_of_namespaced_kinds_only() {
        let excluded = ["kube-system".to_owned(), "default".to_owned()];
        let pods = versions(Kind::Pods)[0].page(500, &excluded, Some("a+/=b"));
        assert_eq!(
            pods,
            "/api/v1/pods?limit=500&fieldSelector=metadata.namespace%21%3Dkube-system%2Cmetadata.namespace%21%3Ddefault\
             &continue=a%2B%2F%3Db"
        );
        assert_eq!(versions(Kind::Nodes)[0].page(500, &excluded, None), "/api/v1/nodes?limit=500");
    }

    #[test]
    fn every_kind_with_a_list_has_a_path() {
        for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Clusters) {
            assert!(!versions(*kind).is_empty(), "{kind}");
        }
        assert_eq!(versions(Kind::Deployments)[0].path(), "/apis/apps/v1/deployments");
    }
}
