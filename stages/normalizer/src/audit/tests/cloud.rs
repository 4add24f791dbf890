//! Cloud Logging entries.

use schemas::{ActorKind, ClusterName};
use serde_json::{Value, json};

use super::super::{NumberKey, Outcome, Reject, Skip, Target, decode};
use super::{context, decoded, lines};

/// An entry of a Deployment's scale, as GKE writes them.
pub(super) fn scale_entry() -> Value {
    json!({
        "insertId": "5f0c1a52-77c1-4f3e-9e0e-1b2c3d4e5f60",
        "logName": "projects/acme-prod/logs/cloudaudit.googleapis.com%2Factivity",
        "operation": {"first": true, "id": "5f0c1a52-77c1-4f3e-9e0e-1b2c3d4e5f60", "last": true, "producer": "k8s.io"},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalEmail": "alice@example.com"},
            "authorizationInfo": [{
                "granted": true,
                "permission": "io.k8s.apps.v1.deployments.scale.update",
                "resource": "apps/v1/namespaces/payments/deployments/orders-api/scale"
            }],
            "methodName": "io.k8s.apps.v1.deployments.scale.update",
            "request": {
                "@type": "autoscaling.k8s.io/v1.Scale", "apiVersion": "autoscaling/v1", "kind": "Scale",
                "metadata": {"name": "orders-api", "namespace": "payments"}, "spec": {"replicas": 6}
            },
            "requestMetadata": {"callerIp": "203.0.113.7", "callerSuppliedUserAgent": "kubectl/v1.33.1"},
            "resourceName": "apps/v1/namespaces/payments/deployments/orders-api/scale",
            "response": {
                "@type": "autoscaling.k8s.io/v1.Scale", "apiVersion": "autoscaling/v1", "kind": "Scale",
                "metadata": {"name": "orders-api", "namespace": "payments"},
                "spec": {"replicas": 6}, "status": {"replicas": 3}
            },
            "serviceName": "k8s.io",
            "status": {"code": 0}
        },
        "receiveTimestamp": "2026-10-05T09:12:01.123456789Z",
        "resource": {
            "labels": {"cluster_name": "gke-prod", "location": "europe-west2", "project_id": "acme-prod"},
            "type": "k8s_cluster"
        },
        "timestamp": "2026-10-05T09:12:00.987654321Z"
    })
}

/// The entry with one field set.
fn with(pointer: &str, value: Value) -> Value {
    let mut entry = scale_entry();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    entry.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.replace("~1", "/"), value);
    entry
}

/// The entry with one field taken away.
fn without(pointer: &str) -> Value {
    let mut entry = scale_entry();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    entry.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    entry
}

#[test]
fn a_scale_in_the_log_is_a_change_of_the_deployment() {
    let changes = decoded(&scale_entry()).unwrap();
    assert_eq!(changes.len(), 1);
    let change = &changes[0];
    assert_eq!((change.old_value, change.new_value), (None, Some(6)));
    assert_eq!(change.cluster.as_str(), "gke-prod");
    assert_eq!((change.namespace.as_str(), change.target_name.as_str()), ("payments", "orders-api"));
    assert_eq!(change.deployment_name.as_deref(), Some("orders-api"));
    assert_eq!((change.verb.as_str(), change.actor.as_str()), ("update", "alice@example.com"));
    assert_eq!(change.user_agent.as_deref(), Some("kubectl/v1.33.1"));
    assert_eq!(change.occurred_at.to_string(), "2026-10-05T09:12:00.987654Z");
    assert_eq!(change.code, Some(0));
}

#[test]
fn clusters_have_configured_names_by_their_full_name_first() {
    let entry = scale_entry().to_string();
    let named = context().with_cluster("gke-prod", ClusterName::from("short"));
    assert_eq!(decode(entry.as_bytes(), &named).unwrap()[0].cluster.as_str(), "short");
    let full = named.with_cluster("acme-prod/europe-west2/gke-prod", ClusterName::from("prod-uk"));
    assert_eq!(decode(entry.as_bytes(), &full).unwrap()[0].cluster.as_str(), "prod-uk");
}

