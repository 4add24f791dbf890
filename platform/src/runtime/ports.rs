//! The opened ports of one process.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::ClusterName;

use crate::ports::{Broker, Clock, Cluster, Objects, Warehouse};

/// The ports a process has; what a stage does not need may be absent.
#[derive(Clone)]
pub struct Ports {
    /// Topics and subscriptions.
    pub broker: Arc<dyn Broker>,
    /// Parts and states.
    pub objects: Arc<dyn Objects>,
    /// Tables, for the stages that have them.
    pub warehouse: Option<Arc<dyn Warehouse>>,
    /// Clusters by configured name, for the snapshotter.
    pub clusters: BTreeMap<ClusterName, Arc<dyn Cluster>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}
