//! A cluster that does not exist and lives on: a pure function of a seed and a time.
//!
//! Teams deploy (with a surge while they roll out), scale by hand over their limits, raise
//! autoscalers' ceilings, delete and recreate; autoscalers follow the day. The same seed, settings
//! and time give the same bytes, on every machine.

mod dice;
mod history;
mod render;
mod settings;
mod story;
#[cfg(test)]
mod tests;
mod workload;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use schemas::Timestamp;

use super::listing::{self, Pager};
use crate::ports::{Cluster, ClusterError, Kind, KindPage, Listing, PortError, PortResult, RawObject};
use render::{hpa, node, pod, rollout};
pub use settings::SimSettings;
pub use story::{Change, DeclaredLimit, changes, declared_limits};
use workload::Workload;

/// Deployments per node: about 4.5 pods each, and room to roll out.
const DEPLOYMENTS_PER_NODE: u64 = 15;
/// Fewest nodes.
const NODES_AT_LEAST: u64 = 3;

/// A simulated cluster.
#[derive(Debug, Clone, Copy)]
pub struct SimCluster {
    seed: u64,
    settings: SimSettings,
}

impl SimCluster {
    /// The cluster of a seed.
    pub fn new(seed: u64, settings: SimSettings) -> Self {
        Self { seed, settings }
    }

    /// The cluster of an address without its scheme: `SEED[?deployments=N][&start=TIME]`.
    pub fn parse(address: &str) -> PortResult<Self> {
        SimSettings::parse(address)
            .map(|(seed, settings)| Self { seed, settings })
            .map_err(|error| PortError::never_will(format!("configure cluster sim:{address}"), error))
    }

    /// The pod at a position of an endless row of pods like those of this cluster, for load tests.
    pub fn sample_pod(&self, position: u64) -> Bytes {
        let workload = Workload::at(self.seed, &self.settings, position);
        let state = history::State::of_one_pod(workload.born);
        pod::pods(&workload, &state, self.nodes()).into_iter().next().unwrap_or_default()
    }

    fn nodes(&self) -> u64 {
        (u64::from(self.settings.deployments) / DEPLOYMENTS_PER_NODE).max(NODES_AT_LEAST)
    }

    /// Objects that belong to one position: a workload's, or a node.
    fn objects(&self, kind: Kind, position: u64, at: i64) -> Vec<Bytes> {
        if kind == Kind::Nodes {
            let start = self.settings.start.micros().div_euclid(1_000_000);
            return vec![node::node(self.seed, position, start, at)];
        }
        let workload = Workload::at(self.seed, &self.settings, position);
        let Some(state) = workload.state(at) else { return Vec::new() };
        match kind {
            Kind::Pods => pod::pods(&workload, &state, self.nodes()),
            Kind::Deployments => vec![rollout::deployment(&workload, &state)],
            Kind::ReplicaSets => rollout::replica_sets(&workload, &state),
            Kind::HorizontalPodAutoscalers => hpa::autoscaler(&workload, &state).into_iter().collect(),
            Kind::Nodes | Kind::Clusters | Kind::Documents | Kind::Collection(_) | Kind::Unreadable => Vec::new(),
        }
    }
}

#[async_trait]
impl Cluster for SimCluster {
    async fn list(&self, kind: Kind, at: Timestamp) -> Result<Listing, ClusterError> {
        let (api_version, positions) = match kind {
            Kind::Clusters => {
                return Ok(listing::of_one(Bytes::from_static(
                    br#"{"gitVersion":"v1.33.4-gke.100","platform":"linux/amd64"}"#,
                )));
            }
            Kind::Unreadable => return Ok(listing::empty()),
            Kind::Documents | Kind::Collection(_) => {
                return Err(ClusterError::Refused { kind, reason: "a cluster has no documents".to_owned() });
            }
            Kind::Nodes => ("v1", self.nodes()),
            Kind::Pods => ("v1", u64::from(self.settings.deployments)),
            Kind::Deployments | Kind::ReplicaSets => ("apps/v1", u64::from(self.settings.deployments)),
            // They come in several versions, each saying its own.
            Kind::HorizontalPodAutoscalers => ("", u64::from(self.settings.deployments)),
        };
        let seconds = at.micros().div_euclid(1_000_000);
        let cluster = *self;
        let pages = futures::stream::unfold((Pager::default(), 0), move |(mut pager, mut position)| {
            let page = loop {
                if let Some(page) = pager.full() {
                    break Some(page);
                }
                if position == positions {
                    break pager.any();
                }
                for object in cluster.objects(kind, position, seconds) {
                    pager.push(RawObject::Json(object));
                }
                position += 1;
            };
            futures::future::ready(page.map(|page: KindPage| (Ok(page), (pager, position))))
        });
        Ok(Listing {
            api_version: api_version.to_owned(),
            resource_version: seconds.to_string(),
            known_gaps: None,
            pages: pages.boxed(),
        })
    }
}
