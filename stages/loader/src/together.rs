//! Work that several wait for: done once, and each is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::anyhow;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};

use crate::refused::Refused;

/// Work that goes on, by its name. What it gives is cheap to clone.
pub(crate) struct Together<V> {
    going_on: Arc<Mutex<HashMap<String, GoingOn<V>>>>,
}

type GoingOn<V> = Shared<BoxFuture<'static, Result<V, Refused>>>;

impl<V: Clone + Send + Sync + 'static> Together<V> {
    /// Nothing goes on.
    pub(crate) fn new() -> Self {
        Self { going_on: Arc::default() }
    }

    /// Waits for the work of that name, begun here unless it goes on already. It goes on when this
    /// future is dropped: others may wait for it too. Work that ended is forgotten: who asks later
    /// begins anew.
    pub(crate) async fn join<W>(&self, name: &str, work: impl FnOnce() -> W + Send) -> Result<V, Refused>
    where
        W: Future<Output = Result<V, Refused>> + Send + 'static,
    {
        let going_on = {
            let mut all = lock(&self.going_on);
            match all.get(name) {
                Some(going_on) => going_on.clone(),
                None => {
                    let begun = self.begin(name, work());
                    all.insert(name.to_owned(), begun.clone());
                    begun
                }
            }
        };
        going_on.await
    }

    fn begin(&self, name: &str, work: impl Future<Output = Result<V, Refused>> + Send + 'static) -> GoingOn<V> {
        let (all, name) = (Arc::clone(&self.going_on), name.to_owned());
        // A task within a task, so that a panic ends the work and is not remembered as going on.
        let ending = tokio::spawn(async move {
            let outcome = match tokio::spawn(work).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::error!(%error, work = name, "shared work ended without an outcome");
                    Err(without_outcome())
                }
            };
            lock(&all).remove(&name);
            outcome
        });
        async move { ending.await.unwrap_or_else(|_| Err(without_outcome())) }.boxed().shared()
    }
}

fn without_outcome() -> Refused {
    Refused::outage(anyhow!("the work ended without an outcome"))
}

fn lock<T>(going_on: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    going_on.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_meanwhile_share_the_work_and_who_asks_later_begins_anew() {
        let (together, done) = (Together::new(), AtomicUsize::new(0));
        let work = |name: &'static str| {
            together.join(name, || {
                let number = done.fetch_add(1, Ordering::SeqCst);
                async move { Ok(number) }
            })
        };
        let numbers: Vec<usize> =
            join_all([work("a"), work("b"), work("a")]).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(numbers, [0, 1, 0]);
        assert_eq!(work("a").await.unwrap(), 2);
    }

    #[tokio::test]
    async fn work_goes_on_when_who_began_it_leaves() {
        let (together, permits) = (Together::new(), Arc::new(Semaphore::new(0)));
        let work = || {
            let permits = Arc::clone(&permits);
            together.join("a", || async move { permits.acquire().await.map(|_| 7).map_err(Refused::outage) })
        };
        let (mut leaves, mut stays) = (Box::pin(work()), Box::pin(work()));
        assert!(futures::poll!(leaves.as_mut()).is_pending());
        assert!(futures::poll!(stays.as_mut()).is_pending());
        drop(leaves);
        permits.add_permits(1);
        assert_eq!(stays.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_panic_is_an_outage_and_is_forgotten() {
        let together = Together::<usize>::new();
        assert!(matches!(together.join("a", || async { panic!("on purpose") }).await, Err(Refused::Outage(_))));
        assert_eq!(together.join("a", || async { Ok(1) }).await.unwrap(), 1);
    }
}