#[test]
fn an_entry_without_cluster_is_of_the_default_one_and_a_bad_name_is_refused() {
    assert_eq!(decoded(&without("/resource/labels")).unwrap()[0].cluster.as_str(), "test");
    let bad = decoded(&with("/resource/labels/cluster_name", json!("../x")));
    assert!(matches!(bad, Err(Outcome::Reject(Reject::Cluster(_)))));
}

#[test]
fn what_was_not_done_is_no_change() {
    let table = [
        (
            with("/protoPayload/status", json!({"code": 10, "message": "aborted"})),
            "skip: the call failed with status code 10",
        ),
        (
            with(
                "/protoPayload/response",
                json!({"@type": "core.k8s.io/v1.Status", "status": "Failure", "reason": "Conflict"}),
            ),
            "skip: the call failed: its response is a Status with Conflict",
        ),
        (with("/labels", json!({"command.gke.io/dryRun": "All"})), "skip: the call was a dry run"),
        (with("/protoPayload/request/dryRun", json!(["All"])), "skip: the call was a dry run"),
        (with("/protoPayload/request/dryRun", json!("All")), "skip: the call was a dry run"),
        (
            with("/protoPayload/methodName", json!("io.k8s.apps.v1.deployments.status.patch")),
            "skip: a write of the status changes no wish",
        ),
        (
            with("/protoPayload/methodName", json!("io.k8s.apps.v1.replicasets.scale.update")),
            "skip: replicasets follow their deployment: only the deployment's own replicas are followed",
        ),
        (
            with("/protoPayload/methodName", json!("io.k8s.core.v1.pods.create")),
            "skip: pods are not a resource whose replica numbers are followed",
        ),
        (
            with("/protoPayload/methodName", json!("io.k8s.batch.v1.cronjobs.update")),
            "skip: cronjobs.batch are not a resource whose replica numbers are followed",
        ),
        (with("/protoPayload/methodName", json!("io.k8s.apps.v1.deployments.list")), "skip: verb list only reads"),
        (
            with("/protoPayload/methodName", json!("io.k8s.extensions.v1beta1.deployments.rollback.create")),
            "skip: subresource rollback holds no replica numbers",
        ),
        (
            with("/protoPayload/methodName", json!("google.container.v1.ClusterManager.SetNodePoolSize")),
            "skip: method google.container.v1.ClusterManager.SetNodePoolSize is not a call of the Kubernetes API's own groups",
        ),
        (without("/protoPayload"), "skip: the log entry has no protoPayload: it is not an audit entry"),
    ];
    for (entry, expected) in table {
        assert_eq!(lines(&decoded(&entry)), [expected]);
    }
}

#[test]
fn what_says_no_to_a_dry_run_is_done() {
    for entry in [
        with("/labels", json!({"command.gke.io/dryRun": ""})),
        with("/protoPayload/request/dryRun", json!([])),
        with("/labels", json!({"authorization.k8s.io/decision": "allow"})),
    ] {
        assert_eq!(lines(&decoded(&entry)), ["replicas ?→6"]);
    }
}

#[test]
fn a_scale_without_the_number_means_zero() {
    let mut entry = scale_entry();
    for body in ["request", "response"] {
        entry["protoPayload"][body]["spec"] = json!({});
    }
    assert_eq!(lines(&decoded(&entry)), ["replicas ?→0"]);
    let mut logged_request_only = entry.clone();
    logged_request_only["protoPayload"].as_object_mut().unwrap().remove("response");
    assert_eq!(lines(&decoded(&logged_request_only)), ["replicas ?→0"]);
}

