//! The opened ports of one process.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::ClusterName;

use crate::ports::{Broker, Clock, Cluster, Documents, Objects, SystemClock, Warehouse};

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
    /// Documents sources by configured name, which is in the place of a cluster's, for the
    /// snapshotter.
    pub documents: BTreeMap<ClusterName, Arc<dyn Documents>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// What every stage has, with the machine's clock and nothing else.
    pub fn new(broker: Arc<dyn Broker>, objects: Arc<dyn Objects>) -> Self {
        Self {
            broker,
            objects,
            warehouse: None,
            clusters: BTreeMap::new(),
            documents: BTreeMap::new(),
            clock: Arc::new(SystemClock),
        }
    }
}
