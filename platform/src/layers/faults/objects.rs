//! Faults over the objects port.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Points;
use crate::ports::{ByteStream, Created, Generation, ObjectMeta, Objects, PortResult, Replaced, StoredObject};

/// An object store whose calls fail.
pub struct FaultyObjects {
    inner: Arc<dyn Objects>,
    points: Points,
}

impl FaultyObjects {
    /// Puts a stage's faults around a store.
    pub fn new(inner: Arc<dyn Objects>, points: Points) -> Self {
        Self { inner, points }
    }
}

#[async_trait]
impl Objects for FaultyObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        self.points.around("objects.create", self.inner.create(key, body)).await
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        self.points.around("objects.replace_if", self.inner.replace_if(key, expected, body)).await
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        self.points.around("objects.read", self.inner.read(key)).await
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        self.points.around("objects.list", self.inner.list(prefix)).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.points.around("objects.delete", self.inner.delete(key)).await
    }

    fn uri(&self, key: &str) -> Option<String> {
        self.inner.uri(key)
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}