#[test]
fn an_entry_over_the_logs_size_limit_is_a_change_of_unknown_value() {
    let mut entry = scale_entry();
    let payload = entry["protoPayload"].as_object_mut().unwrap();
    payload.remove("request");
    payload.remove("response");
    assert_eq!(lines(&decoded(&entry)), ["replicas ?→?"]);
    entry["protoPayload"]["methodName"] = json!("io.k8s.autoscaling.v2.horizontalpodautoscalers.patch");
    entry["protoPayload"]["resourceName"] = json!("autoscaling/v2/namespaces/payments/horizontalpodautoscalers/orders");
    assert_eq!(lines(&decoded(&entry)), ["max_replicas ?→?"]);
}

#[test]
fn without_the_request_only_a_patch_leaves_open_what_was_set() {
    assert_eq!(lines(&decoded(&without("/protoPayload/request"))), ["replicas ?→6"]);
    let mut patch = without("/protoPayload/request");
    patch["protoPayload"]["methodName"] = json!("io.k8s.apps.v1.deployments.patch");
    patch["protoPayload"]["response"]["kind"] = json!("Deployment");
    let expected = "skip: the patch is not logged, and the response alone does not tell whether it set spec.replicas";
    assert_eq!(lines(&decoded(&patch)), [expected]);
}

