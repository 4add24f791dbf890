//! Walking over collection groups, one after the other, at one moment.

use std::collections::VecDeque;

use bytes::Bytes;
use firestore::errors::FirestoreError;
use firestore::gcloud_sdk::google::firestore::v1::Value;
use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::{
    FirestoreConsistencySelector, FirestoreDb, FirestoreDocument, FirestoreInstant, FirestoreQueryCursor,
    FirestoreResult, FirestoreValue, FirestoreWithMetadata,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::{convert, failure};
use crate::ports::{CollectionId, DocumentName, DocumentPage, DocumentsError, RawObject};

/// What documents are ordered by.
const NAME: &str = "__name__";
/// Documents in one page, at most.
const PAGE_DOCUMENTS: usize = 500;
/// Bytes of documents at which a page is closed.
const PAGE_BYTES: usize = 1 << 20;
/// Queries that may break off one after the other without a document between them.
const MOST_BREAKS: u32 = 3;

/// Where a walk is.
pub(super) struct Walk {
    db: FirestoreDb,
    /// The database as people write it, for errors.
    shown: String,
    /// The collections left, the present one first.
    collections: VecDeque<CollectionId>,
    query_documents: u32,
    /// The last document of the present collection that came.
    last: Option<DocumentName>,
    /// The moment shown, once it is known.
    read_time: Option<FirestoreInstant>,
    query: Option<Query>,
    /// Queries that broke off since the last document.
    breaks: u32,
}

/// One query on its way.
struct Query {
    answers: BoxStream<'static, FirestoreResult<FirestoreWithMetadata<FirestoreDocument>>>,
    /// Documents it may still give.
    left: u32,
}

impl Walk {
    pub(super) fn new(
        db: FirestoreDb,
        shown: String,
        collections: VecDeque<CollectionId>,
        query_documents: u32,
    ) -> Self {
        Self { db, shown, collections, query_documents, last: None, read_time: None, query: None, breaks: 0 }
    }

    /// The next page, and the walk after it; none after the last collection.
    pub(super) async fn next(mut self) -> Result<Option<(DocumentPage, Self)>, DocumentsError> {
        while let Some(collection) = self.collections.front().cloned() {
            let mut documents = Vec::new();
            let mut bytes = 0_usize;
            let ended = loop {
                if documents.len() >= PAGE_DOCUMENTS || bytes >= PAGE_BYTES {
                    break false;
                }
                match self.document(&collection).await? {
                    Step::Document(document) => {
                        let raw = raw(document);
                        bytes = bytes.saturating_add(size(&raw));
                        documents.push(raw);
                    }
                    Step::Again => {}
                    Step::End => break true,
                }
            };
            if ended {
                self.collections.pop_front();
                self.last = None;
            }
            if !documents.is_empty() {
                let read_time = self.read_time.map(|moment| moment.to_string()).unwrap_or_default();
                return Ok(Some((DocumentPage { collection, documents, read_time, known_gap: None }, self)));
            }
        }
        Ok(None)
    }

    /// One step within a collection.
    async fn document(&mut self, collection: &CollectionId) -> Result<Step, DocumentsError> {
        let mut query = match self.query.take() {
            Some(query) => query,
            None => match self.begin(collection).await {
                Ok(answers) => Query { answers, left: self.query_documents },
                // The client has tried more than once already.
                Err(error) => return Err(self.failed(error)),
            },
        };
        let answer = match query.answers.next().await {
            // A query that gave all it may can have more behind it.
            None if query.left == 0 => return Ok(Step::Again),
            None => return Ok(Step::End),
            Some(Err(error)) => {
                self.breaks += 1;
                if !failure::is_outage(&error) || self.breaks > MOST_BREAKS {
                    return Err(self.failed(error));
                }
                tracing::warn!(database = self.shown, %collection, breaks = self.breaks, %error, "query broke off");
                return Ok(Step::Again);
            }
            Some(Ok(answer)) => answer,
        };
        if let Some(read_time) = answer.metadata.read_time {
            self.read_time.get_or_insert(read_time);
        }
        let Some(document) = answer.document else {
            // Only news of progress.
            self.query = Some(query);
            return Ok(Step::Again);
        };
        self.advance(&document.name)?;
        self.breaks = 0;
        query.left = query.left.saturating_sub(1);
        self.query = Some(query);
        Ok(Step::Document(document))
    }

    /// Begins a query after the last document.
    async fn begin(
        &mut self, // so that nobody else needs to share the stream across threads
        collection: &CollectionId,
    ) -> FirestoreResult<BoxStream<'static, FirestoreResult<FirestoreWithMetadata<FirestoreDocument>>>> {
        let db = match self.read_time {
            None => self.db.clone(),
            Some(moment) => self.db.clone_with_consistency_selector(FirestoreConsistencySelector::ReadTime(moment)),
        };
        let mut query = db
            .fluent()
            .select()
            .from(collection.as_str())
            .all_descendants()
            .order(|by| by.fields([by.field(NAME).ascending()]))
            .limit(self.query_documents);
        if let Some(last) = &self.last {
            let reference = Value { value_type: Some(ValueType::ReferenceValue(last.to_string())) };
            query = query.start_at(FirestoreQueryCursor::AfterValue(vec![FirestoreValue::from(reference)]));
        }
        query.stream_query_with_metadata().await
    }

    /// Remembers the document that came. Documents must come in the order asked for: a server that
    /// does not order them, or takes no cursor, would be read for ever.
    fn advance(&mut self, name: &str) -> Result<(), DocumentsError> {
        let refused = |reason| DocumentsError::Refused { reason };
        let name: DocumentName = name.parse().map_err(|error| refused(format!("{}: name {error}", self.shown)))?;
        if let Some(last) = self.last.as_ref().filter(|last| **last >= name) {
            return Err(refused(format!("{}: {} came after {}: it does not order by name", self.shown, name, last)));
        }
        self.last = Some(name);
        Ok(())
    }

    fn failed(&self, error: FirestoreError) -> DocumentsError {
        failure::documents_error(self.shown.clone(), self.read_time.is_some(), error)
    }
}

/// What a step found.
enum Step {
    Document(FirestoreDocument),
    /// Nothing yet.
    Again,
    /// The collection's end.
    End,
}

/// The document in its wire form, or why it has none.
fn raw(document: FirestoreDocument) -> RawObject {
    let place = document.name.clone();
    match convert::document(document).and_then(|document| document.to_wire().map_err(|error| error.to_string())) {
        Ok(json) => RawObject::Json(Bytes::from(json)),
        Err(reason) => RawObject::Unreadable { place, reason },
    }
}

fn size(raw: &RawObject) -> usize {
    match raw {
        RawObject::Json(json) => json.len(),
        RawObject::Unreadable { place, reason } => place.len().saturating_add(reason.len()),
    }
}
