//! Autoscalers, in the shapes they have in the wild.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Owner, PodCounts, bytes, labels, time};
use crate::kubernetes::sim::history::{AUTOSCALER_SECONDS, State};
use crate::kubernetes::sim::workload::{HpaShape, Scaling, Workload};

/// Utilization an autoscaler aims at, in percent.
const TARGET_UTILIZATION: i64 = 70;

/// A workload's autoscaler, if it has one.
pub(in crate::kubernetes::sim) fn autoscaler(workload: &Workload, state: &State) -> Option<Bytes> {
    let Scaling::Auto(shape) = workload.scaling else { return None };
    let limited = state.wanted > state.ceiling;
    let utilization = TARGET_UTILIZATION * state.wanted / state.replicas.max(1);
    let mut annotations = Map::new();
    let mut spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
        "minReplicas": state.floor,
        "maxReplicas": state.ceiling,
    });
    let mut status = json!({
        "currentReplicas": PodCounts::of(state).total(),
        "desiredReplicas": state.replicas,
        "lastScaleTime": time(state.changed),
    });
    let conditions = conditions(state, limited);
    match shape {
        HpaShape::V2 => {
            spec["metrics"] = json!([resource("cpu", TARGET_UTILIZATION)]);
            status["currentMetrics"] = json!([current_resource("cpu", utilization)]);
            status["conditions"] = conditions;
        }
        HpaShape::V2Full => {
            spec["metrics"] = every_metric(workload);
            spec["behavior"] = json!({
                "scaleDown": {"stabilizationWindowSeconds": 300, "selectPolicy": "Min", "policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]},
                "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
            });
            status["currentMetrics"] = every_current_metric(workload, utilization);
            status["conditions"] = conditions;
        }
        HpaShape::Flat => {
            spec["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": TARGET_UTILIZATION}}]);
            status["currentMetrics"] = json!([{"type": "Resource", "resource": {"name": "cpu", "currentAverageUtilization": utilization, "currentAverageValue": "120m"}}]);
            status["conditions"] = conditions;
        }
        HpaShape::V1 => {
            spec["targetCPUUtilizationPercentage"] = TARGET_UTILIZATION.into();
            status["currentCPUUtilizationPercentage"] = utilization.into();
            let memory = json!([{"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "400Mi"}}]);
            let current = json!([{"type": "Resource", "resource": {"name": "memory", "currentAverageValue": "310Mi"}}]);
            for (name, value) in [("conditions", conditions), ("metrics", memory), ("current-metrics", current)] {
                annotations.insert(format!("autoscaling.alpha.kubernetes.io/{name}"), value.to_string().into());
            }
        }
    }
    let api_version = if shape == HpaShape::V1 { "autoscaling/v1" } else { "autoscaling/v2" };
    let mut metadata = json!({
        "name": workload.name,
        "namespace": workload.namespace,
        "uid": workload.uid(Owner::Autoscaler, state.created),
        "resourceVersion": state.changed.to_string(),
        "creationTimestamp": time(state.created),
        "labels": labels(workload),
    });
    if !annotations.is_empty() {
        metadata["annotations"] = annotations.into();
    }
    Some(bytes(&json!({
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": api_version,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    })))
}

fn conditions(state: &State, limited: bool) -> Value {
    let since = time(state.changed.div_euclid(AUTOSCALER_SECONDS) * AUTOSCALER_SECONDS);
    let (status, reason, message) = if limited {
        ("True", "TooManyReplicas", "the desired replica count is more than the maximum replica count")
    } else {
        ("False", "DesiredWithinRange", "the desired count is within the acceptable range")
    };
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since});
    json!([
        condition("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),
        condition("ScalingActive", "True", "ValidMetricFound", "the HPA was able to compute the replica count"),
        condition("ScalingLimited", status, reason, message),
    ])
}

fn resource(name: &str, utilization: i64) -> Value {
    json!({"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": utilization}}})
}

fn current_resource(name: &str, utilization: i64) -> Value {
    json!({"type": "Resource", "resource": {"name": name, "current": {"averageUtilization": utilization, "averageValue": "120m"}}})
}

fn every_metric(workload: &Workload) -> Value {
    json!([
        resource("cpu", TARGET_UTILIZATION),
        {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "app", "target": {"type": "Utilization", "averageUtilization": 80}}},
        {"type": "Pods", "pods": {"metric": {"name": "requests_per_second"}, "target": {"type": "AverageValue", "averageValue": "50"}}},
        {"type": "Object", "object": {"metric": {"name": "queue_depth"}, "describedObject": {"apiVersion": "v1", "kind": "Service", "name": workload.name}, "target": {"type": "Value", "value": "2k"}}},
        {"type": "External", "external": {"metric": {"name": "undelivered_messages", "selector": {"matchLabels": {"subscription": workload.api}}}, "target": {"type": "AverageValue", "averageValue": "500m"}}},
    ])
}

/// Not in the order of the spec: readers match them by what they are.
fn every_current_metric(workload: &Workload, utilization: i64) -> Value {
    json!([
        {"type": "External", "external": {"metric": {"name": "undelivered_messages", "selector": {"matchLabels": {"subscription": workload.api}}}, "current": {"averageValue": "120m"}}},
        current_resource("cpu", utilization),
        {"type": "Pods", "pods": {"metric": {"name": "requests_per_second"}, "current": {"averageValue": "31"}}},
        {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "app", "current": {"averageUtilization": 41, "averageValue": "200Mi"}}},
        {"type": "Object", "object": {"metric": {"name": "queue_depth"}, "describedObject": {"apiVersion": "v1", "kind": "Service", "name": workload.name}, "current": {"value": "17"}}},
    ])
}
