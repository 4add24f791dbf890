//! The handler of snapshot requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{anyhow, ensure};
use async_trait::async_trait;
use platform::ports::{Broker, Cluster};
use platform::runtime::{Consumer, Handle, HandleError, MessageContext, Ports, Stage};
use schemas::{ClusterName, Message, SnapshotRequest, Subscription, Topic};

use crate::batches;
use crate::config::Config;
use crate::request::{Asked, Wanted, resolve};
use crate::snapshot::Snapshots;

/// Name of the stage.
const NAME: &str = "snapshotter";
/// Messages published in one call.
const MESSAGES_PER_PUBLISH: usize = 500;

/// The stage: it consumes `snapshot-requests`. It needs broker, objects and at least one cluster.
pub fn stage(config: &Config, ports: &Ports) -> anyhow::Result<Stage> {
    ensure!(!ports.clusters.is_empty(), "the snapshotter needs at least one cluster");
    let snapshotter = Snapshotter {
        broker: Arc::clone(&ports.broker),
        clusters: ports.clusters.clone(),
        snapshots: Snapshots::new(Arc::clone(&ports.objects), Arc::clone(&ports.clock), config.clone().checked()?),
    };
    let subscription = Subscription::new(Topic::SnapshotRequests, NAME);
    Ok(Stage { name: NAME, consumers: vec![Consumer::new::<SnapshotRequest>(subscription, Arc::new(snapshotter))] })
}

struct Snapshotter {
    broker: Arc<dyn Broker>,
    clusters: BTreeMap<ClusterName, Arc<dyn Cluster>>,
    snapshots: Snapshots,
}

/// One request in; its snapshot's manifest stored and its parts announced.
#[async_trait]
impl Handle<SnapshotRequest> for Snapshotter {
    async fn handle(&self, request: SnapshotRequest, context: &MessageContext) -> Result<(), HandleError> {
        let asked = resolve(request, context, self.clusters.keys());
        match asked.map_err(|error| HandleError::Poison(error.into()))? {
            Asked::Every(requests) => self.publish(&requests).await,
            Asked::One(wanted) => {
                let manifest = self.snapshots.manifest_of(&wanted, self.cluster(&wanted)?).await?;
                self.publish(&batches::of(&manifest, &wanted.keys())).await
            }
        }
    }
}

impl Snapshotter {
    fn cluster(&self, wanted: &Wanted) -> Result<&Arc<dyn Cluster>, HandleError> {
        let cluster = &wanted.cluster;
        self.clusters.get(cluster).ok_or_else(|| HandleError::Poison(anyhow!("cluster {cluster} is not configured")))
    }

    async fn publish<M: Message>(&self, messages: &[M]) -> Result<(), HandleError> {
        for some in messages.chunks(MESSAGES_PER_PUBLISH) {
            self.broker.publish_messages(some).await?;
        }
        Ok(())
    }
}
