use serde_json::json;

use crate::testing::node;

#[test]
fn a_node_gives_its_row() {
    let row = node(&json!({
        "metadata": {
            "name": "gke-1", "uid": "n1", "creationTimestamp": "2026-09-01T00:00:00Z",
            "labels": {"topology.kubernetes.io/zone": "europe-west2-a", "node.kubernetes.io/instance-type": "e2-standard-4"},
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
        },
        "status": {
            "capacity": {"cpu": "4", "memory": "16393216Ki", "pods": "110"},
            "allocatable": {"cpu": "3920m", "memory": "13694976Ki", "pods": 110},
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "nodeInfo": {"osImage": "COS", "kernelVersion": "6.1", "kubeletVersion": "v1.31.2", "containerRuntimeVersion": "containerd://1.7"},
        },
    }));
    assert_eq!((row.name.as_str(), row.status.as_str(), row.conditions.len()), ("gke-1", "Ready", 2));
    assert_eq!((row.cpu_capacity.as_deref(), row.memory_capacity.as_deref()), (Some("4"), Some("16393216Ki")));
    assert_eq!((row.cpu_capacity_millicores, row.memory_capacity_bytes), (Some(4000), Some(16_393_216 * 1024)));
    assert_eq!((row.cpu_allocatable_millicores, row.memory_allocatable_bytes), (Some(3920), Some(13_694_976 * 1024)));
    assert_eq!((row.pod_capacity, row.pod_allocatable), (Some(110), Some(110)));
    assert_eq!((row.zone.as_deref(), row.instance_type.as_deref()), (Some("europe-west2-a"), Some("e2-standard-4")));
    assert_eq!((row.os_image.as_deref(), row.kubelet_version.as_deref()), (Some("COS"), Some("v1.31.2")));
    assert_eq!(row.annotations.unwrap().as_str(), r#"{"node.alpha.kubernetes.io/ttl":"0"}"#);
}

#[test]
fn status_is_ready_not_ready_or_unknown() {
    for (conditions, status) in [
        (json!([{"type": "Ready", "status": "True"}]), "Ready"),
        (json!([{"type": "Ready", "status": "False"}]), "NotReady"),
        (json!([{"type": "Ready", "status": "Unknown"}]), "Unknown"),
        (json!([{"type": "Ready"}]), "Unknown"),
        (json!([{"type": "DiskPressure", "status": "True"}]), "Unknown"),
        (json!([]), "Unknown"),
        (json!(null), "Unknown"),
    ] {
        let row = node(&json!({"metadata": {"name": "n"}, "status": {"conditions": conditions}}));
        assert_eq!(row.status, status, "{conditions}");
    }
}

#[test]
fn older_labels_name_zone_and_type_too() {
    let row = node(&json!({"metadata": {"name": "n", "labels": {
        "failure-domain.beta.kubernetes.io/zone": "z", "beta.kubernetes.io/instance-type": "t",
    }}}));
    assert_eq!((row.zone.as_deref(), row.instance_type.as_deref()), (Some("z"), Some("t")));
    assert!(row.cpu_capacity.is_none() && row.pod_capacity.is_none());
}
