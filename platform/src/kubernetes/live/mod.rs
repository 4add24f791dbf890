//! A live API server: raw paged lists, split while they stream in.

mod refusal;
mod resource;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::{Client, Config};
use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use futures::StreamExt as _;
use schemas::Timestamp;

use super::gke::GkeName;
use crate::nearest::did_you_mean;
use crate::ports::{Cluster, ClusterError, Kind, Listing, PortError, PortResult};
use resource::{ResourcePath, VERSION_PATH};
use walk::{Failure, ListWalk};

/// Largest answer of `/version` that is read, in bytes.
const VERSION_BOUND_BYTES: usize = 64 * 1024;

/// How a live cluster is read.
#[derive(Debug, Clone)]
pub struct KubeSettings {
    /// Objects asked for per request. More make fewer requests and longer ones; the API server
    /// holds a whole page in memory.
    pub page_limit: u32,
    /// How long a response may take to begin, repetitions by the client on 429, 503 and 504
    /// included.
    pub response_timeout: Duration,
    /// How long a response may stand still once it has begun. Time the consumer takes does not
    /// count.
    pub read_timeout: Duration,
    /// Namespaces that namespaced kinds are listed without.
    pub excluded_namespaces: Vec<String>,
    /// Largest object that is read, in bytes.
    pub object_bound_bytes: usize,
}

impl Default for KubeSettings {
    fn default() -> Self {
        Self {
            page_limit: 500,
            response_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            excluded_namespaces: Vec::new(),
            object_bound_bytes: super::splitter::OBJECT_BOUND_BYTES,
        }
    }
}

/// A cluster behind its API server. Reads lists and `/version`, never writes, never watches.
#[derive(Clone)]
pub struct KubeCluster {
    client: Client,
    settings: Arc<KubeSettings>,
    /// Its name there, if it was found by it.
    at_google: Option<Arc<GkeName>>,
}

impl KubeCluster {
    /// A cluster by kubeconfig context; without one, the current context, else the service account
    /// of the pod this runs in. Nothing is asked of the API server yet.
    pub async fn connect(context: Option<&str>) -> PortResult<Self> {
        Self::connect_with(context, KubeSettings::default()).await
    }

    /// The same with settings of its own.
    pub async fn connect_with(context: Option<&str>, settings: KubeSettings) -> PortResult<Self> {
        let attempted = || format!("configure cluster kube:{}", context.unwrap_or_default());
        let config = match context {
            Some(context) => of_context(context).await,
            None => Config::infer().await.context("neither a kubeconfig nor a pod's service account was found"),
        };
        Self::with_config(config.map_err(|error| PortError::never_will(attempted(), error))?, settings)
    }

    /// A cluster by a configuration at hand.
    pub fn with_config(config: Config, settings: KubeSettings) -> PortResult<Self> {
        let client = Client::try_from(Self::bounded(config, &settings))
            .map_err(|error| PortError::never_will("configure a Kubernetes client", anyhow!(error)))?;
        Ok(Self { client, settings: Arc::new(settings), at_google: None })
    }

    /// A cluster found by its name at Google, by a client whose configuration is
    /// [`KubeCluster::bounded`].
    pub(super) fn at_google(name: GkeName, client: Client, settings: KubeSettings) -> Self {
        Self { client, settings: Arc::new(settings), at_google: Some(Arc::new(name)) }
    }

    /// The configuration, guarding what the time-outs of this adapter do not reach: connections under
    /// way when a request is given up.
    pub(super) fn bounded(mut config: Config, settings: &KubeSettings) -> Config {
        config.read_timeout = Some(settings.read_timeout.saturating_mul(2));
        config.reset_reader_on_write = true;
        config
    }

    async fn list_resource(&self, kind: Kind, path: ResourcePath) -> Result<Listing, Failure> {
        let mut walk = ListWalk::new(self.client.clone(), Arc::clone(&self.settings), kind, path);
        walk.read_head().await?;
        Ok(Listing {
            api_version: walk.api_version().to_owned(),
            resource_version: walk.resource_version().to_owned(),
            known_gaps: None,
            pages: walk.into_pages().boxed(),
        })
    }

    /// Lists the kind in the first of its API versions that the server knows.
    async fn list_served(&self, kind: Kind) -> Result<Listing, ClusterError> {
        let mut refusal = ClusterError::Refused { kind, reason: "it is not a resource of the API".to_owned() };
        for path in resource::versions(kind) {
            match self.list_resource(kind, *path).await {
                Err(Failure::NotServed(error)) => refusal = error,
                other => return Ok(other?),
            }
        }
        Err(refusal)
    }

    async fn version(&self) -> Result<Listing, ClusterError> {
        let kind = Kind::Clusters;
        let bytes = walk::read_small(&self.client, &self.settings, kind, VERSION_PATH, VERSION_BOUND_BYTES).await?;
        let refused = |reason: String| ClusterError::Refused { kind, reason };
        let object = super::cluster_object::from_version(&bytes, self.at_google.as_deref()).map_err(refused)?;
        Ok(super::listing::of_one(object.unwrap_or_else(super::cluster_object::unknown)))
    }
}

/// The configuration of a kubeconfig's context.
async fn of_context(context: &str) -> anyhow::Result<Config> {
    let kubeconfig = Kubeconfig::read().context("read the kubeconfig")?;
    let known = || kubeconfig.contexts.iter().map(|named| named.name.as_str());
    if !known().any(|name| name == context) {
        let hint = did_you_mean(context, known());
        return Err(anyhow!("the kubeconfig has no context {context:?}{hint}"));
    }
    let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.with_context(|| format!("context {context:?}"))
}

#[async_trait]
impl Cluster for KubeCluster {
    async fn list(&self, kind: Kind, _at: Timestamp) -> Result<Listing, ClusterError> {
        match kind {
            Kind::Clusters => self.version().await,
            // Whatever cannot be read stands in its place among its own kind.
            Kind::Unreadable => Ok(super::listing::empty()),
            _ => self.list_served(kind).await,
        }
    }
}