#[test]
fn a_known_value_tells_old_from_new_and_a_patch_of_the_image_from_a_change() {
    let known = |value| {
        let mut context = context();
        let key = NumberKey {
            cluster: ClusterName::from("gke-prod"),
            namespace: "payments".to_owned(),
            target: Target::Deployment,
            name: "orders-api".to_owned(),
            field: schemas::ReplicaField::Replicas,
        };
        context.last_known.set(key, value);
        context
    };
    let entry = scale_entry().to_string();
    assert_eq!(lines(&decode(entry.as_bytes(), &known(3))), ["replicas 3→6"]);
    assert_eq!(lines(&decode(entry.as_bytes(), &known(6))), ["skip: replicas was 6 before and after"]);

    let mut image = scale_entry();
    image["protoPayload"]["methodName"] = json!("io.k8s.apps.v1.deployments.patch");
    image["protoPayload"]["request"] =
        json!({"@type": "k8s.io/Patch", "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "b"}]}}}});
    image["protoPayload"]["response"] =
        json!({"@type": "apps.k8s.io/v1.Deployment", "kind": "Deployment", "spec": {"replicas": 6}});
    let image = image.to_string();
    let untouched = "skip: the patch request does not set spec.replicas";
    assert_eq!(lines(&decode(image.as_bytes(), &context())), [untouched]);
    assert_eq!(lines(&decode(image.as_bytes(), &known(6))), [untouched]);
    assert_eq!(lines(&decode(image.as_bytes(), &known(5))), ["replicas 5→6"]);
}

#[test]
fn an_empty_collection_deleted_is_no_change() {
    let mut entry = scale_entry();
    entry["protoPayload"]["methodName"] = json!("io.k8s.apps.v1.deployments.deletecollection");
    entry["protoPayload"]["resourceName"] = json!("apps/v1/namespaces/payments/deployments");
    entry["protoPayload"]["request"] = json!({"kind": "DeleteOptions"});
    entry["protoPayload"]["response"] = json!({"kind": "DeploymentList", "items": []});
    assert_eq!(lines(&decoded(&entry)), ["skip: the deleted collection was empty"]);
    entry["protoPayload"]["response"]["items"] = json!([{"metadata": {"name": "a"}}]);
    let changes = decoded(&entry).unwrap();
    assert_eq!((changes[0].target_name.as_str(), changes[0].deployment_name.as_deref()), ("", None));
}

#[test]
fn the_actor_is_the_principal_and_its_kind_is_told() {
    let kind = |principal: &str| {
        decoded(&with("/protoPayload/authenticationInfo/principalEmail", json!(principal))).unwrap()[0].actor_kind
    };
    assert_eq!(kind("deployer@ci.iam.gserviceaccount.com"), ActorKind::Pipeline);
    assert_eq!(kind("other@ci.iam.gserviceaccount.com"), ActorKind::ServiceAccount);
    let nobody = decoded(&without("/protoPayload/authenticationInfo")).unwrap();
    assert_eq!((nobody[0].actor.as_str(), nobody[0].actor_kind), ("", ActorKind::Unknown));
    let impersonating = with("/protoPayload/authenticationInfo/authoritySelector", json!("carol@example.com"));
    assert_eq!(decoded(&impersonating).unwrap()[0].on_behalf_of.as_deref(), Some("carol@example.com"));
}

#[test]
fn an_entry_without_insert_id_is_known_by_its_content() {
    let (one, same) = (without("/insertId"), without("/insertId"));
    let mut other = without("/insertId");
    other["receiveTimestamp"] = json!("2026-10-05T09:12:02Z");
    let id = |entry: &Value| decoded(entry).unwrap()[0].event_id.clone();
    assert_eq!(id(&one), id(&same));
    assert_ne!(id(&one), id(&other));
    let mut seen_again = scale_entry();
    seen_again["receiveTimestamp"] = json!("2026-10-05T09:12:02Z");
    assert_eq!(id(&scale_entry()), id(&seen_again));
}

#[test]
fn times_are_read_as_log_sources_write_them() {
    for (written, expected) in [
        ("2026-10-05 09:12:00.987654321", "2026-10-05T09:12:00.987654Z"),
        ("2026-10-05T09:12:00Z", "2026-10-05T09:12:00Z"),
        ("2026-10-05T11:12:00.5+02:00", "2026-10-05T09:12:00.5Z"),
    ] {
        assert_eq!(decoded(&with("/timestamp", json!(written))).unwrap()[0].occurred_at.to_string(), expected);
    }
    assert_eq!(decoded(&without("/timestamp")).unwrap()[0].occurred_at.to_string(), "2026-10-05T09:12:01.123456Z");
    assert!(matches!(decoded(&with("/timestamp", json!("soon"))), Err(Outcome::Reject(Reject::Time(_)))));
}

#[test]
fn a_field_of_another_type_is_named_in_the_reject() {
    let bad = decoded(&with("/protoPayload/resourceName", json!(7)));
    let Err(Outcome::Reject(reject)) = bad else { panic!("{bad:?}") };
    assert!(reject.to_string().starts_with("audit entry: protoPayload.resourceName: invalid type"), "{reject}");
    let bad = decoded(&with("/protoPayload/response/spec/replicas", json!("six")));
    let Err(Outcome::Reject(reject)) = bad else { panic!("{bad:?}") };
    let expected =
        r#"audit entry: protoPayload.response.spec.replicas is "six", expected a whole number from 0 to 2147483647"#;
    assert_eq!(reject.to_string(), expected);
}

#[test]
fn every_skip_has_a_sentence_of_its_own() {
    let text = || "x".to_owned();
    let all = [
        Skip::NotAnAuditEntry,
        Skip::OtherService { method: text() },
        Skip::NoObject { uri: text() },
        Skip::OtherResource { resource: text() },
        Skip::ReplicaSet,
        Skip::Read { verb: text() },
        Skip::OtherVerb { verb: text() },
        Skip::StatusWrite,
        Skip::OtherSubresource { subresource: text() },
        Skip::NotComplete { stage: text() },
        Skip::NotKnownComplete,
        Skip::Failed { code: 1 },
        Skip::FailedResponse { reason: text() },
        Skip::DryRun,
        Skip::NotSet { verb: "x", fields: "x" },
        Skip::Unchanged { field: "x", value: 1 },
        Skip::PatchNotLogged { fields: "x" },
        Skip::EmptyCollection,
    ];
    let sentences: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), all.len());
}
