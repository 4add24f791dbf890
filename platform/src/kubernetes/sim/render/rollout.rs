//! Deployments and their ReplicaSets.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Owner, PodCounts, bytes, labels, time};
use crate::kubernetes::sim::history::State;
use crate::kubernetes::sim::workload::Workload;

/// A workload's Deployment.
pub(in crate::kubernetes::sim) fn deployment(workload: &Workload, state: &State) -> Bytes {
    let counts = PodCounts::of(state);
    let hash = workload.version_hash(state.version);
    let generation = 1 + (state.changed - state.created) / 60;
    let set = format!("{}-{hash}", workload.name);
    let (reason, message) = match state.rolling_for {
        Some(_) => ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing.")),
        None => ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed.")),
    };
    let mut status = counted([
        ("replicas", counts.total()),
        ("updatedReplicas", counts.new),
        ("readyReplicas", counts.ready()),
        ("availableReplicas", counts.ready()),
        ("unavailableReplicas", counts.total() - counts.ready()),
        ("observedGeneration", generation),
    ]);
    let condition = |kind: &str, reason: &str, message: &str, at: i64| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastUpdateTime": time(at), "lastTransitionTime": time(state.created)});
    let available =
        condition("Available", "MinimumReplicasAvailable", "Deployment has minimum availability.", state.created);
    status
        .insert("conditions".to_owned(), json!([available, condition("Progressing", reason, &message, state.changed)]));
    bytes(&json!({
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": workload.name,
            "namespace": workload.namespace,
            "uid": workload.uid(Owner::Deployment, state.created),
            "resourceVersion": state.changed.to_string(),
            "generation": generation,
            "creationTimestamp": time(state.created),
            "labels": labels(workload),
            "annotations": {
                "deployment.kubernetes.io/revision": (generation / 2 + 1).to_string(),
                "kubectl.kubernetes.io/last-applied-configuration": format!("{{\"spec\":{{\"apiKey\":\"simulated-literal-{hash}\"}}}}\n"),
            },
        },
        "spec": {
            "replicas": state.replicas,
            "selector": {"matchLabels": {"app": workload.name}},
            "template": template(workload, state.version, None),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": status,
    }))
}

/// A workload's ReplicaSets: the current one, and the one before.
pub(in crate::kubernetes::sim) fn replica_sets(workload: &Workload, state: &State) -> Vec<Bytes> {
    let counts = PodCounts::of(state);
    let mut sets = vec![replica_set(workload, state, state.version, counts.new, counts.new_ready)];
    if let Some(before) = state.version_before {
        sets.push(replica_set(workload, state, before, counts.old, counts.old));
    }
    sets
}

fn replica_set(workload: &Workload, state: &State, version: i64, replicas: i64, ready: i64) -> Bytes {
    let hash = workload.version_hash(version);
    let mut labels = labels(workload);
    labels["pod-template-hash"] = hash.clone().into();
    let mut status = counted([("readyReplicas", ready), ("availableReplicas", ready), ("observedGeneration", 1)]);
    // Unlike the others, this count is written when it is zero.
    status.insert("replicas".to_owned(), replicas.into());
    bytes(&json!({
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": format!("{}-{hash}", workload.name),
            "namespace": workload.namespace,
            "uid": workload.uid(Owner::ReplicaSet, version),
            "resourceVersion": state.changed.to_string(),
            "generation": 1,
            "creationTimestamp": time(version),
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": workload.name,
                "uid": workload.uid(Owner::Deployment, state.created),
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": workload.name, "pod-template-hash": hash}},
            "template": template(workload, version, Some(&hash)),
        },
        "status": status,
    }))
}

fn template(workload: &Workload, version: i64, hash: Option<&str>) -> Value {
    let mut labels = labels(workload);
    if let Some(hash) = hash {
        labels["pod-template-hash"] = hash.into();
    }
    let cpu = format!("{}m", workload.cpu_millicores);
    let half_cpu = format!("{}m", workload.cpu_millicores / 2);
    let memory = format!("{}Mi", workload.memory_mebibytes);
    json!({
        "metadata": {"labels": labels},
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": format!("registry.example.com/{}/{}:{version}", workload.team, workload.name),
                    "env": [
                        {"name": "LOG_LEVEL", "value": "info"},
                        {"name": "API_KEY", "value": format!("simulated-literal-{}", workload.version_hash(version))},
                    ],
                    "resources": {"limits": {"cpu": cpu, "memory": memory}, "requests": {"cpu": half_cpu, "memory": memory}},
                },
                {
                    "name": "proxy",
                    "image": "registry.example.com/mesh/proxy:1.27.1",
                    "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}},
                },
            ],
            "restartPolicy": "Always",
            "serviceAccountName": workload.name,
        },
    })
}

/// Counts as Kubernetes writes them: those that are zero are left out.
fn counted<const N: usize>(counts: [(&str, i64); N]) -> Map<String, Value> {
    counts.into_iter().filter(|(_, count)| *count != 0).map(|(name, count)| (name.to_owned(), count.into())).collect()
}
