//! Rows to test with: small, plain, and different where a test says so.

use schemas::{
    ActorKind, AlertState, Cause, ChangeSource, ClusterName, DeclarationStatus, EventId, GkeDeployments, GkePods,
    HpaData, Json, LimitDeclaration, Notification, PipelineLedger, RejectedRows, ReplicaChange, ReplicaField, Rule,
    Severity, Timestamp, Violation,
};

/// A moment of October 2026: day and hour, UTC.
pub fn october(day: u32, hour: u32) -> Timestamp {
    moment(&format!("2026-10-{day:02}T{hour:02}:00:00Z"))
}

/// A moment as written.
pub fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The cluster of most tests.
pub fn prod() -> ClusterName {
    "prod-uk".into()
}

/// A running pod.
pub fn pod(snapshot: &str, name: &str) -> GkePods {
    GkePods {
        cluster: prod(),
        snapshot_id: snapshot.into(),
        observed_at: october(1, 0),
        namespace: "payments".to_owned(),
        name: name.to_owned(),
        uid: Some(format!("uid-{name}")),
        phase: Some("Running".to_owned()),
        node_name: None,
        deployment_name: Some("orders-api".to_owned()),
        owner_kind: Some("ReplicaSet".to_owned()),
        owner_name: Some("orders-api-1".to_owned()),
        owner_method: "uid".to_owned(),
        created_at: Some(october(1, 0)),
        started_at: None,
        ready: true,
        restart_count: 0,
        terminating: false,
        cpu_request_millicores: Some(500),
        cpu_limit_millicores: None,
        memory_request_bytes: None,
        memory_limit_bytes: None,
        containers: None,
        api_id: None,
        team_id: None,
        labels: Some(Json::parse(r#"{"app":"orders"}"#).unwrap()),
    }
}

/// A settled Deployment whose pods all run.
pub fn deployment(snapshot: &str, at: Timestamp, name: &str, replicas: i64) -> GkeDeployments {
    GkeDeployments {
        cluster: prod(),
        snapshot_id: snapshot.into(),
        observed_at: at,
        namespace: "payments".to_owned(),
        name: name.to_owned(),
        uid: Some(format!("uid-{name}")),
        generation: Some(1),
        observed_generation: Some(1),
        created_at: Some(october(1, 0)),
        desired_replicas: replicas,
        actual_replicas: replicas,
        ready_replicas: replicas,
        available_replicas: replicas,
        updated_replicas: replicas,
        unavailable_replicas: 0,
        strategy: "RollingUpdate".to_owned(),
        max_surge: Some("25%".to_owned()),
        max_unavailable: Some("25%".to_owned()),
        progress_deadline_seconds: Some(600),
        paused: false,
        progressing: false,
        progressing_since: None,
        image: Some("registry/orders:1".to_owned()),
        resource_limits_cpu: Some("2".to_owned()),
        resource_limits_memory: Some("4Gi".to_owned()),
        resource_requests_cpu: None,
        resource_requests_memory: None,
        cpu_request_millicores: None,
        cpu_limit_millicores: Some(2_000),
        memory_request_bytes: None,
        memory_limit_bytes: Some(4 << 30),
        api_id: None,
        team_id: None,
        labels: None,
        conditions: Vec::new(),
    }
}

/// An autoscaler of a Deployment, with one cpu metric.
pub fn autoscaler(snapshot: &str, at: Timestamp, target: &str, ceiling: i64) -> HpaData {
    HpaData {
        cluster: prod(),
        snapshot_id: snapshot.into(),
        observed_at: at,
        name: format!("{target}-hpa"),
        namespace: "payments".to_owned(),
        creation_timestamp: Some(october(1, 0)),
        resource_version: Some("7".to_owned()),
        uid: Some(format!("uid-{target}-hpa")),
        scale_target_kind: Some("Deployment".to_owned()),
        scale_target_name: Some(target.to_owned()),
        min_replicas: Some(2),
        max_replicas: Some(ceiling),
        metric_type: Some("Resource".to_owned()),
        metric_name: Some("cpu".to_owned()),
        target_utilization: Some(80),
        current_utilization: Some(50),
        current_value: None,
        current_replicas: Some(3),
        desired_replicas: Some(3),
        last_scale_time: None,
        scaling_conditions: Vec::new(),
        metric_index: Some(0),
        metric_container: None,
        metric_selector: None,
        target_type: Some("Utilization".to_owned()),
        target_value: None,
        behavior: None,
        api_id: None,
        team_id: None,
        labels: None,
    }
}

/// A declaration for every cluster, registered when it was declared.
pub fn declaration(id: &str, at: Timestamp, name: &str, max_replicas: i64) -> LimitDeclaration {
    LimitDeclaration {
        declaration_id: id.into(),
        timestamp: at,
        namespace: "payments".to_owned(),
        deployment_name: name.to_owned(),
        cluster: None,
        initial_max_replicas: None,
        max_replicas,
        image: None,
        resources_limits: None,
        resources_requests: None,
        environment: None,
        volumes: None,
        updated_by: "alice@example.com".to_owned(),
        created_at: at,
        updated_at: at,
        change_reason: None,
        api_id: Some("orders".to_owned()),
        team_id: Some("payments".to_owned()),
        user_id: Some("alice@example.com".to_owned()),
        source: Some(Json::parse(r#"{"repository":"peds"}"#).unwrap()),
        status: DeclarationStatus::Applied,
    }
}

/// The same workload, retired.
pub fn retirement(id: &str, at: Timestamp, name: &str) -> LimitDeclaration {
    LimitDeclaration { status: DeclarationStatus::Retired, ..declaration(id, at, name, 2) }
}

/// Somebody set a Deployment's replicas.
pub fn change(id: &str, at: Timestamp, new_value: i64) -> ReplicaChange {
    ReplicaChange {
        event_id: id.into(),
        occurred_at: at,
        cluster: prod(),
        namespace: "payments".to_owned(),
        deployment_name: Some("orders-api".to_owned()),
        target_kind: "Deployment".to_owned(),
        target_name: "orders-api".to_owned(),
        field: ReplicaField::Replicas,
        old_value: None,
        new_value: Some(new_value),
        verb: "patch".to_owned(),
        actor: "bob@example.com".to_owned(),
        actor_kind: ActorKind::Person,
        on_behalf_of: None,
        user_agent: None,
        source: ChangeSource::Audit,
        code: Some(200),
    }
}

/// A transition of an episode of `over-limit`.
pub fn violation(id: &str, episode: &str, at: Timestamp, state: AlertState) -> Violation {
    Violation {
        event_id: id.into(),
        episode_id: episode.into(),
        timestamp: at,
        alert_type: Rule::OverLimit,
        severity: Severity::Critical,
        state,
        cause: Cause::Unknown,
        message: "payments/orders-api runs 6 pods, 4 are declared".to_owned(),
        cluster: prod(),
        namespace: Some("payments".to_owned()),
        deployment_name: Some("orders-api".to_owned()),
        uid: None,
        api_id: None,
        team_id: None,
        observed: Some(6),
        limit_value: Some(4),
        desired: Some(6),
        ceiling: None,
        surge_allowance: Some(0),
        actor: None,
        snapshot_id: Some("s1".into()),
        started_at: october(1, 0),
        ended_at: None,
        evidence: Json::parse("{}").unwrap(),
    }
}

/// What became of telling one receiver.
pub fn notification(id: &str, event: &EventId, outcome: &str, at: Timestamp) -> Notification {
    Notification {
        notification_id: id.into(),
        event_id: event.clone(),
        episode_id: "e1".into(),
        receiver: "ops".to_owned(),
        channel: "webhook".to_owned(),
        outcome: outcome.to_owned(),
        attempts: 1,
        sent_at: at,
        error: None,
    }
}

/// A unit of work on pods.
pub fn ledger(stage: &str, id: &str, objects: i64, rows: i64, rejects: i64) -> PipelineLedger {
    PipelineLedger {
        stage: stage.to_owned(),
        id: id.to_owned(),
        cluster: Some(prod()),
        snapshot_id: Some("s1".into()),
        kind: Some("pods".to_owned()),
        table: (stage != "snapshotter").then(|| "gke_pods".to_owned()),
        parts: 1,
        objects,
        rows,
        rejects,
        started_at: october(1, 0),
        finished_at: october(1, 1),
        outcome: "done".to_owned(),
    }
}

/// A rejected pod.
pub fn reject(snapshot: &str, line: i64, reason: &str) -> RejectedRows {
    RejectedRows {
        cluster: prod(),
        snapshot_id: snapshot.into(),
        kind: "pods".to_owned(),
        table: Some("gke_pods".to_owned()),
        object: None,
        line: Some(line),
        reason: reason.to_owned(),
        raw_object: None,
        observed_at: october(1, 0),
    }
}
