//! Nodes.

use bytes::Bytes;
use serde_json::json;

use super::{bytes, time};
use crate::kubernetes::sim::dice::Dice;

/// What a draw decides; part of every draw's name.
const OF_NODE: u64 = 30;

/// One node.
pub(in crate::kubernetes::sim) fn node(seed: u64, index: u64, start: i64, at: i64) -> Bytes {
    let mut dice = Dice::of(seed, &[OF_NODE, index]);
    let zone = dice.pick(&["europe-west2-a", "europe-west2-b", "europe-west2-c"]);
    let created = start - 86_400 * dice.between(1, 300);
    let address = format!("10.0.{}.{}", index / 250, index % 250 + 2);
    // The kubelet writes its heartbeat every five minutes when nothing changes.
    let heartbeat = time(at.div_euclid(300) * 300);
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "", "lastHeartbeatTime": heartbeat, "lastTransitionTime": time(created)});
    bytes(&json!({
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": format!("node-{index}"),
            "uid": dice.uid(),
            "resourceVersion": at.div_euclid(300).to_string(),
            "creationTimestamp": time(created),
            "labels": {
                "kubernetes.io/hostname": format!("node-{index}"),
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": "e2-standard-16",
                "topology.kubernetes.io/region": "europe-west2",
                "topology.kubernetes.io/zone": zone,
            },
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {"podCIDR": format!("10.{}.{}.0/24", index / 256 + 4, index % 256), "providerID": format!("sim://{zone}/node-{index}")},
        "status": {
            "capacity": {"cpu": "16", "memory": "65849400Ki", "pods": "110", "ephemeral-storage": "98831908Ki"},
            "allocatable": {"cpu": "15890m", "memory": "61Gi", "pods": "110", "ephemeral-storage": "47093746742"},
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("Ready", "True", "KubeletReady"),
            ],
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": format!("node-{index}")}],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "Container-Optimized OS from Google",
                "kernelVersion": "6.6.97+",
                "kubeletVersion": "v1.33.4-gke.100",
                "containerRuntimeVersion": "containerd://2.0.6",
                "kubeProxyVersion": "",
                "bootID": dice.uid(),
                "machineID": dice.uid(),
                "systemUUID": dice.uid(),
            },
        },
    }))
}
