//! Cloud Logging entries as calls.

use super::call::{Call, ClusterLabels, Logged, Verb, part};
use super::entry::{Entry, filled};
use super::outcome::{Outcome, Reject, Skip, shown};
use super::target::Target;

/// What methods of the Kubernetes API's own groups begin with.
const KUBERNETES_METHODS: &str = "io.k8s.";

/// The call a log entry tells of.
pub(super) fn call<'a>(entry: &'a Entry<'a>) -> Result<Call<'a>, Outcome> {
    let payload = entry.proto_payload.as_ref().ok_or(Skip::NotAnAuditEntry)?;
    let method = filled(payload.method_name.as_ref()).ok_or(Reject::Missing { what: "protoPayload.methodName" })?;
    let method = Method::parse(method)?;
    let target = Target::of_resource(method.group, method.resource)?;
    let verb = Verb::of(method.verb)?;
    let part = part(target, method.subresource)?;
    let code = payload.status.as_ref().map(|status| status.code.unwrap_or(0));
    if let Some(code) = code.filter(|code| *code != 0) {
        return Err(Skip::Failed { code }.into());
    }
    if let Some(label) = entry.labels.as_ref().and_then(|labels| labels.dry_run)
        && super::body::asks_for_dry_run(label)
    {
        return Err(Skip::DryRun.into());
    }
    let (namespace, name) = place(filled(payload.resource_name.as_ref()).unwrap_or(""), method.resource);
    let who = payload.authentication_info.as_ref();
    let labels = entry.resource.as_ref().and_then(|resource| resource.labels.as_ref());
    Ok(Call {
        entry_id: filled(entry.insert_id.as_ref()),
        occurred_at: filled(entry.timestamp.as_ref()).or_else(|| filled(entry.receive_timestamp.as_ref())),
        cluster: labels.map_or_else(ClusterLabels::default, |labels| ClusterLabels {
            project: filled(labels.project_id.as_ref()),
            location: filled(labels.location.as_ref()),
            name: filled(labels.cluster_name.as_ref()),
        }),
        target,
        part,
        verb,
        namespace,
        name,
        request: Logged::of("protoPayload.request", payload.request),
        response: Logged::of("protoPayload.response", payload.response),
        code,
        actor: who
            .and_then(|who| filled(who.principal_email.as_ref()).or_else(|| filled(who.principal_subject.as_ref())))
            .unwrap_or(""),
        on_behalf_of: who.and_then(|who| filled(who.authority_selector.as_ref())),
        user_agent: payload
            .request_metadata
            .as_ref()
            .and_then(|metadata| filled(metadata.caller_supplied_user_agent.as_ref())),
    })
}

/// A method taken apart: `io.k8s.GROUP.VERSION.RESOURCE[.SUBRESOURCE].VERB`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Method<'a> {
    pub(super) group: &'a str,
    pub(super) resource: &'a str,
    subresource: &'a str,
    verb: &'a str,
}

impl<'a> Method<'a> {
    /// Takes a method apart.
    pub(super) fn parse(method: &'a str) -> Result<Self, Outcome> {
        let broken = || Reject::Method { method: shown(method) };
        let call =
            method.strip_prefix(KUBERNETES_METHODS).ok_or_else(|| Skip::OtherService { method: shown(method) })?;
        // The group may have dots of its own; the version is the first part that looks like one.
        let mut start = 0;
        let mut version = None;
        for part in call.split('.') {
            if start > 0 && is_version(part) {
                version = Some((start, part.len()));
                break;
            }
            start += part.len() + 1;
        }
        let (at, length) = version.ok_or_else(broken)?;
        let group = &call[..at - 1];
        let rest = call.get(at + length + 1..).ok_or_else(broken)?;
        let (objects, verb) = rest.rsplit_once('.').ok_or_else(broken)?;
        let (resource, subresource) = objects.split_once('.').unwrap_or((objects, ""));
        if resource.is_empty() || verb.is_empty() {
            return Err(broken().into());
        }
        Ok(Self { group, resource, subresource, verb })
    }
}

/// Whether a part of a method is an API version: `v1`, `v2beta1`.
fn is_version(part: &str) -> bool {
    let mut rest = part.bytes();
    rest.next() == Some(b'v') && rest.next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Namespace and name in a resource name: `GROUP/VERSION/namespaces/NAMESPACE/RESOURCE[/NAME…]`.
fn place<'a>(resource_name: &'a str, resource: &str) -> (Option<&'a str>, Option<&'a str>) {
    let mut parts = resource_name.split('/').skip_while(|part| *part != "namespaces");
    let namespace = parts.nth(1).filter(|namespace| !namespace.is_empty());
    let name = match parts.next() {
        Some(found) if found == resource => parts.next().filter(|name| !name.is_empty()),
        _ => None,
    };
    (namespace, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_taken_apart_whatever_its_group() {
        let scale = Method::parse("io.k8s.apps.v1.deployments.scale.update").unwrap();
        assert_eq!(scale, Method { group: "apps", resource: "deployments", subresource: "scale", verb: "update" });
        let hpa = Method::parse("io.k8s.autoscaling.v2beta2.horizontalpodautoscalers.patch").unwrap();
        assert_eq!((hpa.group, hpa.subresource, hpa.verb), ("autoscaling", "", "patch"));
        let dotted = Method::parse("io.k8s.rbac.authorization.v1.clusterroles.create").unwrap();
        assert_eq!((dotted.group, dotted.resource), ("rbac.authorization", "clusterroles"));
    }

    #[test]
    fn what_is_no_method_of_kubernetes_is_said_to_be_none() {
        for method in ["google.container.v1.ClusterManager.CreateCluster", "v2.deploymentmanager.deployments.insert"] {
            assert!(matches!(Method::parse(method), Err(Outcome::Skip(Skip::OtherService { .. }))), "{method}");
        }
        for method in [
            "io.k8s.",
            "io.k8s.apps",
            "io.k8s.apps.v1",
            "io.k8s.apps.v1.",
            "io.k8s.apps.v1.deployments",
            "io.k8s.v1.a.b",
            "io.k8s.apps.v1..patch",
        ] {
            assert!(matches!(Method::parse(method), Err(Outcome::Reject(Reject::Method { .. }))), "{method}");
        }
    }

    #[test]
    fn namespace_and_name_come_from_the_resource_name() {
        let at = |name| place(name, "deployments");
        assert_eq!(at("apps/v1/namespaces/shop/deployments/web/scale"), (Some("shop"), Some("web")));
        assert_eq!(at("apps/v1/namespaces/shop/deployments"), (Some("shop"), None));
        assert_eq!(
            at("apps/v1/namespaces/namespaces/deployments/deployments"),
            (Some("namespaces"), Some("deployments"))
        );
        assert_eq!(at("apps/v1/deployments"), (None, None));
        assert_eq!(at(""), (None, None));
    }
}
