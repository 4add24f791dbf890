//! A cluster's dump, as `kubectl get -o json` prints it.

use std::path::Path;

use serde_json::{Value, json};

use super::Workload;
use super::messages::NAMESPACE;

/// When everything was made: long ago, so that nothing is young.
const MADE: &str = "2026-10-01T00:00:00Z";
/// Nodes of a cluster.
const NODES: u32 = 2;

/// Writes a cluster's objects.
pub(super) fn write(folder: &Path, workloads: &[Workload]) {
    std::fs::create_dir_all(folder).unwrap();
    let list = |name: &str, items: Vec<Value>| {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        std::fs::write(folder.join(name), list.to_string()).unwrap();
    };
    list("deployments.json", workloads.iter().map(deployment).collect());
    list("replicasets.json", workloads.iter().map(replica_set).collect());
    list("pods.json", workloads.iter().flat_map(pods).collect());
    list("hpas.json", workloads.iter().filter_map(autoscaler).collect());
    list("nodes.json", (0..NODES).map(node).collect());
    std::fs::write(folder.join("version.json"), json!({"serverVersion": {"gitVersion": "v1.33.4"}}).to_string())
        .unwrap();
}

impl Workload {
    fn uid(&self) -> String {
        format!("{}-{}", self.name, self.life)
    }

    fn replica_set(&self) -> String {
        format!("{}-abc{}", self.name, self.life)
    }
}

fn deployment(workload: &Workload) -> Value {
    let replicas = if workload.broken { json!("many") } else { json!(workload.desired) };
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": metadata(workload.name, &workload.uid(), workload),
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container()]}}},
        "status": {"replicas": workload.actual, "readyReplicas": workload.actual, "updatedReplicas": workload.actual, "availableReplicas": workload.actual},
    })
}

fn replica_set(workload: &Workload) -> Value {
    let name = workload.replica_set();
    let mut metadata = metadata(&name, &format!("{}-rs", workload.uid()), workload);
    metadata["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "controller": true, "name": workload.name, "uid": workload.uid()}]);
    json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": {"replicas": workload.desired}})
}

fn pods(workload: &Workload) -> Vec<Value> {
    let pod = |number: u32| {
        let name = format!("{}-{number}", workload.replica_set());
        let mut metadata = metadata(&name, &format!("{}-pod-{number}", workload.uid()), workload);
        metadata["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
            "name": workload.replica_set(), "uid": format!("{}-rs", workload.uid()),
        }]);
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": [container()], "nodeName": "node-0"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        })
    };
    (0..workload.actual).map(pod).collect()
}

fn autoscaler(workload: &Workload) -> Option<Value> {
    let ceiling = workload.ceiling?;
    Some(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(workload.name, &format!("{}-hpa", workload.uid()), workload),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicas": 1, "maxReplicas": ceiling,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
        },
        "status": {"currentReplicas": workload.actual, "desiredReplicas": workload.desired},
    }))
}

fn node(number: u32) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("node-{number}"), "uid": format!("node-{number}"), "creationTimestamp": MADE},
        "status": {"capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn metadata(name: &str, uid: &str, workload: &Workload) -> Value {
    json!({
        "name": name, "namespace": NAMESPACE, "uid": uid, "creationTimestamp": MADE,
        "labels": {"api_id": workload.name, "team_id": "shop"},
    })
}

fn container() -> Value {
    json!({"name": "main", "image": "example/main:1", "resources": {"limits": {"cpu": "2", "memory": "4Gi"}}})
}
