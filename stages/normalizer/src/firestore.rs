//! Documents as rows: of `firestore_documents` all of them, and of a table of its own a collection
//! that has one.
//!
//! A table's columns come from its schema file; what stands in them from the document's fields of
//! the same names, in snake case or in camel case. A value that does not fit its column leaves it
//! null and is named in `mistyped`; `data` holds every field as it was, fitting, mistyped or unknown.

mod columns;
#[cfg(test)]
mod tests;

use platform::ports::{CollectionId, TabledCollection, WireDocument};
use schemas::{
    FirestoreApis, FirestoreBackendservices, FirestoreCapextchannels, FirestoreDocuments, Row, RowWriter, RowsError,
    Table,
};
use serde::Serialize;

use crate::document::Fault;
use crate::map::Seat;

/// The row of one document; as JSON the object of its columns, in the table's order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DocumentRow {
    /// Of `firestore_documents`.
    Any(FirestoreDocuments),
    /// Of `firestore_apis`.
    Api(FirestoreApis),
    /// Of `firestore_capextchannels`.
    CapExtChannel(FirestoreCapextchannels),
    /// Of `firestore_backendservices`.
    BackendService(FirestoreBackendservices),
}

impl DocumentRow {
    /// Its table.
    pub const fn table(&self) -> Table {
        match self {
            Self::Any(_) => FirestoreDocuments::TABLE,
            Self::Api(_) => FirestoreApis::TABLE,
            Self::CapExtChannel(_) => FirestoreCapextchannels::TABLE,
            Self::BackendService(_) => FirestoreBackendservices::TABLE,
        }
    }

    /// The document's path below its database.
    pub fn path(&self) -> &str {
        match self {
            Self::Any(row) => &row.path,
            Self::Api(row) => &row.path,
            Self::CapExtChannel(row) => &row.path,
            Self::BackendService(row) => &row.path,
        }
    }
}

/// The row of a document: of the collection's own table, or of all documents'.
pub(crate) fn row(text: &str, of: Option<TabledCollection>, seat: &Seat<'_>) -> Result<DocumentRow, Fault> {
    let document = WireDocument::read(text).map_err(|error| Fault(error.to_string()))?;
    if let Some(expected) = of {
        let collection = document.name.collection();
        let found = collection.parse::<CollectionId>().ok().and_then(|id| TabledCollection::of(&id));
        if found != Some(expected) {
            return Err(Fault(format!("it is of the collection {collection}, expected {}", expected.id())));
        }
    }
    match of {
        None => columns::row(&document, seat).map(DocumentRow::Any),
        Some(TabledCollection::Apis) => columns::row(&document, seat).map(DocumentRow::Api),
        Some(TabledCollection::CapExtChannels) => columns::row(&document, seat).map(DocumentRow::CapExtChannel),
        Some(TabledCollection::BackendServices) => columns::row(&document, seat).map(DocumentRow::BackendService),
    }
}

/// Writes rows of one table of documents.
pub(crate) enum DocumentWriter {
    Any(RowWriter<FirestoreDocuments>),
    Api(RowWriter<FirestoreApis>),
    CapExtChannel(RowWriter<FirestoreCapextchannels>),
    BackendService(RowWriter<FirestoreBackendservices>),
}

impl DocumentWriter {
    pub(crate) fn new(of: Option<TabledCollection>) -> Result<Self, RowsError> {
        Ok(match of {
            None => Self::Any(RowWriter::new()?),
            Some(TabledCollection::Apis) => Self::Api(RowWriter::new()?),
            Some(TabledCollection::CapExtChannels) => Self::CapExtChannel(RowWriter::new()?),
            Some(TabledCollection::BackendServices) => Self::BackendService(RowWriter::new()?),
        })
    }

    /// Writes a row of the same table.
    pub(crate) fn push(&mut self, row: &DocumentRow) -> Result<(), RowsError> {
        match (self, row) {
            (Self::Any(writer), DocumentRow::Any(row)) => writer.push(row),
            (Self::Api(writer), DocumentRow::Api(row)) => writer.push(row),
            (Self::CapExtChannel(writer), DocumentRow::CapExtChannel(row)) => writer.push(row),
            (Self::BackendService(writer), DocumentRow::BackendService(row)) => writer.push(row),
            (_, row) => unreachable!("a row of {} in the writer of another table", row.table()),
        }
    }

    pub(crate) const fn count(&self) -> u64 {
        match self {
            Self::Any(writer) => writer.count(),
            Self::Api(writer) => writer.count(),
            Self::CapExtChannel(writer) => writer.count(),
            Self::BackendService(writer) => writer.count(),
        }
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, RowsError> {
        match self {
            Self::Any(writer) => writer.finish(),
            Self::Api(writer) => writer.finish(),
            Self::CapExtChannel(writer) => writer.finish(),
            Self::BackendService(writer) => writer.finish(),
        }
    }
}
