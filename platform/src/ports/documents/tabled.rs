//! Collections that have a table of their own.

use schemas::Table;

use super::CollectionId;

/// A collection whose documents become rows of a table of their own as well, with columns from the
/// table's schema file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TabledCollection {
    /// Registered APIs.
    Apis,
    /// External channels.
    CapExtChannels,
    /// Backend services.
    BackendServices,
}

impl TabledCollection {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[Self::Apis, Self::CapExtChannels, Self::BackendServices];

    /// The one of that id, however its letters are cased; none for a collection that has no table.
    pub fn of(collection: &CollectionId) -> Option<Self> {
        let id = collection.as_str();
        Self::ALL.iter().copied().find(|tabled| id.eq_ignore_ascii_case(tabled.id()))
    }

    /// Its table.
    pub const fn table(self) -> Table {
        match self {
            Self::Apis => Table::FirestoreApis,
            Self::CapExtChannels => Table::FirestoreCapextchannels,
            Self::BackendServices => Table::FirestoreBackendservices,
        }
    }

    /// Its id in small letters.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Apis => "apis",
            Self::CapExtChannels => "capextchannels",
            Self::BackendServices => "backendservices",
        }
    }

    /// The kind of its share of a snapshot, as manifests and batches write it.
    pub const fn kind_name(self) -> &'static str {
        match self {
            Self::Apis => "documents.apis",
            Self::CapExtChannels => "documents.capextchannels",
            Self::BackendServices => "documents.backendservices",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_its_kind_and_its_table_bear_one_name() {
        for tabled in TabledCollection::ALL {
            assert_eq!(tabled.kind_name(), format!("documents.{}", tabled.id()));
            assert_eq!(tabled.table().name(), format!("firestore_{}", tabled.id()));
            let of = |id: &str| TabledCollection::of(&id.parse().unwrap());
            assert_eq!(of(tabled.id()), Some(*tabled));
        }
        assert_eq!(TabledCollection::of(&"capExtChannels".parse().unwrap()), Some(TabledCollection::CapExtChannels));
        assert_eq!(TabledCollection::of(&"teams".parse().unwrap()), None);
    }
}
