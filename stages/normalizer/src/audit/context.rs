//! What decoding may know besides the entry.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemas::{ClusterName, ReplicaField};

use super::Target;
use super::call::ClusterLabels;
use super::outcome::Reject;

/// Stands for every cluster that is not listed.
const EVERY_OTHER: &str = "*";

/// Configured names, and what numbers were last.
#[derive(Debug, Clone)]
pub struct AuditContext {
    /// Users and service accounts through which changes are meant to come.
    pub pipelines: BTreeSet<String>,
    /// Our names of clusters, by `project/location/name` or by `name` as `resource.labels` gives
    /// them, or `*` for every other; a cluster that is not listed keeps its own name.
    pub clusters: BTreeMap<String, ClusterName>,
    /// The cluster of entries that name none: native events never do.
    pub default_cluster: ClusterName,
    /// What numbers were before the entry.
    pub last_known: LastKnown,
}

impl AuditContext {
    /// A context without pipelines, configured clusters and known numbers.
    pub fn new(default_cluster: ClusterName) -> Self {
        Self {
            pipelines: BTreeSet::new(),
            clusters: BTreeMap::new(),
            default_cluster,
            last_known: LastKnown::default(),
        }
    }

    /// Adds a pipeline identity.
    #[must_use]
    pub fn with_pipeline(mut self, identity: impl Into<String>) -> Self {
        self.pipelines.insert(identity.into());
        self
    }

    /// Adds our name of a cluster.
    #[must_use]
    pub fn with_cluster(mut self, labelled: impl Into<String>, name: ClusterName) -> Self {
        self.clusters.insert(labelled.into(), name);
        self
    }

    /// Our name of the cluster an entry tells of.
    pub(super) fn cluster(&self, labels: &ClusterLabels<'_>) -> Result<ClusterName, Reject> {
        let Some(name) = labels.name else { return Ok(self.default_cluster.clone()) };
        let full = match (labels.project, labels.location) {
            (Some(project), Some(location)) => self.clusters.get(&format!("{project}/{location}/{name}")),
            _ => None,
        };
        match full.or_else(|| self.clusters.get(name)).or_else(|| self.clusters.get(EVERY_OTHER)) {
            Some(configured) => Ok(configured.clone()),
            None => Ok(ClusterName::parse(name)?),
        }
    }
}

/// One number of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NumberKey {
    /// The cluster.
    pub cluster: ClusterName,
    /// The namespace.
    pub namespace: String,
    /// The object's kind.
    pub target: Target,
    /// The object's name.
    pub name: String,
    /// Which of its numbers.
    pub field: ReplicaField,
}

/// Numbers as they were last seen, by whoever keeps them. The normalizer keeps none: entries come
/// out of order and to several replicas, so that its own memory would be a guess.
#[derive(Debug, Clone, Default)]
pub struct LastKnown(HashMap<NumberKey, i64>);

impl LastKnown {
    /// Remembers a number.
    pub fn set(&mut self, key: NumberKey, value: i64) {
        self.0.insert(key, value);
    }

    /// What a number was, where it is known.
    pub fn get(&self, key: &NumberKey) -> Option<i64> {
        self.0.get(key).copied()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
