//! Group commit: handlers that arrive together share one write, and each returns only when its own
//! part of it is durable or has failed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::refused::Refused;

/// Writes items together.
#[async_trait]
pub(crate) trait Commit<T>: Send + Sync + 'static {
    /// Writes the items, at least one; one result per item, in their order.
    async fn commit(&self, items: &[T]) -> Vec<Result<(), Refused>>;
}

/// How a group gathers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gathering {
    /// How long the first item waits for others.
    pub(crate) wait: Duration,
    /// Items written together, at most.
    pub(crate) most: usize,
}

/// Gathers items and commits them, one commit at a time.
pub(crate) struct Group<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    commit: Box<dyn Commit<T>>,
    gathering: Gathering,
}

struct Waiting<T> {
    items: Vec<Item<T>>,
    /// Whether a task gathers and commits.
    at_work: bool,
}

struct Item<T> {
    item: T,
    told: oneshot::Sender<Result<(), Refused>>,
}

impl<T: Send + Sync + 'static> Group<T> {
    pub(crate) fn new(gathering: Gathering, commit: impl Commit<T>) -> Self {
        let waiting = Mutex::new(Waiting { items: Vec::new(), at_work: false });
        Self { shared: Arc::new(Shared { waiting, commit: Box::new(commit), gathering }) }
    }

    /// Has the item written with others; returns when it was. The write goes on when this future
    /// is dropped: others wait for it too.
    pub(crate) async fn submit(&self, item: T) -> Result<(), Refused> {
        let (told, outcome) = oneshot::channel();
        let must_start = {
            let mut waiting = self.shared.waiting();
            waiting.items.push(Item { item, told });
            !std::mem::replace(&mut waiting.at_work, true)
        };
        if must_start {
            tokio::spawn(work(Arc::clone(&self.shared)));
        }
        outcome.await.unwrap_or_else(|_| Err(Refused::outage(anyhow!("the write ended without an outcome"))))
    }
}

impl<T> Shared<T> {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting<T>> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next items to write, oldest first; without any the work is over.
    fn next(&self) -> Option<Vec<Item<T>>> {
        let mut waiting = self.waiting();
        let count = waiting.items.len().min(self.gathering.most.max(1));
        waiting.at_work = count > 0;
        (count > 0).then(|| waiting.items.drain(..count).collect())
    }
}

/// Gathers and commits until nobody waits.
async fn work<T: Send + Sync + 'static>(shared: Arc<Shared<T>>) {
    loop {
        if !shared.gathering.wait.is_zero() {
            tokio::time::sleep(shared.gathering.wait).await;
        }
        let Some(gathered) = shared.next() else { return };
        let (items, told): (Vec<T>, Vec<_>) = gathered.into_iter().map(|item| (item.item, item.told)).unzip();
        // A task of its own, so that a panic ends this commit and not the group.
        let committing = Arc::clone(&shared);
        match tokio::spawn(async move { committing.commit.commit(&items).await }).await {
            Ok(outcomes) => {
                for (told, outcome) in told.into_iter().zip(outcomes) {
                    if told.send(outcome).is_err() {
                        tracing::debug!("written for a handler that no longer waits");
                    }
                }
            }
            // Those who wait are told by their sender being dropped.
            Err(error) => tracing::error!(%error, "a write ended without an outcome"),
        }
    }
}

#[cfg(test)]
mod tests;
