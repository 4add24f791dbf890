//! The documents port's promises.

mod listing;
mod sample;

use std::sync::Arc;

use futures::TryStreamExt as _;

use crate::ports::{CollectionId, Document, DocumentPage, Documents, DocumentsError, RawObject, WireDocument};

pub use listing::*;
pub use sample::{document, every_type, many};

/// What may differ between adapters that keep the promises.
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// Whether a list shows one moment, whatever is written meanwhile, and says which.
    pub shows_one_moment: bool,
    /// Whether whole numbers beyond ±2⁵³ come through the stand-in as they are.
    pub exact_integers: bool,
}

/// Everything.
impl Default for Abilities {
    fn default() -> Self {
        Self { shows_one_moment: true, exact_integers: true }
    }
}

/// Holds an adapter to every promise, each on a source of its own that holds the documents it is
/// made with and no others.
pub async fn contract(make: impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>, abilities: Abilities) {
    a_list_has_the_documents_of_its_collections_and_no_others(&make).await;
    every_type_comes_through(&make, abilities).await;
    many_documents_come_in_pages_each_once(&make, abilities).await;
    collections_come_in_the_order_asked_for(&make).await;
    odd_names_are_names(&make).await;
    large_documents_stay_apart(&make).await;
    a_list_that_is_left_disturbs_no_other(&make).await;
    lists_at_once_are_whole(&make).await;
}

/// The ids of collections.
///
/// # Panics
/// For a text that is none.
pub fn ids(ids: &[&str]) -> Vec<CollectionId> {
    ids.iter().map(|id| id.parse().expect("an id of a collection")).collect()
}

/// Every page of a list.
///
/// # Errors
/// The list's own.
pub async fn pages(source: &dyn Documents, collections: &[&str]) -> Result<Vec<DocumentPage>, DocumentsError> {
    source.list(&ids(collections)).await?.try_collect().await
}

/// Every document of a list, in its order.
///
/// # Panics
/// For a list that fails, has gaps, or holds what is no document.
pub async fn documents(source: &dyn Documents, collections: &[&str]) -> Vec<Document> {
    let pages = pages(source, collections).await.expect("the list is whole");
    let mut documents = Vec::new();
    for page in pages {
        assert_eq!(page.known_gap, None);
        for object in page.documents {
            let document = read(&object);
            assert_eq!(document.name.collection(), page.collection.as_str(), "a page is of one collection");
            documents.push(document);
        }
    }
    documents
}

/// The document of an object of a page.
///
/// # Panics
/// For an object that is none.
pub fn read(object: &RawObject) -> Document {
    match object {
        RawObject::Json(json) => {
            let text = std::str::from_utf8(json).expect("UTF-8");
            let document = WireDocument::read(text).and_then(WireDocument::document).expect("the wire form");
            assert_eq!(document.to_wire().expect("a wire form"), json.as_ref(), "the form of a document is one");
            document
        }
        RawObject::Unreadable { place, reason } => panic!("{place}: {reason}"),
    }
}
