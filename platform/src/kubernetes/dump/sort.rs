//! What an object in a dump is.

use crate::kubernetes::head::ObjectHead;
use crate::kubernetes::splitter::ListHead;
use crate::ports::Kind;

/// What an object is to a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sort {
    /// An object of a kind that snapshots take, and its API version if anything says it.
    Collected(Kind, Option<String>),
    /// An audit entry: of Cloud Logging, or of an API server.
    Audit,
    /// A list within a list.
    List,
    /// What says the cluster's version.
    Version,
    /// A declaration of ours: no object of a cluster.
    Declaration,
    /// Of a kind nobody collects.
    Uncollected(String),
    /// It does not say its kind, and neither does its list.
    Kindless,
}

/// Sorts an object by what it says of itself, and where it says nothing by what its list says.
pub(super) fn sort(head: &ObjectHead, list: &ListHead) -> Sort {
    let api_version = head.api_version.as_deref().or(list.api_version.as_deref()).unwrap_or_default();
    if api_version.starts_with("podledger/") {
        return Sort::Declaration;
    }
    let kind = head.kind.as_deref().or_else(|| item_kind(list));
    let Some(kind) = kind else {
        return match head {
            ObjectHead { proto_payload: true, .. } => Sort::Audit,
            ObjectHead { log_name: true, .. } => Sort::Uncollected("LogEntry".to_owned()),
            ObjectHead { versions: true, .. } | ObjectHead { git_version: true, .. } => Sort::Version,
            _ => Sort::Kindless,
        };
    };
    if kind.ends_with("List") && head.items {
        return Sort::List;
    }
    if kind == "Event" && api_version.starts_with("audit.k8s.io/") {
        return Sort::Audit;
    }
    match Kind::of_object(kind) {
        Some(collected) if is_its_group(collected, api_version) => {
            Sort::Collected(collected, (!api_version.is_empty()).then(|| api_version.to_owned()))
        }
        _ if api_version.is_empty() => Sort::Uncollected(kind.to_owned()),
        _ => Sort::Uncollected(format!("{api_version} {kind}")),
    }
}

/// The kind of a typed list's items.
pub(super) fn item_kind(list: &ListHead) -> Option<&str> {
    list.kind.as_deref()?.strip_suffix("List").filter(|kind| !kind.is_empty())
}

/// Whether an API version is of a group that has objects of a kind; one that nothing says counts as
/// the right one. Other API groups have kinds of the same names (`Node` of `longhorn.io`); those are
/// other things.
pub fn is_its_group(kind: Kind, api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match kind {
        _ if api_version.is_empty() => true,
        Kind::Pods | Kind::Nodes => group.is_empty(),
        Kind::Deployments | Kind::ReplicaSets => matches!(group, "apps" | "extensions"),
        Kind::HorizontalPodAutoscalers => group == "autoscaling" || group == "extensions",
        Kind::Clusters | Kind::Documents | Kind::Collection(_) | Kind::Unreadable => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(object: &str, list_kind: Option<&str>) -> Sort {
        let list = ListHead { kind: list_kind.map(str::to_owned), ..ListHead::default() };
        sort(&ObjectHead::read(object.as_bytes()).unwrap(), &list)
    }

    #[test]
    fn objects_are_told_apart() {
        let collected = |kind, version: &str| Sort::Collected(kind, Some(version.to_owned()));
        for (object, list, expected) in [
            (r#"{"kind":"Pod","apiVersion":"v1"}"#, None, collected(Kind::Pods, "v1")),
            (r#"{"metadata":{}}"#, Some("PodList"), Sort::Collected(Kind::Pods, None)),
            (r#"{"metadata":{}}"#, Some("List"), Sort::Kindless),
            (
                r#"{"kind":"Deployment","apiVersion":"extensions/v1beta1"}"#,
                None,
                collected(Kind::Deployments, "extensions/v1beta1"),
            ),
            (
                r#"{"kind":"Node","apiVersion":"longhorn.io/v1beta2"}"#,
                None,
                Sort::Uncollected("longhorn.io/v1beta2 Node".to_owned()),
            ),
            (r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1"}"#, None, Sort::Audit),
            (r#"{"kind":"Event","apiVersion":"v1"}"#, None, Sort::Uncollected("v1 Event".to_owned())),
            (r#"{"protoPayload":{},"logName":"x"}"#, None, Sort::Audit),
            (r#"{"kind":"ReplicaLimit","apiVersion":"podledger/v1"}"#, None, Sort::Declaration),
            (r#"{"clientVersion":{},"serverVersion":{}}"#, None, Sort::Version),
            (r#"{"kind":"PodList","items":[]}"#, Some("List"), Sort::List),
            (r#"{"a":1}"#, None, Sort::Kindless),
        ] {
            assert_eq!(sorted(object, list), expected, "{object}");
        }
    }
}
