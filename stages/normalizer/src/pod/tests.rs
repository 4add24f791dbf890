use serde_json::json;

use crate::testing::{at, pod};

#[test]
fn a_running_pod_gives_its_row() {
    let row = pod(&json!({
        "metadata": {
            "name": "orders-api-5d4f-x2x4z", "namespace": "payments", "uid": "u1",
            "creationTimestamp": "2026-10-01T10:00:00Z",
            "labels": {"api_id": "orders", "team_id": "payments", "pod-template-hash": "5d4f"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "orders-api-5d4f", "uid": "r1", "controller": true}],
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [
                {"name": "app", "image": "orders:1", "env": [{"name": "A", "value": "b"}],
                 "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "4Gi"}}},
                {"name": "proxy"},
            ],
        },
        "status": {
            "phase": "Running", "startTime": "2026-10-01T10:00:05Z",
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "restartCount": 2}, {"name": "proxy"}],
        },
    }));
    assert_eq!(
        (row.namespace.as_str(), row.name.as_str(), row.uid.as_deref()),
        ("payments", "orders-api-5d4f-x2x4z", Some("u1"))
    );
    assert_eq!((row.phase.as_deref(), row.node_name.as_deref()), (Some("Running"), Some("node-1")));
    assert_eq!((row.owner_kind.as_deref(), row.owner_name.as_deref()), (Some("ReplicaSet"), Some("orders-api-5d4f")));
    assert_eq!((row.deployment_name.as_deref(), row.owner_method.as_str()), (Some("orders-api"), "hash"));
    assert_eq!((row.created_at, row.started_at), (Some(at("2026-10-01T10:00:00Z")), Some(at("2026-10-01T10:00:05Z"))));
    assert_eq!((row.ready, row.restart_count, row.terminating), (true, 2, false));
    assert_eq!((row.cpu_request_millicores, row.cpu_limit_millicores), (Some(500), Some(2000)));
    assert_eq!((row.memory_request_bytes, row.memory_limit_bytes), (Some(1 << 30), Some(4 << 30)));
    assert_eq!((row.api_id.as_deref(), row.team_id.as_deref()), (Some("orders"), Some("payments")));
    assert_eq!(row.labels.unwrap().as_str(), r#"{"api_id":"orders","pod-template-hash":"5d4f","team_id":"payments"}"#);
    assert_eq!(
        row.containers.unwrap().as_str(),
        r#"[{"name":"app","image":"orders:1","requests":{"cpu":"500m","memory":"1Gi"},"limits":{"cpu":2,"memory":"4Gi"}},{"name":"proxy","image":null,"requests":null,"limits":null}]"#
    );
}

#[test]
fn what_is_absent_is_absent() {
    let row = pod(&json!({"metadata": {"name": "a", "creationTimestamp": null}, "spec": null, "status": {}}));
    assert!(!row.ready && !row.terminating && row.restart_count == 0);
    assert!(row.phase.is_none() && row.created_at.is_none() && row.containers.is_none() && row.labels.is_none());
    assert!(row.cpu_request_millicores.is_none() && row.owner_method == "none");
}

#[test]
fn ready_is_the_condition_and_nothing_else() {
    for (conditions, ready) in [
        (json!(null), false),
        (json!([null]), false),
        (json!([{"type": "Ready", "status": "False"}]), false),
        (json!([{"type": "Ready", "status": "Unknown"}]), false),
        (json!([{"type": "ContainersReady", "status": "True"}]), false),
        (json!([{"type": "Ready", "status": "True"}]), true),
    ] {
        let row = pod(&json!({"metadata": {"name": "a"}, "status": {"phase": "Running", "conditions": conditions}}));
        assert_eq!(row.ready, ready, "{conditions}");
    }
}

#[test]
fn restarts_are_those_of_regular_and_restartable_init_containers() {
    let row = pod(&json!({
        "metadata": {"name": "a", "deletionTimestamp": "2026-10-01T10:00:00Z"},
        "spec": {"containers": [{"name": "app"}], "initContainers": [{"name": "mesh", "restartPolicy": "Always"}, {"name": "setup"}]},
        "status": {
            "containerStatuses": [{"name": "app", "restartCount": 1}],
            "initContainerStatuses": [{"name": "setup", "restartCount": 10}, {"name": "mesh", "restartCount": 100}],
        },
    }));
    assert_eq!((row.restart_count, row.terminating), (101, true));
}

#[test]
fn words_nobody_knows_are_kept() {
    let row = pod(&json!({"metadata": {"name": "a"}, "status": {"phase": "CrashLoopBackOff"}}));
    assert_eq!(row.phase.as_deref(), Some("CrashLoopBackOff"));
}

#[test]
fn an_empty_label_names_no_api() {
    let row = pod(&json!({"metadata": {"name": "a", "labels": {"api_id": "", "team_id": "t"}}}));
    assert_eq!((row.api_id, row.team_id.as_deref()), (None, Some("t")));
}
