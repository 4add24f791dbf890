//! What can be looked at: clusters, and documents sources, by configured name.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use platform::ports::{Cluster, CollectionId, Documents, Kind, TabledCollection};
use schemas::ClusterName;
use serde::Deserialize;

/// Something with a name that snapshots are taken of.
#[derive(Clone)]
pub(crate) enum Source {
    /// A Kubernetes cluster.
    Cluster(Arc<dyn Cluster>),
    /// A document database.
    Documents(Arc<DocumentsSource>),
}

/// A document database, and what is read of it.
pub(crate) struct DocumentsSource {
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) collections: Collections,
}

impl Source {
    /// The kinds a snapshot of it can have, all of which it takes when none are named.
    pub(crate) const fn kinds(&self) -> &'static [Kind] {
        match self {
            Self::Cluster(_) => Kind::ALL,
            Self::Documents(_) => Kind::OF_DOCUMENTS,
        }
    }
}

/// Every source of a process.
pub(crate) type Sources = BTreeMap<ClusterName, Source>;

/// Collections whose documents are collected, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collections(Vec<CollectionId>);

impl Collections {
    /// Their ids, in the order configured.
    pub fn ids(&self) -> &[CollectionId] {
        &self.0
    }
}

impl FromStr for Collections {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut ids: Vec<CollectionId> = Vec::new();
        for id in text.split(',').map(str::trim) {
            let id: CollectionId = id.parse().map_err(|error| format!("{error}"))?;
            if ids.contains(&id) {
                return Err(format!("collection {id}: configured twice"));
            }
            let table = TabledCollection::of(&id);
            if let Some(other) = ids.iter().find(|other| table.is_some() && TabledCollection::of(other) == table) {
                return Err(format!("collection {id}: its table is that of {other}"));
            }
            ids.push(id);
        }
        Ok(Self(ids))
    }
}

impl<'de> Deserialize<'de> for Collections {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_have_distinct_ids() {
        let of = |text: &str| text.parse::<Collections>();
        assert_eq!(of("apis, capExtChannels").unwrap().ids().len(), 2);
        assert_eq!(of("apis,apis").unwrap_err(), "collection apis: configured twice");
        // Two spellings of one table would be two kinds of one name.
        assert_eq!(of("apis,APIs").unwrap_err(), "collection APIs: its table is that of apis");
        for text in ["", "a,,b", "teams/apis", ".."] {
            assert!(of(text).unwrap_err().contains("cannot be the id of a collection"), "{text:?}");
        }
    }
}
