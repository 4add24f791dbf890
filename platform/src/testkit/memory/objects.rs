//! Objects in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::ports::{
    ByteStream, Created, Generation, ObjectMeta, Objects, PortError, PortResult, Replaced, StoredObject,
};

/// Size of the pieces a body is read in: small, so that rows span them.
const PIECE: usize = 1_000;

/// What a rival writes just before an object of that key is created.
type Rival = Box<dyn FnMut(&str) -> Option<(String, Bytes)> + Send>;

/// Objects in memory.
#[derive(Default)]
pub struct MemoryObjects {
    stored: Mutex<BTreeMap<String, (Generation, Bytes)>>,
    rival: Mutex<Option<Rival>>,
}

impl MemoryObjects {
    /// The bytes of an object.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.stored.lock().unwrap().get(key).map(|(_, bytes)| bytes.clone())
    }

    /// Writes an object, whatever was there.
    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.write(key, None, bytes.into()).unwrap();
    }

    /// Every object.
    pub fn all(&self) -> BTreeMap<String, Bytes> {
        let stored = self.stored.lock().unwrap();
        stored.iter().map(|(key, (_, bytes))| (key.clone(), bytes.clone())).collect()
    }

    /// Asks a rival before each creation what it writes in between.
    pub fn rival(&self, hook: impl FnMut(&str) -> Option<(String, Bytes)> + Send + 'static) {
        *self.rival.lock().unwrap() = Some(Box::new(hook));
    }

    /// Writes where the generation is the expected one, or whatever it is; otherwise gives that.
    fn write(&self, key: &str, expected: Option<Option<Generation>>, bytes: Bytes) -> Result<Generation, Generation> {
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
        let rival = self.rival.lock().unwrap().as_mut().and_then(|hook| hook(key));
        if let Some((key, bytes)) = rival {
            // Where it is there already, the rival has lost.
            self.write(&key, Some(None), bytes).ok();
        }
        Ok(self.write(key, Some(None), pieces.concat().into()).map_or(Created::Existed, Created::New))
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        Ok(self.write(key, Some(expected), body).map_or(Replaced::LostRace, Replaced::Done))
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        // Somebody else may act in between.
        tokio::task::yield_now().await;
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
