//! Parts in memory: a small objects port, and container files of rows.

use std::collections::BTreeMap;
use std::sync::Mutex;

use apache_avro::types::Value;
use apache_avro::{Schema, Writer};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use schemas::{Row, RowWriter};

use crate::ports::{
    ByteStream, Created, Generation, ObjectMeta, Objects, PortError, PortResult, Replaced, SnapshotPart, StoredObject,
};

/// Size of the pieces a body is read in: small, so that rows span them.
const PIECE: usize = 1_000;

/// Objects in memory.
#[derive(Default)]
pub struct MemoryObjects {
    stored: Mutex<BTreeMap<String, (Generation, Bytes)>>,
}

impl MemoryObjects {
    fn put(&self, key: &str, expected: Option<Option<Generation>>, bytes: Bytes) -> Result<Generation, Generation> {
        let mut stored = self.stored.lock().unwrap();
        let found = stored.get(key).map(|(generation, _)| *generation);
        if expected.is_some_and(|expected| expected != found) {
            return Err(found.unwrap_or(Generation(0)));
        }
        let generation = Generation(found.map_or(1, |generation| generation.0 + 1));
        stored.insert(key.to_owned(), (generation, bytes));
        Ok(generation)
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        let pieces: Vec<Bytes> = body
            .try_collect()
            .await
            .map_err(|error| PortError::did_not_happen(format!("create object {key}"), error))?;
        Ok(self.put(key, Some(None), pieces.concat().into()).map_or(Created::Existed, Created::New))
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        Ok(self.put(key, Some(expected), body).map_or(Replaced::LostRace, Replaced::Done))
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        let found = self.stored.lock().unwrap().get(key).cloned();
        Ok(found.map(|(generation, bytes)| {
            let size = bytes.len() as u64;
            let pieces: Vec<_> = bytes.chunks(PIECE).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            StoredObject { generation, size, body: futures::stream::iter(pieces).boxed() }
        }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        let stored = self.stored.lock().unwrap();
        let below = stored.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(below
            .map(|(key, (generation, bytes))| ObjectMeta {
                key: key.clone(),
                size: bytes.len() as u64,
                generation: *generation,
            })
            .collect())
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.stored.lock().unwrap().remove(key);
        Ok(())
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

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
