//! A cluster that something happens to in the middle of a list.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use schemas::Timestamp;

use crate::ports::{Cluster, ClusterError, Kind, Listing};

/// Lists as another cluster does, but for one time: between two pages of one kind's list, before the
/// later one is asked for, something is done first.
pub struct Interrupted {
    inner: Arc<dyn Cluster>,
    kind: Kind,
    after_pages: usize,
    happens: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Interrupted {
    /// After so many pages of a kind's first list, awaits what happens.
    pub fn new(
        inner: Arc<dyn Cluster>,
        kind: Kind,
        after_pages: usize,
        happens: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { inner, kind, after_pages, happens: Mutex::new(Some(happens.boxed())) }
    }

    /// Whether it has begun to happen.
    pub fn happened(&self) -> bool {
        self.happens.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

#[async_trait]
impl Cluster for Interrupted {
    async fn list(&self, kind: Kind, at: Timestamp) -> Result<Listing, ClusterError> {
        let mut listing = self.inner.list(kind, at).await?;
        let happens = match kind == self.kind {
            true => self.happens.lock().unwrap_or_else(PoisonError::into_inner).take(),
            false => None,
        };
        if let Some(happens) = happens {
            let first = self.after_pages;
            let pages =
                stream::unfold((listing.pages, 0, Some(happens)), move |(mut pages, seen, mut happens)| async move {
                    if seen == first
                        && let Some(happens) = happens.take()
                    {
                        happens.await;
                    }
                    let page = pages.next().await?;
                    Some((page, (pages, seen + 1, happens)))
                });
            listing.pages = pages.boxed();
        }
        Ok(listing)
    }
}
