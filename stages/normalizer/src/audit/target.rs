//! The objects whose replica numbers are followed, and their numbers.

use schemas::ReplicaField;

use super::outcome::{Skip, shown};

/// A kind of object with replica numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// `spec.replicas`, also through its Scale.
    Deployment,
    /// `spec.replicas`, also through its Scale.
    StatefulSet,
    /// `spec.minReplicas` and `spec.maxReplicas`.
    HorizontalPodAutoscaler,
}

impl Target {
    /// The kind a plural resource name stands for, in the groups that serve it.
    pub(super) fn of_resource(group: &str, resource: &str) -> Result<Self, Skip> {
        match (group, resource) {
            ("apps" | "extensions", "deployments") => Ok(Self::Deployment),
            ("apps", "statefulsets") => Ok(Self::StatefulSet),
            ("autoscaling", "horizontalpodautoscalers") => Ok(Self::HorizontalPodAutoscaler),
            ("apps" | "extensions", "replicasets") => Err(Skip::ReplicaSet),
            ("" | "core", _) => Err(Skip::OtherResource { resource: shown(resource) }),
            _ => Err(Skip::OtherResource { resource: format!("{}.{}", shown(resource), shown(group)) }),
        }
    }

    /// Its kind, as objects write it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
        }
    }

    /// Its numbers.
    pub const fn fields(self) -> &'static [ReplicaField] {
        match self {
            Self::Deployment | Self::StatefulSet => &[ReplicaField::Replicas],
            Self::HorizontalPodAutoscaler => &[ReplicaField::MinReplicas, ReplicaField::MaxReplicas],
        }
    }

    /// The number that stands for the whole object where an entry does not tell them apart: when it
    /// was deleted, or changed in a way that was not logged. Of an autoscaler it is the ceiling,
    /// the number that limits are compared with.
    pub const fn leading_field(self) -> ReplicaField {
        match self {
            Self::Deployment | Self::StatefulSet => ReplicaField::Replicas,
            Self::HorizontalPodAutoscaler => ReplicaField::MaxReplicas,
        }
    }

    /// Its numbers as a sentence names them.
    pub(super) const fn field_names(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet => "spec.replicas",
            Self::HorizontalPodAutoscaler => "spec.minReplicas or spec.maxReplicas",
        }
    }
}

/// The key of a number within `spec`.
pub(super) const fn key(field: ReplicaField) -> &'static str {
    match field {
        ReplicaField::Replicas => "replicas",
        ReplicaField::MinReplicas => "minReplicas",
        ReplicaField::MaxReplicas => "maxReplicas",
    }
}

/// The value of a number that an object does not write: the API's default, none for the ceiling,
/// which the API requires.
pub(super) const fn default_of(field: ReplicaField) -> Option<i64> {
    match field {
        ReplicaField::Replicas | ReplicaField::MinReplicas => Some(1),
        ReplicaField::MaxReplicas => None,
    }
}
