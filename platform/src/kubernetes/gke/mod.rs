//! Clusters of Google Kubernetes Engine, by the name they have at Google.
//!
//! Where the API server is and whose certificates it shows is asked of the Container API, and asked
//! again when it cannot be reached: Google moves endpoints and rotates authorities. Each request
//! carries a token of the application's own credentials that is valid when it is sent.

mod bearer;
mod container_api;
mod endpoint;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Config;
use ::kube::client::ClientBuilder;
use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use schemas::Timestamp;
use tokio::sync::Mutex;

use super::live::{KubeCluster, KubeSettings};
use crate::ports::{Cluster, ClusterError, Kind, Listing, PortError, PortResult};
use bearer::BearerLayer;
use container_api::{ContainerApi, Trouble};
use endpoint::Endpoint;
pub use tokens::{CredentialsMaker, Tokens};

/// Where Google serves the Container API.
const CONTAINER_API: &str = "https://container.googleapis.com";
/// Requests that may wait for the connection; one list has one under way.
const WAITING_REQUESTS: usize = 64;

/// A cluster's name at Google.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GkeName {
    /// The project's id or number.
    pub project: String,
    /// Region or zone.
    pub location: String,
    /// The cluster's name there.
    pub cluster: String,
}

impl fmt::Display for GkeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gke:{}/{}/{}", self.project, self.location, self.cluster)
    }
}

/// The way to a cluster's API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GkeRoute {
    /// The address Google gives as the cluster's endpoint.
    #[default]
    Endpoint,
    /// The address within the cluster's network.
    PrivateEndpoint,
    /// The cluster's own DNS name, with a certificate of a public authority.
    DnsEndpoint,
    /// The Connect gateway of the fleet the cluster is a member of.
    ConnectGateway,
}

impl GkeRoute {
    /// Every route, the one taken without a word first.
    pub const ALL: [Self; 4] = [Self::Endpoint, Self::PrivateEndpoint, Self::DnsEndpoint, Self::ConnectGateway];

    /// As addresses and errors write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::PrivateEndpoint => "private-endpoint",
            Self::DnsEndpoint => "dns-endpoint",
            Self::ConnectGateway => "connect-gateway",
        }
    }
}

/// How a GKE cluster is found and read.
#[derive(Debug, Clone)]
pub struct GkeSettings {
    /// Where the Container API is, without a slash at its end.
    pub container_api: String,
    /// In place of Google's Connect gateway, without a slash at its end; none for Google's own.
    pub connect_gateway: Option<String>,
    /// How long an answer of the Container API may take, with the token it takes.
    pub lookup_timeout: Duration,
    /// How the API server is read.
    pub kube: KubeSettings,
}

impl Default for GkeSettings {
    fn default() -> Self {
        Self {
            container_api: CONTAINER_API.to_owned(),
            connect_gateway: None,
            lookup_timeout: Duration::from_secs(20),
            kube: KubeSettings::default(),
        }
    }
}

/// A cluster of Google Kubernetes Engine. Reads lists and `/version`, never writes, never watches.
///
/// It is looked up at its first list, not when it is opened: one cluster that is gone must not keep
/// a process from reading the others.
pub struct GkeCluster {
    name: GkeName,
    route: GkeRoute,
    settings: GkeSettings,
    tokens: Tokens,
    container_api: ContainerApi,
    connection: Mutex<Option<Connection>>,
}

/// The way that was found to the API server.
#[derive(Clone)]
struct Connection {
    /// Tells it from one that replaced it.
    mark: Arc<()>,
    cluster: KubeCluster,
}

impl GkeCluster {
    /// A cluster read with the application default credentials. Nothing is asked of Google yet.
    ///
    /// # Errors
    /// Credentials that are there and cannot be read.
    pub fn open(name: GkeName, route: GkeRoute, settings: GkeSettings) -> PortResult<Self> {
        let tokens = Tokens::application_default();
        let tokens = tokens.map_err(|error| PortError::never_will(format!("open cluster {name}"), error))?;
        Self::with_tokens(name, route, settings, tokens)
    }

    /// The same with credentials at hand.
    ///
    /// # Errors
    /// An HTTP client that cannot be made.
    pub fn with_tokens(name: GkeName, route: GkeRoute, settings: GkeSettings, tokens: Tokens) -> PortResult<Self> {
        let container_api = ContainerApi::new(&settings, tokens.clone())
            .map_err(|error| PortError::never_will(format!("open cluster {name}"), error))?;
        Ok(Self { name, route, settings, tokens, container_api, connection: Mutex::new(None) })
    }

    /// The way to the API server: the one found before, else a new one. Lists that begin at once
    /// wait for one lookup.
    async fn connection(&self, kind: Kind) -> Result<Connection, ClusterError> {
        let mut connection = self.connection.lock().await;
        if let Some(found) = &*connection {
            return Ok(found.clone());
        }
        let found = self.connect().await.map_err(|trouble| match trouble {
            Trouble::Refused(reason) => ClusterError::Refused { kind, reason },
            Trouble::Unavailable(source) => ClusterError::Unavailable { kind, source },
        })?;
        Ok(connection.insert(found).clone())
    }

    async fn connect(&self) -> Result<Connection, Trouble> {
        let described = self.container_api.describe(&self.name).await?;
        let endpoint = Endpoint::of(&described, self.route, self.settings.connect_gateway.as_deref())
            .map_err(|reason| Trouble::Refused(format!("{}: {reason}", self.name)))?;
        tracing::info!(cluster = %self.name, endpoint = %endpoint.url, route = self.route.name(), "cluster found");
        let cluster = self.client(endpoint).map_err(|error| Trouble::Refused(format!("{}: {error:#}", self.name)))?;
        Ok(Connection { mark: Arc::new(()), cluster })
    }

    fn client(&self, endpoint: Endpoint) -> anyhow::Result<KubeCluster> {
        let mut config = Config::new(endpoint.url);
        config.root_cert = endpoint.authorities;
        let config = KubeCluster::bounded(config, &self.settings.kube);
        let client = ClientBuilder::try_from(config)
            .map_err(|error| anyhow!(error))
            .context("configure a Kubernetes client")?
            .with_layer(&tower::buffer::BufferLayer::new(WAITING_REQUESTS))
            .with_layer(&BearerLayer::new(self.tokens.clone()))
            .build();
        Ok(KubeCluster::at_google(self.name.clone(), client, self.settings.kube.clone()))
    }

    /// Has the cluster looked up again by the next list, unless that happened meanwhile.
    async fn forget(&self, failed: &Connection) {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().is_some_and(|current| Arc::ptr_eq(&current.mark, &failed.mark)) {
            *connection = None;
        }
    }
}

#[async_trait]
impl Cluster for GkeCluster {
    async fn list(&self, kind: Kind, at: Timestamp) -> Result<Listing, ClusterError> {
        if kind == Kind::Unreadable {
            // Whatever cannot be read stands in its place among its own kind.
            return Ok(super::listing::empty());
        }
        let connection = self.connection(kind).await?;
        let listed = connection.cluster.list(kind, at).await;
        if let Err(ClusterError::Unavailable { .. }) = &listed {
            self.forget(&connection).await;
        }
        listed
    }
}
