//! The handler of snapshot requests.

use std::sync::Arc;

use anyhow::{anyhow, ensure};
use async_trait::async_trait;
use platform::ports::Broker;
use platform::runtime::{Consumer, Handle, HandleError, MessageContext, Ports, Stage};
use schemas::{Message, SnapshotRequest, Subscription, Topic};

use crate::batches;
use crate::config::Config;
use crate::request::{Asked, Wanted, resolve};
use crate::snapshot::Snapshots;
use crate::sources::{DocumentsSource, Source, Sources};

/// Name of the stage.
const NAME: &str = "snapshotter";
/// Messages published in one call.
const MESSAGES_PER_PUBLISH: usize = 500;

/// The stage: it consumes `snapshot-requests`. It needs broker, objects and at least one cluster or
/// documents source.
///
/// # Errors
/// Without any source, for a name that two of them have, and for settings out of their bounds.
pub fn stage(config: &Config, ports: &Ports) -> anyhow::Result<Stage> {
    let sources = sources(config, ports)?;
    let snapshotter = Snapshotter {
        broker: Arc::clone(&ports.broker),
        sources,
        snapshots: Snapshots::new(Arc::clone(&ports.objects), Arc::clone(&ports.clock), config.clone().checked()?),
    };
    let subscription = Subscription::new(Topic::SnapshotRequests, NAME);
    Ok(Stage { name: NAME, consumers: vec![Consumer::new::<SnapshotRequest>(subscription, Arc::new(snapshotter))] })
}

fn sources(config: &Config, ports: &Ports) -> anyhow::Result<Sources> {
    let clusters = ports.clusters.iter().map(|(name, cluster)| (name.clone(), Source::Cluster(Arc::clone(cluster))));
    let mut sources: Sources = clusters.collect();
    for (name, documents) in &ports.documents {
        let source = DocumentsSource { documents: Arc::clone(documents), collections: config.collections.clone() };
        let other = sources.insert(name.clone(), Source::Documents(Arc::new(source)));
        ensure!(other.is_none(), "{name} is the name of a cluster and of a documents source");
    }
    ensure!(!sources.is_empty(), "the snapshotter needs at least one cluster or documents source");
    Ok(sources)
}

struct Snapshotter {
    broker: Arc<dyn Broker>,
    sources: Sources,
    snapshots: Snapshots,
}

/// One request in; its snapshot's manifest stored and its parts announced.
#[async_trait]
impl Handle<SnapshotRequest> for Snapshotter {
    async fn handle(&self, request: SnapshotRequest, context: &MessageContext) -> Result<(), HandleError> {
        let asked = resolve(request, context, &self.sources);
        match asked.map_err(|error| HandleError::Poison(error.into()))? {
            Asked::Every(requests) => self.publish(&requests).await,
            Asked::One(wanted) => {
                let manifest = self.snapshots.manifest_of(&wanted, self.source(&wanted)?).await?;
                self.publish(&batches::of(&manifest, &wanted.keys())).await
            }
        }
    }
}

impl Snapshotter {
    fn source(&self, wanted: &Wanted) -> Result<&Source, HandleError> {
        let cluster = &wanted.cluster;
        self.sources.get(cluster).ok_or_else(|| HandleError::Poison(anyhow!("cluster {cluster} is not configured")))
    }

    async fn publish<M: Message>(&self, messages: &[M]) -> Result<(), HandleError> {
        for some in messages.chunks(MESSAGES_PER_PUBLISH) {
            self.broker.publish_messages(some).await?;
        }
        Ok(())
    }
}
