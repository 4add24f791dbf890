//! Walking over collection groups, one after the other, at one moment.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use firestore::gcloud_sdk::google::firestore::v1::Value;
use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::{
    FirestoreConsistencySelector, FirestoreDocument, FirestoreInstant, FirestoreQueryCursor, FirestoreResult,
    FirestoreValue, FirestoreWithMetadata,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::breaks::Breaks;
use super::connection::{Connection, Connections};
use super::convert;
use super::failure::Failure;
use crate::layers::RetryPolicy;
use crate::ports::{CollectionId, DocumentName, DocumentPage, DocumentsError, RawObject};

/// What documents are ordered by.
const NAME: &str = "__name__";
/// Documents in one page, at most.
const PAGE_DOCUMENTS: usize = 500;
/// Bytes of documents at which a page is closed.
const PAGE_BYTES: usize = 1 << 20;

/// Where a walk is.
pub(super) struct Walk {
    connections: Arc<Connections>,
    /// The collections left, the present one first.
    collections: VecDeque<CollectionId>,
    query_documents: u32,
    /// The last document of the present collection that came.
    last: Option<DocumentName>,
    /// The moment shown, once it is known.
    read_time: Option<FirestoreInstant>,
    query: Option<Query>,
    breaks: Breaks,
}

/// One query on its way.
struct Query {
    connection: Connection,
    answers: BoxStream<'static, FirestoreResult<FirestoreWithMetadata<FirestoreDocument>>>,
    /// Documents it may still give.
    left: u32,
    /// Whether it was told which moment to show.
    at_read_time: bool,
    /// Whether it has said which moment it shows, as also a query that finds nothing does.
    spoke: bool,
}

impl Walk {
    pub(super) fn new(
        connections: Arc<Connections>,
        collections: VecDeque<CollectionId>,
        query_documents: u32,
        retry: RetryPolicy,
    ) -> Self {
        let breaks = Breaks::new(retry);
        Self { connections, collections, query_documents, last: None, read_time: None, query: None, breaks }
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
                Ok(query) => query,
                Err(failure) => return self.broke(collection, failure).await,
            },
        };
        let answer = match query.answers.next().await {
            // A query that gave all it may can have more behind it.
            None if query.left == 0 => return Ok(Step::Again),
            None if query.spoke => return Ok(Step::End),
            None => return self.broke(collection, Failure::wordless(&self.connections)).await,
            Some(Err(error)) => {
                let failure = Failure::of_query(&self.connections, self.read_time.is_some(), error);
                if failure.of_connection {
                    self.connections.leave(&query.connection);
                }
                return self.broke(collection, failure).await;
            }
            Some(Ok(answer)) => answer,
        };
        if let Some(moment) = answer.metadata.read_time {
            let first = *self.read_time.get_or_insert(moment);
            // A query that was told no moment may pass on to a later one while it goes on: what it
            // shows from here on is read again, at the first.
            if moment != first && !query.at_read_time {
                return Ok(Step::Again);
            }
            query.spoke = true;
        }
        let Some(document) = answer.document else {
            // Only news of progress.
            self.query = Some(query);
            return Ok(Step::Again);
        };
        self.advance(&document.name)?;
        self.breaks.over();
        query.left = query.left.saturating_sub(1);
        self.query = Some(query);
        Ok(Step::Document(document))
    }

    /// Begins a query after the last document.
    async fn begin(
        &mut self, // so that nobody else needs to share the stream across threads
        collection: &CollectionId,
    ) -> Result<Query, Failure> {
        let connection = self.connections.get().await;
        let connection = connection.map_err(|error| Failure::outage(&self.connections, error))?;
        let db = match self.read_time {
            None => connection.db.clone(),
            Some(moment) => {
                connection.db.clone_with_consistency_selector(FirestoreConsistencySelector::ReadTime(moment))
            }
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
        let at_read_time = self.read_time.is_some();
        match query.stream_query_with_metadata().await {
            Ok(answers) => Ok(Query { connection, answers, left: self.query_documents, at_read_time, spoke: false }),
            Err(error) => {
                let failure = Failure::of_query(&self.connections, at_read_time, error);
                if failure.of_connection {
                    self.connections.leave(&connection);
                }
                Err(failure)
            }
        }
    }

    /// What follows on a query that did not begin or broke off: another one after a while, or the end
    /// of the list.
    async fn broke(&mut self, collection: &CollectionId, failure: Failure) -> Result<Step, DocumentsError> {
        let DocumentsError::Unavailable { source } = &failure.error else { return Err(failure.error) };
        let Some(delay) = self.breaks.next() else { return Err(failure.error) };
        let (error, delay_ms) = (format!("{source:#}"), delay.as_millis());
        tracing::warn!(%collection, error, delay_ms, "query broke off, begun again after its last document");
        tokio::time::sleep(delay).await;
        Ok(Step::Again)
    }

    /// Remembers the document that came. Documents must come in the order asked for: a server that
    /// does not order them, or takes no cursor, would be read for ever; and the moment that they show
    /// must be known by then, or the next query would show another.
    fn advance(&mut self, name: &str) -> Result<(), DocumentsError> {
        let refused = |reason| DocumentsError::Refused { reason: format!("{}: {reason}", self.connections) };
        let name: DocumentName = name.parse().map_err(|error| refused(format!("name {error}")))?;
        if self.read_time.is_none() {
            return Err(refused(format!("{name} came without the moment that it shows")));
        }
        if let Some(last) = self.last.as_ref().filter(|last| **last >= name) {
            return Err(refused(format!("{name} came after {last}: it does not order by name")));
        }
        self.last = Some(name);
        Ok(())
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
