//! What happens in the document database, round by round: teams register, change and take back. What
//! it held is recorded from what was written and from the times that the writes were answered with,
//! so that the record owes nothing to what reads documents.

mod changes;
mod claims;
mod lists;
mod rest;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use firestore::gcloud_sdk::google::firestore::v1::firestore_client::FirestoreClient;
use firestore::gcloud_sdk::google::firestore::v1::write::Operation;
use firestore::gcloud_sdk::google::firestore::v1::{CommitRequest, Document, Write};
use firestore::gcloud_sdk::tonic::transport::Channel;
use platform::ports::Moment;
use serde_json::{Value, json};

use crate::google::PROJECT;

use changes::Change;
pub(crate) use claims::hold;
pub(crate) use lists::broken_off;

/// The source's configured name.
pub(crate) const SOURCE: &str = "registry";
/// What is collected, in this order; one of them has no table of its own.
pub(crate) const COLLECTIONS: &str = "apis,capExtChannels,backendservices,teams";
/// What no part and no row may hold, though documents do.
pub(crate) const CREDENTIAL: &str = "a planted credential";
const DATABASE: &str = "registrations";

/// By which the snapshotter finds the database.
pub(crate) fn address() -> String {
    format!("firestore:{PROJECT}/{DATABASE}")
}

/// The database and what it holds.
pub(crate) struct Registry {
    client: FirestoreClient<Channel>,
    /// By path.
    documents: BTreeMap<String, Recorded>,
}

/// A document as it was written, in the form of Firestore's REST interface, and when.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    created: Moment,
    updated: Moment,
    fields: Value,
}

/// What the database held while a snapshot was taken.
pub(crate) struct Recording {
    documents: BTreeMap<String, Recorded>,
    /// When the first and the last write before the snapshot were made.
    written: RangeInclusive<Moment>,
}

impl Registry {
    /// An empty one at a stand-in.
    pub(crate) async fn connect(endpoint: &str) -> Self {
        let client = FirestoreClient::connect(endpoint.to_owned()).await.unwrap();
        Self { client, documents: BTreeMap::new() }
    }

    /// Lets a round's changes happen, each in a commit of its own.
    pub(crate) async fn change(&mut self, round: u32) -> Recording {
        let mut written = Vec::new();
        for change in changes::of_round(round) {
            written.push(self.apply(change).await);
        }
        let (first, last) = (written.first().unwrap(), written.last().unwrap());
        Recording { documents: self.documents.clone(), written: *first..=*last }
    }

    /// A document keeps the time it was created at for as long as it is not deleted.
    async fn apply(&mut self, change: Change) -> Moment {
        match change {
            Change::Set { path, fields } => {
                let name = name(&path);
                let document = Document { name, fields: rest::fields(&fields), create_time: None, update_time: None };
                let updated = self.commit(Operation::Update(document)).await;
                let before = self.documents.get(&path);
                // The stand-in would keep it, where the service does not.
                let loses_a_field = before.is_some_and(|before| !is_within(&before.fields, &fields));
                assert!(!loses_a_field, "{path}: a write leaves out a field that was there");
                let created = before.map_or(updated, |before| before.created);
                self.documents.insert(path, Recorded { created, updated, fields });
                updated
            }
            Change::Delete { path } => {
                assert!(self.documents.remove(path).is_some(), "{path} is not there to be deleted");
                self.commit(Operation::Delete(name(path))).await
            }
        }
    }

    /// The time that the write was answered with.
    async fn commit(&mut self, operation: Operation) -> Moment {
        let write = Write { operation: Some(operation), ..Write::default() };
        let database = format!("projects/{PROJECT}/databases/{DATABASE}");
        let request = CommitRequest { database, writes: vec![write], ..CommitRequest::default() };
        let answer = self.client.commit(request).await.unwrap().into_inner();
        let time = answer.write_results[0].update_time.unwrap();
        Moment::new(time.seconds, time.nanos.try_into().unwrap()).unwrap()
    }
}

impl Recording {
    /// Makes a folder hold the documents, as an export by the REST interface would.
    pub(crate) fn write(&self, folder: &Path) {
        let line = |(path, document): (&String, &Recorded)| {
            let (created, updated) = (document.created.to_string(), document.updated.to_string());
            json!({"name": name(path), "createTime": created, "updateTime": updated, "fields": document.fields})
        };
        let lines: Vec<String> = self.documents.iter().map(|document| line(document).to_string()).collect();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("documents.ndjson"), lines.join("\n")).unwrap();
    }

    /// The documents that are collected, by path.
    fn collected(&self) -> impl Iterator<Item = (&str, &Recorded)> {
        let is_collected = |path: &str| {
            let collection = path.rsplit('/').nth(1);
            COLLECTIONS.split(',').any(|collected| collection == Some(collected))
        };
        self.documents
            .iter()
            .map(|(path, document)| (path.as_str(), document))
            .filter(move |(path, _)| is_collected(path))
    }
}

/// Whether one object's members are all members of another.
fn is_within(one: &Value, other: &Value) -> bool {
    one.as_object().unwrap().keys().all(|name| other.get(name).is_some())
}

fn name(path: &str) -> String {
    format!("projects/{PROJECT}/databases/{DATABASE}/documents/{path}")
}
