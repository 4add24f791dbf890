//! Time-outs over the objects port.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;

use super::{Timeouts, effect, reading};
use crate::ports::{ByteStream, Created, Generation, ObjectMeta, Objects, PortResult, Replaced, StoredObject};

/// An object store whose calls end in time, each piece of a body that is read included.
pub struct TimeoutObjects {
    inner: Arc<dyn Objects>,
    limits: Timeouts,
}

impl TimeoutObjects {
    /// Bounds a store's calls.
    pub fn new(inner: Arc<dyn Objects>, limits: Timeouts) -> Self {
        Self { inner, limits }
    }
}

#[async_trait]
impl Objects for TimeoutObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        effect(self.limits.transfer, || format!("create object {key}"), self.inner.create(key, body)).await
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        let call = self.inner.replace_if(key, expected, body);
        effect(self.limits.transfer, || format!("replace object {key}"), call).await
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        let found = reading(self.limits.call, || format!("read object {key}"), self.inner.read(key)).await?;
        let limit = self.limits.call;
        Ok(found.map(|object| StoredObject { body: piecewise(object.body, limit), ..object }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        reading(self.limits.call, || format!("list objects under {prefix}"), self.inner.list(prefix)).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        effect(self.limits.call, || format!("delete object {key}"), self.inner.delete(key)).await
    }

    fn uri(&self, key: &str) -> Option<String> {
        self.inner.uri(key)
    }

    async fn ping(&self) -> PortResult<()> {
        reading(self.limits.call, || "ping the object store".to_owned(), self.inner.ping()).await
    }
}

/// The same body; a piece that does not come in time is an error and the end.
pub(super) fn piecewise(body: ByteStream, limit: Duration) -> ByteStream {
    Box::pin(futures::stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        match tokio::time::timeout(limit, body.next()).await {
            Ok(Some(piece)) => Some((piece, Some(body))),
            Ok(None) => None,
            Err(_) => Some((Err(io::Error::new(io::ErrorKind::TimedOut, format!("no bytes within {limit:?}"))), None)),
        }
    }))
}
