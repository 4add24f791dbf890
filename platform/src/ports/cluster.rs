//! The cluster port: what a Kubernetes cluster shows of itself.

use async_trait::async_trait;
use futures::stream::BoxStream;
use schemas::Timestamp;

use super::TabledCollection;

/// A kind of object that snapshots collect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Pods.
    Pods,
    /// Deployments.
    Deployments,
    /// `ReplicaSets`, for ownership.
    ReplicaSets,
    /// Autoscalers.
    HorizontalPodAutoscalers,
    /// Nodes.
    Nodes,
    /// The cluster itself: one object.
    Clusters,
    /// Documents of all configured collections of a documents source.
    Documents,
    /// Those of them that have a table of their own. Its parts are parts of [`Kind::Documents`]; it
    /// cannot be asked for.
    Collection(TabledCollection),
    /// What could not be read as an object of any kind: only rejects.
    Unreadable,
}

impl Kind {
    /// The kinds a snapshot of a cluster takes when none are named.
    pub const ALL: &'static [Self] = &[
        Self::Pods,
        Self::Deployments,
        Self::ReplicaSets,
        Self::HorizontalPodAutoscalers,
        Self::Nodes,
        Self::Clusters,
    ];
    /// The kinds a snapshot of a documents source takes.
    pub const OF_DOCUMENTS: &'static [Self] = &[Self::Documents];

    /// Every kind that a request may name.
    pub fn requestable() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.iter().chain(Self::OF_DOCUMENTS).copied()
    }

    /// Plural resource name, as requests, manifests and batches write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Deployments => "deployments",
            Self::ReplicaSets => "replicasets",
            Self::HorizontalPodAutoscalers => "horizontalpodautoscalers",
            Self::Nodes => "nodes",
            Self::Clusters => "clusters",
            Self::Documents => "documents",
            Self::Collection(collection) => collection.kind_name(),
            Self::Unreadable => "unreadable",
        }
    }

    /// The kind of that plural name, also one that only the pipeline itself uses.
    pub fn from_name(name: &str) -> Option<Self> {
        let collections = TabledCollection::ALL.iter().copied().map(Self::Collection);
        Self::requestable().chain(collections).chain([Self::Unreadable]).find(|kind| kind.name() == name)
    }

    /// The kind of an object as its `kind` field writes it, such as `Deployment`.
    pub fn of_object(kind: &str) -> Option<Self> {
        match kind {
            "Pod" => Some(Self::Pods),
            "Deployment" => Some(Self::Deployments),
            "ReplicaSet" => Some(Self::ReplicaSets),
            "HorizontalPodAutoscaler" => Some(Self::HorizontalPodAutoscalers),
            "Node" => Some(Self::Nodes),
            _ => None,
        }
    }

    /// Whether its objects live in namespaces.
    pub const fn namespaced(self) -> bool {
        !matches!(self, Self::Nodes | Self::Clusters | Self::Documents | Self::Collection(_))
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// One object as the source gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawObject {
    /// The object's JSON, one balanced value that begins as an object, valid UTF-8, not yet redacted.
    /// That it keeps to JSON's grammar within is not promised: redaction passes over all of it and
    /// refuses what does not.
    Json(bytes::Bytes),
    /// Something in the object's place that is not a JSON object, or is larger than the bound. Its
    /// bytes are not kept: they cannot be redacted.
    Unreadable {
        /// Where: a file and place, or a position in a list.
        place: String,
        /// Why, in one sentence.
        reason: String,
    },
}

/// Objects of one kind, some at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KindPage {
    /// The objects.
    pub objects: Vec<RawObject>,
}

/// A list of one kind, as a stream of pages. An error ends it; then the list is not complete, and
/// nothing of it may be used.
pub struct Listing {
    /// API version of the objects, such as `apps/v1`; empty where the source mixes them.
    pub api_version: String,
    /// Resource version of the whole list; empty where the source has none.
    pub resource_version: String,
    /// Whether the source itself knows that something is missing (a file that ends early).
    pub known_gaps: Option<String>,
    /// The pages, in order.
    pub pages: BoxStream<'static, Result<KindPage, ClusterError>>,
}

/// Why a list ended early. Its text tells everything, causes included, so it gives nobody a source.
#[derive(Debug)]
pub enum ClusterError {
    /// The continue token or resource version expired (HTTP 410): list again from the start.
    Expired {
        /// The kind.
        kind: Kind,
    },
    /// The cluster does not answer or fails: try again later.
    Unavailable {
        /// The kind.
        kind: Kind,
        /// Why.
        source: anyhow::Error,
    },
    /// Trying again will not help: not permitted, not served, not readable. The sentence names
    /// the missing permission where it is one.
    Refused {
        /// The kind.
        kind: Kind,
        /// Why, in one sentence.
        reason: String,
    },
}

impl std::fmt::Display for ClusterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Expired { kind } => write!(f, "list of {kind}: the resource version expired while listing"),
            Self::Unavailable { kind, source } => write!(f, "list of {kind}: {source:#}"),
            Self::Refused { kind, reason } => write!(f, "list of {kind}: {reason}"),
        }
    }
}

impl std::error::Error for ClusterError {}

/// Audit entries that lie beside the objects of a source made of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAudit {
    /// The file.
    pub file: String,
    /// The entry as JSON.
    pub entry: bytes::Bytes,
}

/// A Kubernetes cluster.
///
/// Promises:
/// - A listing that ends without error is complete and of one resource version.
/// - Memory is bounded by the page size and the object bound, not by the cluster.
/// - Objects whose namespace is excluded may be left out by the source already.
/// - Nothing is ever written to the cluster, and Secrets are never asked for.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Lists one kind. `at` is the snapshot's time: sources with a life of their own (`sim:`) show
    /// themselves as they were then.
    async fn list(&self, kind: Kind, at: Timestamp) -> Result<Listing, ClusterError>;

    /// Audit entries the source holds; only dumps do.
    async fn audit_entries(&self) -> Result<BoxStream<'static, Result<SourceAudit, ClusterError>>, ClusterError> {
        Ok(Box::pin(futures::stream::empty()))
    }
}
