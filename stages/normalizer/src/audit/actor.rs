//! Who made a call.

use schemas::ActorKind;

use super::AuditContext;

/// What the names of service accounts of a cluster begin with.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
/// What the e-mail addresses of Google service accounts end with.
const GOOGLE_SERVICE_ACCOUNT: &str = ".gserviceaccount.com";
/// The autoscaler's service account.
const AUTOSCALER: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
/// Where the controllers' service accounts are.
const CONTROLLERS_NAMESPACE: &str = "system:serviceaccount:kube-system:";

/// The controllers of kube-controller-manager that write objects with replica numbers, or delete
/// them. The list is closed: a service account that merely calls itself a controller is none.
const CONTROLLERS: &[&str] = &[
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoint-controller",
    "generic-garbage-collector",
    "job-controller",
    "namespace-controller",
    "node-controller",
    "pod-garbage-collector",
    "replicaset-controller",
    "replication-controller",
    "resourcequota-controller",
    "service-account-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "ttl-controller",
];

/// Users of the control plane itself.
const CONTROL_PLANE: &[&str] =
    &["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", "system:cloud-controller-manager"];

/// What kind of actor a user name is.
pub(super) fn kind(actor: &str, context: &AuditContext) -> ActorKind {
    if context.pipelines.contains(actor) {
        ActorKind::Pipeline
    } else if actor == AUTOSCALER {
        ActorKind::Autoscaler
    } else if CONTROL_PLANE.contains(&actor)
        || actor.strip_prefix(CONTROLLERS_NAMESPACE).is_some_and(|name| CONTROLLERS.contains(&name))
    {
        ActorKind::Controller
    } else if actor.starts_with(SERVICE_ACCOUNT) || is_google_service_account(actor) {
        ActorKind::ServiceAccount
    } else if actor.is_empty() || actor.starts_with("system:") {
        // Not logged, anonymous, or a component that nobody vouches for.
        ActorKind::Unknown
    } else {
        ActorKind::Person
    }
}

/// Service accounts of Google Cloud, and workloads of other clouds that stand for one
/// (<https://cloud.google.com/iam/docs/principal-identifiers>).
fn is_google_service_account(actor: &str) -> bool {
    let federated = actor.starts_with("principal://") || actor.starts_with("principalSet://");
    actor.ends_with(GOOGLE_SERVICE_ACCOUNT) || (federated && actor.contains("/workloadIdentityPools/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_known_by_its_name() {
        let context =
            AuditContext::new(schemas::ClusterName::from("c")).with_pipeline("system:serviceaccount:ci:deployer");
        let table = [
            ("system:serviceaccount:kube-system:horizontal-pod-autoscaler", ActorKind::Autoscaler),
            ("system:serviceaccount:kube-system:deployment-controller", ActorKind::Controller),
            ("system:serviceaccount:kube-system:generic-garbage-collector", ActorKind::Controller),
            ("system:serviceaccount:kube-system:my-own-controller", ActorKind::ServiceAccount),
            ("system:serviceaccount:shop:deployment-controller", ActorKind::ServiceAccount),
            ("system:kube-controller-manager", ActorKind::Controller),
            ("system:serviceaccount:ci:deployer", ActorKind::Pipeline),
            ("system:serviceaccount:ci:other", ActorKind::ServiceAccount),
            ("deployer@prod.iam.gserviceaccount.com", ActorKind::ServiceAccount),
            ("1234-compute@developer.gserviceaccount.com", ActorKind::ServiceAccount),
            (
                "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/subject/repo",
                ActorKind::ServiceAccount,
            ),
            ("principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/alice", ActorKind::Person),
            ("alice@example.com", ActorKind::Person),
            ("kubernetes-admin", ActorKind::Person),
            ("system:anonymous", ActorKind::Unknown),
            ("system:something", ActorKind::Unknown),
            ("", ActorKind::Unknown),
        ];
        for (actor, expected) in table {
            assert_eq!(kind(actor, &context), expected, "{actor}");
        }
    }
}
