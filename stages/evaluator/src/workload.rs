//! A workload as one snapshot shows it, with its autoscalers and the limit in force.

use std::collections::HashMap;
use std::sync::Arc;

use platform::ports::Limit;
use schemas::{Condition, GkeDeployments, HpaData, Timestamp};

/// Conditions of an autoscaler that tell why it scaled or could not.
const KEPT_CONDITIONS: [&str; 3] = ["AbleToScale", "ScalingActive", "ScalingLimited"];

/// One Deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Identity over time; a source without uids leaves the name.
    pub uid: Option<String>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// Generation of its specification: 1 means it is as it was created.
    pub generation: Option<i64>,
    /// spec.replicas.
    pub desired: i64,
    /// status.replicas.
    pub actual: i64,
    /// status.updatedReplicas.
    pub updated: i64,
    /// What a rollout of it may do.
    pub rollout: Rollout,
    /// API, from its labels.
    pub api_id: Option<String>,
    /// Team, from its labels.
    pub team_id: Option<String>,
    /// The limit in force.
    pub limit: Option<Arc<Limit>>,
    /// Autoscalers that target it, by name.
    pub autoscalers: Vec<Autoscaler>,
}

/// The rollout strategy of a Deployment, and whether a rollout is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// `RollingUpdate` or `Recreate`.
    pub strategy: String,
    /// `maxSurge` as written.
    pub max_surge: Option<String>,
    /// `progressDeadlineSeconds`.
    pub progress_deadline_seconds: Option<i64>,
    /// Whether a rollout is in progress.
    pub progressing: bool,
    /// Since when.
    pub progressing_since: Option<Timestamp>,
}

/// An autoscaler as far as verdicts need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoscaler {
    /// Name.
    pub name: String,
    /// minReplicas.
    pub min_replicas: Option<i64>,
    /// The ceiling: maxReplicas.
    pub max_replicas: Option<i64>,
    /// What it last asked for.
    pub desired_replicas: Option<i64>,
    /// When it last changed the number.
    pub last_scale_time: Option<Timestamp>,
    /// `AbleToScale`, `ScalingActive`, `ScalingLimited`.
    pub conditions: Vec<Condition>,
}

impl Workload {
    /// The limit's number.
    pub fn limit_value(&self) -> Option<i64> {
        self.limit.as_ref().map(|limit| limit.max_replicas)
    }

    /// The highest ceiling of its autoscalers.
    pub fn ceiling(&self) -> Option<i64> {
        self.autoscalers.iter().filter_map(|autoscaler| autoscaler.max_replicas).max()
    }

    /// Its team: from the labels, else from the declaration in force.
    pub fn team(&self) -> Option<&str> {
        self.team_id.as_deref().or_else(|| self.limit.as_ref()?.team_id.as_deref())
    }

    /// Its API: from the labels, else from the declaration in force.
    pub fn api(&self) -> Option<&str> {
        self.api_id.as_deref().or_else(|| self.limit.as_ref()?.api_id.as_deref())
    }

    /// What identifies it over time, in the order that states are sorted by. The name is part of it
    /// beside the uid, so that a copied uid in a hand-made dump does not merge two workloads.
    pub fn identity(&self) -> (&str, &str, Option<&str>) {
        (&self.namespace, &self.name, self.uid.as_deref())
    }
}

impl From<GkeDeployments> for Workload {
    fn from(row: GkeDeployments) -> Self {
        Self {
            namespace: row.namespace,
            name: row.name,
            uid: row.uid,
            created_at: row.created_at,
            generation: row.generation,
            desired: row.desired_replicas,
            actual: row.actual_replicas,
            updated: row.updated_replicas,
            rollout: Rollout {
                strategy: row.strategy,
                max_surge: row.max_surge,
                progress_deadline_seconds: row.progress_deadline_seconds,
                progressing: row.progressing,
                progressing_since: row.progressing_since,
            },
            api_id: row.api_id,
            team_id: row.team_id,
            limit: None,
            autoscalers: Vec::new(),
        }
    }
}

/// Joins Deployments with their autoscalers and limits.
#[derive(Debug, Default)]
pub struct WorkloadParts {
    deployments: Vec<Workload>,
    autoscalers: HashMap<(String, String), Vec<Autoscaler>>,
}

impl WorkloadParts {
    /// Adds a Deployment.
    pub fn add_deployment(&mut self, row: GkeDeployments) {
        self.deployments.push(row.into());
    }

    /// Adds one row of an autoscaler; only those of Deployments matter, and of the rows of one
    /// autoscaler (one per metric) the first. The target's API version is not looked at: it is
    /// often wrong or missing.
    pub fn add_autoscaler(&mut self, row: HpaData) {
        let (Some("Deployment"), Some(target)) = (row.scale_target_kind.as_deref(), row.scale_target_name) else {
            return;
        };
        let autoscalers = self.autoscalers.entry((row.namespace, target)).or_default();
        if autoscalers.iter().any(|known| known.name == row.name) {
            return;
        }
        let kept = |condition: &Condition| KEPT_CONDITIONS.contains(&condition.r#type.as_str());
        autoscalers.push(Autoscaler {
            name: row.name,
            min_replicas: row.min_replicas,
            max_replicas: row.max_replicas,
            desired_replicas: row.desired_replicas,
            last_scale_time: row.last_scale_time,
            conditions: row.scaling_conditions.into_iter().filter(kept).collect(),
        });
    }

    /// The workloads, each with its autoscalers and the limit in force for it.
    pub fn join(self, limits: Vec<Limit>) -> Vec<Workload> {
        let Self { mut deployments, mut autoscalers } = self;
        let mut by_workload: HashMap<&str, HashMap<&str, Arc<Limit>>> = HashMap::new();
        let limits: Vec<Arc<Limit>> = limits.into_iter().map(Arc::new).collect();
        for limit in &limits {
            by_workload.entry(&limit.namespace).or_default().insert(&limit.deployment_name, Arc::clone(limit));
        }
        for found in autoscalers.values_mut() {
            found.sort_by(|one, other| one.name.cmp(&other.name));
        }
        let mut target = (String::new(), String::new());
        for workload in &mut deployments {
            let of_namespace = by_workload.get(workload.namespace.as_str());
            workload.limit = of_namespace.and_then(|limits| limits.get(workload.name.as_str())).map(Arc::clone);
            if !autoscalers.is_empty() {
                target.0.clone_from(&workload.namespace);
                target.1.clone_from(&workload.name);
                if let Some(found) = autoscalers.get(&target) {
                    workload.autoscalers.clone_from(found);
                }
            }
        }
        deployments
    }
}
