//! Work for the broker's thread, and how its result gets back.

use std::time::Duration;

use tokio::sync::oneshot;

use super::failure::{Attempt, Failure};
use super::store::{LeaseId, Leased, Store, Wanted};
use crate::ports::PortResult;

/// One piece of work within a shared transaction. It may be run more than once, when a transaction
/// was rolled back, and is finished once.
pub(super) trait Job: Send {
    /// Whether it needs the write lock.
    fn writes(&self) -> bool;
    /// About how many bytes it writes.
    fn bytes(&self) -> usize;
    /// Does it.
    fn run(&mut self, store: &Store<'_>) -> rusqlite::Result<()>;
    /// Tells who asked, once it is durable or has failed.
    fn finish(self: Box<Self>, outcome: Result<(), Failure>);
}

/// Work somebody waits for.
pub(super) struct Call<F, T> {
    pub(super) attempt: Attempt,
    pub(super) writes: bool,
    pub(super) bytes: usize,
    pub(super) work: F,
    pub(super) result: Option<T>,
    pub(super) reply: oneshot::Sender<PortResult<T>>,
}

impl<F, T> Job for Call<F, T>
where
    F: Fn(&Store<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn writes(&self) -> bool {
        self.writes
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, store: &Store<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.work)(store)?);
        Ok(())
    }

    fn finish(self: Box<Self>, outcome: Result<(), Failure>) {
        let result = match (outcome, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(Failure::thread_ended().port_error(&self.attempt)),
            (Err(failure), _) => Err(failure.port_error(&self.attempt)),
        };
        // Who asked may have gone away; what was done stands.
        drop(self.reply.send(result));
    }
}

/// Gives leases back; nobody waits for it.
pub(super) struct GiveBack {
    pub(super) attempt: Attempt,
    pub(super) leases: Vec<LeaseId>,
    /// Whether they were delivered, so that the attempt counts.
    pub(super) delivered: bool,
}

impl Job for GiveBack {
    fn writes(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        0
    }

    fn run(&mut self, store: &Store<'_>) -> rusqlite::Result<()> {
        if self.delivered {
            self.leases.iter().try_for_each(|lease| store.nack(*lease, Duration::ZERO))
        } else {
            store.release(&self.leases)
        }
    }

    fn finish(self: Box<Self>, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            let (attempted, reason) = (&self.attempt, &failure);
            tracing::warn!(%attempted, %reason, "leases not given back, they run out by themselves");
        }
    }
}

/// A receiver that waits for messages.
pub(super) struct Waiting {
    pub(super) attempt: Attempt,
    pub(super) wanted: Wanted,
    pub(super) reply: oneshot::Sender<PortResult<Vec<Leased>>>,
}
