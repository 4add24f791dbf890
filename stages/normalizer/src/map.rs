//! One object in, its rows out, or the reason why there are none. Pure.

use platform::ports::Kind;
use schemas::{
    ClusterName, GkeClusters, GkeDeployments, GkeNodes, GkePods, HpaData, Json, SnapshotId, Table, Timestamp,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::document::{Fault, Object, shortened};
use crate::firestore::{self, DocumentRow};
use crate::labels::LabelKeys;
use crate::ownership::Owners;
use crate::{autoscaler, cluster_info, deployment, node, ownership, pod};

/// Characters of a document's name that a reject keeps: most names whole.
const LONGEST_DOCUMENT_NAME: usize = 500;

/// What rows say besides what their object says.
#[derive(Debug, Clone)]
pub struct Seat<'a> {
    /// Configured short name of the cluster.
    pub cluster: ClusterName,
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// When the snapshot looked.
    pub observed_at: Timestamp,
    /// Which labels name API and team.
    pub label_keys: &'a LabelKeys,
    /// `ReplicaSets` at hand; empty where there are none.
    pub owners: &'a Owners,
    /// Nodes of the same snapshot, where they were listed.
    pub node_count: Option<i64>,
}

/// The rows of one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// One row of `gke_pods`.
    Pod(Box<GkePods>),
    /// One row of `gke_deployments`.
    Deployment(Box<GkeDeployments>),
    /// Rows of `hpa_data`: one per metric, at least one.
    Autoscaler(Vec<HpaData>),
    /// One row of `gke_nodes`.
    Node(Box<GkeNodes>),
    /// One row of `gke_clusters`.
    Cluster(Box<GkeClusters>),
    /// One row of `firestore_documents`, or of a collection's own table.
    Document(Box<DocumentRow>),
    /// A `ReplicaSet`: needed for ownership only, no row.
    ReplicaSet {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Rows {
    /// The table; none for `ReplicaSets`.
    pub const fn table(&self) -> Option<Table> {
        match self {
            Self::Pod(_) => Some(Table::GkePods),
            Self::Deployment(_) => Some(Table::GkeDeployments),
            Self::Autoscaler(_) => Some(Table::HpaData),
            Self::Node(_) => Some(Table::GkeNodes),
            Self::Cluster(_) => Some(Table::GkeClusters),
            Self::Document(row) => Some(row.table()),
            Self::ReplicaSet { .. } => None,
        }
    }

    /// Namespace (empty where the kind has none) and name of the object; of a document its path.
    pub fn identity(&self) -> (&str, &str) {
        match self {
            Self::Pod(row) => (&row.namespace, &row.name),
            Self::Deployment(row) => (&row.namespace, &row.name),
            Self::Autoscaler(rows) => rows.first().map_or(("", ""), |row| (&row.namespace, &row.name)),
            Self::Node(row) => ("", &row.name),
            Self::Cluster(row) => ("", &row.name),
            Self::Document(row) => ("", row.path()),
            Self::ReplicaSet { namespace, name } => (namespace, name),
        }
    }

    /// The rows as JSON objects, columns in the table's order.
    ///
    /// # Errors
    /// Never for rows that [`object`] made; a row put together by hand may hold what is not JSON.
    pub fn to_json(&self) -> Result<Vec<Json>, serde_json::Error> {
        match self {
            Self::Pod(row) => Ok(vec![Json::of(row)?]),
            Self::Deployment(row) => Ok(vec![Json::of(row)?]),
            Self::Autoscaler(rows) => rows.iter().map(Json::of).collect(),
            Self::Node(row) => Ok(vec![Json::of(row)?]),
            Self::Cluster(row) => Ok(vec![Json::of(row)?]),
            Self::Document(row) => Ok(vec![Json::of(row)?]),
            Self::ReplicaSet { .. } => Ok(Vec::new()),
        }
    }
}

/// Why an object has no rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Reject {
    /// Namespace and name, or only the name, where they could be read.
    pub object: Option<String>,
    /// One sentence that names the object, the place in it, the value and what was expected.
    pub reason: String,
}

impl Reject {
    /// The reject of an object, named as far as its text can be read.
    pub(crate) fn of(kind: Kind, text: &str, fault: &Fault) -> Self {
        Self::named(kind, identity(kind, text), fault)
    }

