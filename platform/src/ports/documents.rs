//! The documents port: what a document database shows of itself.

mod moment;
mod name;
mod tabled;
mod value;
mod wire;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::RawObject;

pub use moment::{Moment, NotAMoment};
pub use name::{CollectionId, DocumentName, InvalidName, MAX_NAME_BYTES, MAX_SEGMENT_BYTES};
pub use tabled::TabledCollection;
pub use value::{Document, DocumentValue, Fields};
pub use wire::{MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, WireDocument, WireError, decode_value};

/// Some documents of one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPage {
    /// The collection, wherever in the database its documents lie.
    pub collection: CollectionId,
    /// The documents: [`RawObject::Json`] holds one document in its wire form (see
    /// [`WireDocument`]), [`RawObject::Unreadable`] stands for one that has no such form.
    pub documents: Vec<RawObject>,
    /// The moment that the whole list shows, as RFC 3339; empty where the source has none.
    pub read_time: String,
    /// What the source knows to be missing from the list, in one sentence (a line of a file that is
    /// no document, of a collection that nobody can tell).
    pub known_gap: Option<String>,
}

/// A list, as a stream of pages. An error ends it; then the list is not complete, and nothing of it
/// may be used.
pub type DocumentPages = BoxStream<'static, Result<DocumentPage, DocumentsError>>;

/// Why a list ended early. Its text tells everything, causes included, so it gives nobody a source.
#[derive(Debug)]
pub enum DocumentsError {
    /// The moment that the list shows is too long ago to be read: list again from the start.
    Expired,
    /// The source does not answer or fails: try again later.
    Unavailable {
        /// Why.
        source: anyhow::Error,
    },
    /// Trying again will not help: not permitted, no such database, not readable. The sentence
    /// names the missing permission where it is one.
    Refused {
        /// Why, in one sentence.
        reason: String,
    },
}

impl std::fmt::Display for DocumentsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Expired => f.write_str("list of documents: the moment it shows can no longer be read"),
            Self::Unavailable { source } => write!(f, "list of documents: {source:#}"),
            Self::Refused { reason } => write!(f, "list of documents: {reason}"),
        }
    }
}

impl std::error::Error for DocumentsError {}

/// A document database.
///
/// Promises:
/// - The list of some collections holds every document of each, wherever in the database it lies
///   (a collection group), and no others; a collection that has no documents gives no pages.
/// - Pages come by collection, in the order in which these were asked for.
/// - A list that ends without an error is complete but for the gaps it names, and, where the source
///   can, shows one moment: then each page names it.
/// - A document is listed once, unless the source is made of files that hold it twice.
/// - Memory is bounded by the page and by the largest document, not by the database.
/// - One document that has no wire form never hides its neighbours.
/// - Nothing is ever written to the source.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Lists the documents of these collections.
    ///
    /// # Errors
    /// Before the first page as within the stream: see [`DocumentsError`].
    async fn list(&self, collections: &[CollectionId]) -> Result<DocumentPages, DocumentsError>;
}
