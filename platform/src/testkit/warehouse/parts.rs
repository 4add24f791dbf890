//! Parts of snapshots: container files of rows.

use apache_avro::types::Value;
use apache_avro::{Schema, Writer};
use bytes::Bytes;
use futures::StreamExt as _;
use schemas::{Row, RowWriter};

use crate::ports::{Created, Objects, SnapshotPart};

/// A container file of rows.
pub fn file<R: Row>(rows: &[R]) -> Vec<u8> {
    let mut writer = RowWriter::<R>::new().unwrap();
    for row in rows {
        writer.push(row).unwrap();
    }
    writer.finish().unwrap()
}

/// A container file as a past version wrote it: without some columns.
pub fn file_without<R: Row>(rows: &[R], columns: &[&str]) -> Vec<u8> {
    let mut avsc: serde_json::Value = serde_json::from_str(R::schema().avsc).unwrap();
    avsc["fields"].as_array_mut().unwrap().retain(|field| !columns.contains(&field["name"].as_str().unwrap()));
    let schema = Schema::parse_str(&avsc.to_string()).unwrap();
    let current = file(rows);
    let mut writer = Writer::new(&schema, Vec::new()).unwrap();
    for row in apache_avro::Reader::new(current.as_slice()).unwrap() {
        let Value::Record(mut fields) = row.unwrap() else { panic!("a row is a record") };
        fields.retain(|(name, _)| !columns.contains(&name.as_str()));
        writer.append_value(Value::Record(fields)).unwrap();
    }
    writer.into_inner().unwrap()
}

/// Stores a part and says how to load it.
pub async fn stored<R: Row>(objects: &dyn Objects, key: &str, rows: &[R]) -> SnapshotPart {
    put(objects, key, file(rows)).await;
    SnapshotPart { object: key.to_owned(), rows: i64::try_from(rows.len()).unwrap() }
}

/// Stores bytes under a fresh key.
pub async fn put(objects: &dyn Objects, key: &str, bytes: Vec<u8>) {
    let body = futures::stream::once(async move { Ok(Bytes::from(bytes)) }).boxed();
    assert!(matches!(objects.create(key, body).await.unwrap(), Created::New(_)), "{key} is not fresh");
}