    /// The reject of an object that is known by name.
    pub(crate) fn named(kind: Kind, object: Option<String>, fault: &Fault) -> Self {
        let word = singular(kind);
        let reason = match &object {
            Some(object) => format!("{word} {}: {fault}", object.escape_debug()),
            None => format!("{word}: {fault}"),
        };
        Self { object, reason }
    }
}

/// The table a kind's rows go to; none where a kind has no table.
pub const fn table_of(kind: Kind) -> Option<Table> {
    match kind {
        Kind::Pods => Some(Table::GkePods),
        Kind::Deployments => Some(Table::GkeDeployments),
        Kind::HorizontalPodAutoscalers => Some(Table::HpaData),
        Kind::Nodes => Some(Table::GkeNodes),
        Kind::Clusters => Some(Table::GkeClusters),
        Kind::Documents => Some(Table::FirestoreDocuments),
        Kind::Collection(collection) => Some(collection.table()),
        Kind::ReplicaSets | Kind::Unreadable => None,
    }
}

/// Maps one object of a kind.
///
/// # Errors
/// When the object does not read as one of that kind: no JSON, a field of another type, a quantity
/// that does not parse, a negative number of replicas, no name.
pub fn object(kind: Kind, json: &[u8], seat: &Seat<'_>) -> Result<Rows, Reject> {
    let text = utf8(kind, json)?;
    let mapped = match kind {
        Kind::Pods => pod::row(text, seat).map(|row| Rows::Pod(Box::new(row))),
        Kind::Deployments => deployment::row(text, seat).map(|row| Rows::Deployment(Box::new(row))),
        Kind::HorizontalPodAutoscalers => autoscaler::rows(text, seat).map(Rows::Autoscaler),
        Kind::Nodes => node::row(text, seat).map(|row| Rows::Node(Box::new(row))),
        Kind::Clusters => cluster_info::row(text, seat).map(|row| Rows::Cluster(Box::new(row))),
        Kind::Documents => firestore::row(text, None, seat).map(|row| Rows::Document(Box::new(row))),
        Kind::Collection(collection) => {
            firestore::row(text, Some(collection), seat).map(|row| Rows::Document(Box::new(row)))
        }
        Kind::ReplicaSets => {
            ownership::read(text).map(|set| Rows::ReplicaSet { namespace: set.namespace, name: set.name })
        }
        Kind::Unreadable => Err(Fault("not readable as an object of any kind".to_owned())),
    };
    mapped.map_err(|fault| Reject::of(kind, text, &fault))
}

/// The text of an object, which JSON says is UTF-8.
pub(crate) fn utf8(kind: Kind, json: &[u8]) -> Result<&str, Reject> {
    std::str::from_utf8(json)
        .map_err(|error| Reject::named(kind, None, &Fault(format!("byte {} is not UTF-8", error.valid_up_to()))))
}

/// What one object of a kind is called.
const fn singular(kind: Kind) -> &'static str {
    match kind {
        Kind::Pods => "pod",
        Kind::Deployments => "deployment",
        Kind::ReplicaSets => "replicaset",
        Kind::HorizontalPodAutoscalers => "horizontalpodautoscaler",
        Kind::Nodes => "node",
        Kind::Clusters => "cluster",
        Kind::Documents | Kind::Collection(_) => "document",
        Kind::Unreadable => "object",
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Names<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    namespace: Option<&'a RawValue>,
}

/// Namespace and name of an object of which something else cannot be read; of a document its name.
fn identity(kind: Kind, text: &str) -> Option<String> {
    if matches!(kind, Kind::Documents | Kind::Collection(_)) {
        let names: Object<Names<'_>> = serde_json::from_str(text).ok()?;
        let name: String = serde_json::from_str(names.name?.get()).ok()?;
        return Some(name.chars().take(LONGEST_DOCUMENT_NAME).collect());
    }
    let named: Object<Named<'_>> = serde_json::from_str(text).ok()?;
    let names: Object<Names<'_>> = serde_json::from_str(named.metadata?.get()).ok()?;
    let word = |raw: Option<&RawValue>| serde_json::from_str::<String>(raw?.get()).ok().filter(|word| !word.is_empty());
    let name = word(names.name).map(|name| shortened(&name))?;
    if !kind.namespaced() {
        return Some(name);
    }
    let namespace = word(names.namespace).map_or_else(|| "default".to_owned(), |namespace| shortened(&namespace));
    Some(format!("{namespace}/{name}"))
}

#[cfg(test)]
mod tests;
