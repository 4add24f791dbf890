//! What an API server of the tests serves.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::ports::Kind;

/// Objects of one list.
#[derive(Clone)]
pub enum Source {
    /// These.
    Given(Arc<Vec<Bytes>>),
    /// Made when they are asked for, so that any number of them takes no memory.
    Generated {
        /// How many.
        count: u64,
        /// The object at a position, from 0.
        object: Arc<dyn Fn(u64) -> Bytes + Send + Sync>,
    },
}

impl Source {
    /// These objects.
    pub fn given(objects: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self::Given(Arc::new(objects.into_iter().map(Into::into).collect()))
    }

    /// That many objects, made by their position.
    pub fn generated(count: u64, object: impl Fn(u64) -> Bytes + Send + Sync + 'static) -> Self {
        Self::Generated { count, object: Arc::new(object) }
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Given(objects) => objects.len() as u64,
            Self::Generated { count, .. } => *count,
        }
    }

    pub(super) fn object(&self, index: u64) -> Bytes {
        match self {
            Self::Given(objects) => {
                usize::try_from(index).ok().and_then(|index| objects.get(index)).cloned().unwrap_or_default()
            }
            Self::Generated { object, .. } => object(index),
        }
    }

    /// The objects outside these namespaces.
    pub(super) fn without_namespaces(&self, excluded: &[&str]) -> Self {
        if excluded.is_empty() {
            return self.clone();
        }
        let kept = (0..self.len()).map(|index| self.object(index)).filter(|object| {
            let value: Value = serde_json::from_slice(object).unwrap_or_default();
            let namespace = value["metadata"]["namespace"].as_str().unwrap_or_default();
            !excluded.contains(&namespace)
        });
        Self::given(kept)
    }
}

/// One list.
#[derive(Clone)]
pub(super) struct List {
    pub(super) kind: String,
    pub(super) api_version: String,
    pub(super) source: Source,
}

/// The lists of an API server, by path.
#[derive(Clone)]
pub struct Served {
    pub(super) lists: BTreeMap<String, List>,
    pub(super) version: Bytes,
}

impl Default for Served {
    /// Every kind a snapshot takes, empty, in the API versions of today.
    fn default() -> Self {
        let version = r#"{"major":"1","minor":"35","gitVersion":"v1.35.0","platform":"linux/amd64"}"#;
        let served = Self { lists: BTreeMap::new(), version: Bytes::from_static(version.as_bytes()) };
        let empty = || Source::given(Vec::<Bytes>::new());
        served
            .with(Kind::Pods, empty())
            .with(Kind::Deployments, empty())
            .with(Kind::ReplicaSets, empty())
            .with(Kind::HorizontalPodAutoscalers, empty())
            .with(Kind::Nodes, empty())
    }
}

impl Served {
    /// Serves objects of one kind where an API server of today does.
    #[must_use]
    pub fn with(self, kind: Kind, source: Source) -> Self {
        let (prefix, api_version, object) = match kind {
            Kind::Pods => ("/api/v1", "v1", "Pod"),
            Kind::Nodes => ("/api/v1", "v1", "Node"),
            Kind::Deployments => ("/apis/apps/v1", "apps/v1", "Deployment"),
            Kind::ReplicaSets => ("/apis/apps/v1", "apps/v1", "ReplicaSet"),
            Kind::HorizontalPodAutoscalers => ("/apis/autoscaling/v2", "autoscaling/v2", "HorizontalPodAutoscaler"),
            Kind::Clusters | Kind::Documents | Kind::Collection(_) | Kind::Unreadable => return self,
        };
        self.at(&format!("{prefix}/{kind}"), api_version, &format!("{object}List"), source)
    }

    /// Serves a list at a path of its own.
    #[must_use]
    pub fn at(mut self, path: &str, api_version: &str, list_kind: &str, source: Source) -> Self {
        let list = List { kind: list_kind.to_owned(), api_version: api_version.to_owned(), source };
        self.lists.insert(path.to_owned(), list);
        self
    }

    /// Does not serve that path.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.lists.remove(path);
        self
    }
}
