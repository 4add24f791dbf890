//! What several modules' tests share.

use platform::ports::Kind;
use schemas::{GkeDeployments, GkeNodes, GkePods, HpaData, Timestamp};
use serde_json::Value;

use crate::map::{Rows, Seat, object};
use crate::{LabelKeys, Owners};

/// A moment.
pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A seat for one call.
pub(crate) fn seated<T>(owners: &Owners, act: impl FnOnce(&Seat<'_>) -> T) -> T {
    let label_keys = LabelKeys::default();
    act(&Seat {
        cluster: "prod-uk".into(),
        snapshot_id: "s1".into(),
        observed_at: at("2026-10-01T12:00:00Z"),
        label_keys: &label_keys,
        owners,
        node_count: Some(3),
    })
}

/// The rows of an object, without owners at hand.
pub(crate) fn map(kind: Kind, json: &Value) -> Result<Rows, String> {
    seated(&Owners::new(), |seat| object(kind, json.to_string().as_bytes(), seat)).map_err(|reject| reject.reason)
}

/// The row of a pod.
pub(crate) fn pod(json: &Value) -> GkePods {
    match map(Kind::Pods, json) {
        Ok(Rows::Pod(row)) => *row,
        other => panic!("{json}: {other:?}"),
    }
}

/// The row of a Deployment.
pub(crate) fn deployment(json: &Value) -> GkeDeployments {
    match map(Kind::Deployments, json) {
        Ok(Rows::Deployment(row)) => *row,
        other => panic!("{json}: {other:?}"),
    }
}

/// The row of a node.
pub(crate) fn node(json: &Value) -> GkeNodes {
    match map(Kind::Nodes, json) {
        Ok(Rows::Node(row)) => *row,
        other => panic!("{json}: {other:?}"),
    }
}

/// The rows of an autoscaler.
pub(crate) fn autoscaler(json: &Value) -> Vec<HpaData> {
    match map(Kind::HorizontalPodAutoscalers, json) {
        Ok(Rows::Autoscaler(rows)) => rows,
        other => panic!("{json}: {other:?}"),
    }
}
