use serde_json::{Value, json};

use crate::testing::{at, deployment};

fn with_spec(spec: Value) -> schemas::GkeDeployments {
    deployment(&json!({"metadata": {"name": "a"}, "spec": spec}))
}

#[test]
fn defaults_are_those_of_the_api() {
    let cases = [
        (json!({}), 1, "RollingUpdate", Some("25%"), Some("25%"), 600, false),
        (json!({"replicas": null, "strategy": null}), 1, "RollingUpdate", Some("25%"), Some("25%"), 600, false),
        (json!({"replicas": 0, "paused": true}), 0, "RollingUpdate", Some("25%"), Some("25%"), 600, true),
        (
            json!({"strategy": {"rollingUpdate": {"maxSurge": 1}}}),
            1,
            "RollingUpdate",
            Some("1"),
            Some("25%"),
            600,
            false,
        ),
        (
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}}}),
            1,
            "RollingUpdate",
            Some("50%"),
            Some("0"),
            600,
            false,
        ),
        (json!({"strategy": {"type": ""}}), 1, "RollingUpdate", Some("25%"), Some("25%"), 600, false),
        (json!({"strategy": {"type": "Recreate"}}), 1, "Recreate", None, None, 600, false),
        (json!({"strategy": {"type": "BlueGreen"}}), 1, "BlueGreen", Some("25%"), Some("25%"), 600, false),
        (
            json!({"replicas": 4, "progressDeadlineSeconds": 60}),
            4,
            "RollingUpdate",
            Some("25%"),
            Some("25%"),
            60,
            false,
        ),
    ];
    for (spec, desired, strategy, surge, unavailable, deadline, paused) in cases {
        let row = with_spec(spec.clone());
        assert_eq!(row.desired_replicas, desired, "{spec}");
        assert_eq!(row.strategy, strategy, "{spec}");
        assert_eq!((row.max_surge.as_deref(), row.max_unavailable.as_deref()), (surge, unavailable), "{spec}");
        assert_eq!((row.progress_deadline_seconds, row.paused), (Some(deadline), paused), "{spec}");
    }
}

