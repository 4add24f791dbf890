//! What people and machines publish in a round.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use schemas::{DeclarationStatus, IdBuilder, LimitDeclaration, Timestamp, Topic};
use serde_json::json;

use super::{Workload, name_of, subscribers};

/// Namespace of every workload.
pub(super) const NAMESPACE: &str = "shop";
/// Topics whose messages somebody must be able to read.
const READ_TOPICS: [Topic; 8] = [
    Topic::SnapshotRequests,
    Topic::RawBatches,
    Topic::RowBatches,
    Topic::AuditLogs,
    Topic::ReplicaChanges,
    Topic::LimitDeclarations,
    Topic::Violations,
    Topic::Notifications,
];

/// Bytes that are no message.
#[derive(Debug, Clone)]
pub struct Poison {
    /// Where they are published.
    pub topic: Topic,
    /// The bytes; they begin with [`Poison::MARK`].
    pub payload: Vec<u8>,
}

impl Poison {
    /// What every poison begins with.
    pub const MARK: &'static str = "poison";

    /// One dead letter of every subscription that gets it.
    pub fn letters(&self) -> u64 {
        subscribers(self.topic)
    }
}

/// One at every topic that is read.
pub(super) fn poison(round: usize) -> Vec<Poison> {
    let payload = |topic: &Topic| format!("{} of round {round} for {topic}", Poison::MARK).into_bytes();
    READ_TOPICS.iter().map(|topic| Poison { topic: *topic, payload: payload(topic) }).collect()
}

/// The limits of the story: first ones in round 0, one lowered in round 2, one at random each round.
pub(super) fn declarations(round: usize, at: Timestamp, dice: &mut ChaCha8Rng) -> Vec<LimitDeclaration> {
    let random = ("random", dice.random_range(2..=8));
    let declared: Vec<(&str, i64)> = match round {
        0 => vec![("steady", 4), ("grows", 4), ("lowered", 6), ("scaled", 4), ("clumsy", 4), ("goes", 5), random],
        2 => vec![("lowered", 3), random],
        _ => vec![random],
    };
    declared.into_iter().map(|(deployment, limit)| declaration(deployment, limit, at)).collect()
}

fn declaration(deployment: &str, limit: i64, at: Timestamp) -> LimitDeclaration {
    LimitDeclaration {
        declaration_id: IdBuilder::new("campaign-declaration")
            .part("deployment", deployment)
            .part("at", at.micros().to_be_bytes())
            .finish(),
        timestamp: at,
        namespace: NAMESPACE.to_owned(),
        deployment_name: deployment.to_owned(),
        cluster: None,
        initial_max_replicas: None,
        max_replicas: limit,
        image: None,
        resources_limits: Some(r#"{"cpu":"2","memory":"4Gi"}"#.to_owned()),
        resources_requests: None,
        environment: None,
        volumes: None,
        updated_by: "alice@example.com".to_owned(),
        created_at: at,
        updated_at: at,
        change_reason: Some(format!("limit {limit}")),
        api_id: Some(deployment.to_owned()),
        team_id: Some("shop".to_owned()),
        user_id: Some("alice@example.com".to_owned()),
        source: None,
        status: DeclarationStatus::Applied,
    }
}

/// Somebody scales by hand what runs more than it should.
pub(super) fn audit(at: Timestamp, clusters: &[(&'static str, Vec<Workload>)]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for (cluster, workloads) in clusters {
        for workload in workloads.iter().filter(|workload| workload.desired > 5) {
            entries.push(entry(at, cluster, workload));
        }
    }
    entries
}

fn entry(at: Timestamp, cluster: &str, workload: &Workload) -> Vec<u8> {
    let name = workload.name;
    let scale = json!({
        "@type": "autoscaling.k8s.io/v1.Scale", "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"replicas": workload.desired}, "status": {"replicas": workload.actual},
    });
    let entry = json!({
        "insertId": format!("{cluster}-{name}-{}", at.micros()),
        "logName": "projects/campaign/logs/cloudaudit.googleapis.com%2Factivity",
        "timestamp": at.to_string(),
        "resource": {"type": "k8s_cluster", "labels": {"project_id": "campaign", "location": "here", "cluster_name": name_of(cluster)}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "serviceName": "k8s.io",
            "methodName": "io.k8s.apps.v1.deployments.scale.update",
            "resourceName": format!("apps/v1/namespaces/{NAMESPACE}/deployments/{name}/scale"),
            "authenticationInfo": {"principalEmail": "bob@example.com"},
            "requestMetadata": {"callerSuppliedUserAgent": "kubectl/v1.33.4"},
            "status": {},
            "request": scale, "response": scale,
        },
    });
    entry.to_string().into_bytes()
}
