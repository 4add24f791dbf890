//! Documents at a stand-in for Firestore, written by transactions.

use std::collections::HashMap;

use firestore::gcloud_sdk::google::firestore::v1::firestore_client::FirestoreClient;
use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::gcloud_sdk::google::firestore::v1::write::Operation;
use firestore::gcloud_sdk::google::firestore::v1::{
    ArrayValue, BeginTransactionRequest, CommitRequest, Document as Message, MapValue, Value, Write,
};
use firestore::gcloud_sdk::google::r#type::LatLng;
use firestore::gcloud_sdk::prost_types::Timestamp;

use crate::ports::{Document, DocumentValue};

/// Documents of one commit; the service's own bound.
const DOCUMENTS_PER_COMMIT: usize = 500;

/// Writes documents, those of one project and database together.
///
/// # Panics
/// Where the server does not take them.
pub async fn write(endpoint: &str, documents: &[Document]) {
    let update = |document: &Document| {
        let fields = document.fields.iter().map(|(name, value)| (name.clone(), message(value))).collect();
        let message = Message { name: document.name.to_string(), fields, create_time: None, update_time: None };
        Operation::Update(message)
    };
    commit(endpoint, documents.iter().map(|document| (document, update(document)))).await;
}

/// Removes documents.
///
/// # Panics
/// Where the server does not.
pub async fn delete(endpoint: &str, documents: &[Document]) {
    let delete = |document: &Document| Operation::Delete(document.name.to_string());
    commit(endpoint, documents.iter().map(|document| (document, delete(document)))).await;
}

async fn commit(endpoint: &str, operations: impl Iterator<Item = (&Document, Operation)>) {
    let mut by_database: HashMap<String, Vec<Write>> = HashMap::new();
    for (document, operation) in operations {
        let database = format!("projects/{}/databases/{}", document.name.project(), document.name.database());
        let write = Write { operation: Some(operation), ..Write::default() };
        by_database.entry(database).or_default().push(write);
    }
    let mut client = FirestoreClient::connect(endpoint.to_owned()).await.expect("the server takes connections");
    for (database, writes) in by_database {
        for some in writes.chunks(DOCUMENTS_PER_COMMIT) {
            let begin = BeginTransactionRequest { database: database.clone(), ..BeginTransactionRequest::default() };
            let transaction = client.begin_transaction(begin).await.expect("a transaction begins").into_inner();
            let request = CommitRequest {
                database: database.clone(),
                writes: some.to_vec(),
                transaction: transaction.transaction,
                ..CommitRequest::default()
            };
            client.commit(request).await.expect("the documents are written");
        }
    }
}

/// A value as Firestore's messages have it.
fn message(value: &DocumentValue) -> Value {
    let value_type = match value {
        DocumentValue::Null => ValueType::NullValue(0),
        DocumentValue::Bool(value) => ValueType::BooleanValue(*value),
        DocumentValue::Integer(number) => ValueType::IntegerValue(*number),
        DocumentValue::Double(number) => ValueType::DoubleValue(*number),
        DocumentValue::Time(moment) => ValueType::TimestampValue(Timestamp {
            seconds: moment.seconds(),
            nanos: i32::try_from(moment.nanos()).expect("fewer than a second has"),
        }),
        DocumentValue::Text(text) => ValueType::StringValue(text.clone()),
        DocumentValue::Bytes(bytes) => ValueType::BytesValue(bytes.clone()),
        DocumentValue::Reference(name) => ValueType::ReferenceValue(name.clone()),
        DocumentValue::GeoPoint { latitude, longitude } => {
            ValueType::GeoPointValue(LatLng { latitude: *latitude, longitude: *longitude })
        }
        DocumentValue::Array(values) => {
            ValueType::ArrayValue(ArrayValue { values: values.iter().map(message).collect() })
        }
        DocumentValue::Map(fields) => ValueType::MapValue(MapValue {
            fields: fields.iter().map(|(name, value)| (name.clone(), message(value))).collect(),
        }),
    };
    Value { value_type: Some(value_type) }
}
