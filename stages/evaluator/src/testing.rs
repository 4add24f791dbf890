//! Values and ports for this crate's tests.

pub(crate) mod ports;

use std::sync::Arc;

use platform::ports::{Limit, RecentChange};
use schemas::{ActorKind, ChangeSource, ClusterName, ReplicaField, Timestamp};

use crate::cause::Changes;
use crate::gaps::Coverage;
use crate::snapshot::Snapshot;
use crate::workload::{Autoscaler, Rollout, Workload};

/// A moment: minutes after 2026-10-01 12:00 UTC.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_seconds(1_790_856_000 + minutes * 60)
}

/// `payments/orders-api`, months old, with that many pods and that wish, limit 4.
pub(crate) fn orders(pods: i64) -> Workload {
    workload("payments", "orders-api", pods, Some(4))
}

pub(crate) fn workload(namespace: &str, name: &str, pods: i64, max_replicas: Option<i64>) -> Workload {
    Workload {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: Some(format!("uid-of-{namespace}-{name}")),
        created_at: Some(minute(-100_000)),
        generation: Some(7),
        desired: pods,
        actual: pods,
        updated: pods,
        rollout: Rollout {
            strategy: "RollingUpdate".to_owned(),
            max_surge: Some("25%".to_owned()),
            progress_deadline_seconds: Some(600),
            progressing: false,
            progressing_since: None,
        },
        api_id: None,
        team_id: None,
        limit: max_replicas.map(|max_replicas| Arc::new(limit(namespace, name, max_replicas))),
        autoscalers: Vec::new(),
    }
}

pub(crate) fn limit(namespace: &str, name: &str, max_replicas: i64) -> Limit {
    Limit {
        declaration_id: format!("declaration-{max_replicas}").into(),
        namespace: namespace.to_owned(),
        deployment_name: name.to_owned(),
        cluster: None,
        max_replicas,
        previous_max_replicas: None,
        initial_max_replicas: max_replicas,
        declared_at: minute(-200_000),
        updated_by: "bob@example.com".to_owned(),
        change_reason: None,
        api_id: None,
        team_id: None,
        user_id: None,
        source: None,
    }
}

pub(crate) fn autoscaler(ceiling: i64) -> Autoscaler {
    Autoscaler {
        name: "orders-hpa".to_owned(),
        min_replicas: Some(1),
        max_replicas: Some(ceiling),
        desired_replicas: None,
        last_scale_time: None,
        conditions: Vec::new(),
    }
}

/// A change of the replicas of `payments/orders-api`, or of its autoscaler's ceiling.
pub(crate) fn change(
    field: ReplicaField,
    at: Timestamp,
    old: Option<i64>,
    new: Option<i64>,
    kind: ActorKind,
) -> RecentChange {
    let of_deployment = field == ReplicaField::Replicas;
    RecentChange {
        event_id: "change-1".to_owned(),
        occurred_at: at,
        namespace: "payments".to_owned(),
        deployment_name: "orders-api".to_owned(),
        target_kind: if of_deployment { "Deployment" } else { "HorizontalPodAutoscaler" }.to_owned(),
        target_name: if of_deployment { "orders-api" } else { "orders-hpa" }.to_owned(),
        field,
        old_value: old,
        new_value: new,
        actor: "alice@example.com".to_owned(),
        actor_kind: kind,
        source: ChangeSource::Audit,
        verb: "patch".to_owned(),
    }
}

/// A complete snapshot of `prod-uk`.
pub(crate) fn snapshot(at: Timestamp, workloads: Vec<Workload>) -> Snapshot {
    Snapshot {
        cluster: ClusterName::from("prod-uk"),
        snapshot_id: format!("snapshot-{:012}", at.micros() / 1_000_000).into(),
        observed_at: at,
        workloads,
        changes: Changes::default(),
        coverage: Coverage::complete(),
    }
}