#[test]
fn a_default_written_out_changes_nothing() {
    let written = json!({
        "replicas": 1, "paused": false, "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    });
    assert_eq!(with_spec(json!({})), with_spec(written));
    let zeros = json!({"replicas": 0, "readyReplicas": 0, "availableReplicas": 0, "updatedReplicas": 0, "unavailableReplicas": 0});
    let status = |status: Value| deployment(&json!({"metadata": {"name": "a"}, "status": status}));
    assert_eq!(status(json!({})), status(zeros));
    assert_eq!(status(json!(null)), status(json!({})));
}

#[test]
fn every_version_of_the_api_reads_alike() {
    let of = |version: &str| {
        deployment(&json!({"apiVersion": version, "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"replicas": 3}, "status": {"replicas": 2, "unavailableReplicas": 1}}))
    };
    for version in ["apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"] {
        assert_eq!(of(version), of("apps/v1"), "{version}");
    }
}

#[test]
fn resources_are_the_first_containers_as_written_and_the_sums() {
    let row = with_spec(json!({"template": {"spec": {
        "containers": [
            {"name": "app", "image": "orders:1", "resources": {"limits": {"cpu": 1.5, "memory": "4Gi"}, "requests": {"cpu": "500m"}}},
            {"name": "proxy", "resources": {"limits": {"cpu": "100m"}}},
        ],
        "initContainers": [{"name": "mesh", "restartPolicy": "Always", "resources": {"limits": {"cpu": "400m"}}}],
    }}}));
    assert_eq!(row.image.as_deref(), Some("orders:1"));
    assert_eq!((row.resource_limits_cpu.as_deref(), row.resource_limits_memory.as_deref()), (Some("1.5"), Some("4Gi")));
    assert_eq!((row.resource_requests_cpu.as_deref(), row.resource_requests_memory), (Some("500m"), None));
    assert_eq!((row.cpu_limit_millicores, row.cpu_request_millicores), (Some(2000), Some(500)));
    assert_eq!((row.memory_limit_bytes, row.memory_request_bytes), (Some(4 << 30), None));
}

/// A Deployment's counts: desired, actual, updated, available.
fn rolling(counts: [i64; 4], generations: [i64; 2], condition: Value, paused: bool) -> schemas::GkeDeployments {
    let [desired, actual, updated, available] = counts;
    deployment(&json!({
        "metadata": {"name": "a", "generation": generations[0]},
        "spec": {"replicas": desired, "paused": paused},
        "status": {
            "observedGeneration": generations[1], "replicas": actual, "updatedReplicas": updated,
            "availableReplicas": available, "conditions": [condition],
        },
    }))
}

#[test]
fn a_rollout_is_in_progress_until_every_pod_is_new_and_available() {
    let progressing = |reason: &str| {
        json!({"type": "Progressing", "status": "True", "reason": reason,
            "lastTransitionTime": "2026-10-01T10:00:00Z", "lastUpdateTime": "2026-10-01T11:00:00Z"})
    };
    let updated = || progressing("ReplicaSetUpdated");
    let complete = || progressing("NewReplicaSetAvailable");
    let failed = || progressing("ProgressDeadlineExceeded");
    let none = || json!(null);
    let (now, last) = ([2, 2], Some("2026-10-01T11:00:00Z"));
    let cases = [
        ("all new and available", [3, 3, 3, 3], now, complete(), false, (false, None)),
        ("all new and available, no condition", [3, 3, 3, 3], now, none(), false, (false, None)),
        ("older pods left", [3, 4, 3, 3], now, updated(), false, (true, last)),
        ("fewer new ones than wished", [3, 3, 2, 3], now, updated(), false, (true, last)),
        ("new ones not available", [3, 3, 3, 1], now, updated(), false, (true, last)),
        ("no condition known", [3, 4, 2, 3], now, none(), false, (true, None)),
        ("past its deadline", [3, 4, 2, 3], now, failed(), false, (false, None)),
        ("not yet seen by the controller", [3, 3, 3, 3], [3, 2], complete(), false, (true, None)),
        ("not yet seen after a failed one", [3, 4, 2, 3], [3, 2], failed(), false, (true, None)),
        ("older pods under the condition of the rollout before", [3, 4, 1, 3], now, complete(), false, (true, None)),
        ("being scaled up, nothing to roll out", [6, 6, 6, 3], now, complete(), false, (false, None)),
        ("being scaled up, pods not created yet", [6, 3, 3, 3], now, complete(), false, (false, None)),
        ("a pod not ready long after", [3, 3, 3, 2], now, complete(), false, (false, None)),
        ("paused halfway", [3, 4, 2, 3], now, updated(), true, (false, None)),
        ("scaled to nothing", [0, 0, 0, 0], now, complete(), false, (false, None)),
    ];
    for (case, counts, generations, condition, paused, (in_progress, since)) in cases {
        let row = rolling(counts, generations, condition, paused);
        assert_eq!((row.progressing, row.progressing_since), (in_progress, since.map(at)), "{case}");
    }
}

#[test]
fn a_rollout_without_update_time_runs_since_its_last_transition() {
    let condition =
        json!({"type": "Progressing", "reason": "ReplicaSetUpdated", "lastTransitionTime": "2026-10-01T10:00:00Z"});
    assert_eq!(rolling([3, 4, 3, 3], [1, 1], condition, false).progressing_since, Some(at("2026-10-01T10:00:00Z")));
}

#[test]
fn conditions_are_kept() {
    let row = deployment(&json!({"metadata": {"name": "a"}, "status": {"conditions": [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "m", "lastTransitionTime": "2026-10-01T10:00:00Z"},
        null,
    ]}}));
    assert_eq!(row.conditions.len(), 1);
    let condition = &row.conditions[0];
    assert_eq!((condition.r#type.as_str(), condition.status.as_deref()), ("Available", Some("True")));
    assert_eq!(condition.last_transition_time, Some(at("2026-10-01T10:00:00Z")));
}
