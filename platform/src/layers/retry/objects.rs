//! Retry over the objects port.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::replay::ReplayBody;
use super::{AfterDoubt, RetryPolicy, retry};
use crate::ports::{ByteStream, Created, Generation, ObjectMeta, Objects, PortResult, Replaced, StoredObject};

/// Bytes of a body kept in memory for a second try. A create that fails after more than that goes
/// up as the outage it is.
const REPLAYED_BYTES: usize = 4 << 20;

/// An object store whose calls are retried.
///
/// `replace_if` is not repeated after a doubt: if the first call did write, the second would report
/// a lost race that nobody else won.
pub struct RetryObjects {
    inner: Arc<dyn Objects>,
    policy: RetryPolicy,
}

impl RetryObjects {
    /// Retries over a store.
    pub fn new(inner: Arc<dyn Objects>, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }
}

#[async_trait]
impl Objects for RetryObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        let body = ReplayBody::new(body, REPLAYED_BYTES);
        retry(&self.policy, AfterDoubt::Repeat, || async {
            match self.inner.create(key, body.whole()).await {
                Err(error) if !body.can_start_over() => Ok(Err(error)),
                created => created.map(Ok),
            }
        })
        .await?
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        retry(&self.policy, AfterDoubt::GiveUp, || self.inner.replace_if(key, expected, body.clone())).await
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.read(key)).await
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.list(prefix)).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        retry(&self.policy, AfterDoubt::Repeat, || self.inner.delete(key)).await
    }

    fn uri(&self, key: &str) -> Option<String> {
        self.inner.uri(key)
    }

    /// Not retried: readiness asks for now.
    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}
