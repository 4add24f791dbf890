//! Events that arrive together are written together.

use std::sync::{Arc, Mutex, PoisonError};

use platform::ports::{PortError, Warehouse};
use platform::runtime::HandleError;
use schemas::{Row, RowWriter};
use tokio::sync::oneshot;

/// Most rows of one upsert.
const MOST_ROWS: usize = 1_000;

/// Writes rows of one table. Callers that come while an upsert is under way share the next one;
/// each returns only when its own row is durable.
pub(crate) struct Batcher<R> {
    warehouse: Arc<dyn Warehouse>,
    waiting: Mutex<Vec<Waiting<R>>>,
    /// Held by the caller that writes.
    turn: tokio::sync::Mutex<()>,
}

struct Waiting<R> {
    row: R,
    outcome: oneshot::Sender<Result<(), Failure>>,
}

/// A failure that several callers are told of.
#[derive(Debug, Clone)]
enum Failure {
    Outage(String),
    Poison(String),
}

impl From<Failure> for HandleError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Outage(reason) => Self::Outage(anyhow::anyhow!(reason)),
            Failure::Poison(reason) => Self::Poison(anyhow::anyhow!(reason)),
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        if error.is_outage() { Self::Outage(error.to_string()) } else { Self::Poison(error.to_string()) }
    }
}

impl<R: Row> Batcher<R> {
    /// A batcher for the rows' table.
    pub(crate) fn new(warehouse: Arc<dyn Warehouse>) -> Self {
        Self { warehouse, waiting: Mutex::new(Vec::new()), turn: tokio::sync::Mutex::new(()) }
    }

    /// Writes a row under its key.
    pub(crate) async fn put(&self, row: R) -> Result<(), HandleError> {
        let (sender, mut outcome) = oneshot::channel();
        self.lock().push(Waiting { row, outcome: sender });
        // Whoever gets the turn writes everything that waits, its own row included.
        loop {
            tokio::select! {
                biased;
                told = &mut outcome => return told.unwrap_or_else(|_| Err(abandoned())).map_err(Into::into),
                _turn = self.turn.lock() => self.write_waiting().await,
            }
        }
    }

    /// Takes one batch of what waits and writes it.
    async fn write_waiting(&self) {
        tokio::task::yield_now().await; // those that became ready in this moment join
        let batch = {
            let mut waiting = self.lock();
            let most = waiting.len().min(MOST_ROWS);
            waiting.drain(..most).collect::<Vec<_>>()
        };
        if batch.is_empty() {
            return;
        }
        let together = self.upsert(batch.iter().map(|waiting| &waiting.row)).await;
        // One row that will never be accepted must not take the others with it.
        let one_by_one = batch.len() > 1 && matches!(together, Err(Failure::Poison(_)));
        for waiting in batch {
            let outcome = if one_by_one { self.upsert([&waiting.row]).await } else { together.clone() };
            if waiting.outcome.send(outcome).is_err() {
                tracing::debug!("nobody waits for a written row any more");
            }
        }
    }

    async fn upsert<'a>(&self, rows: impl IntoIterator<Item = &'a R>) -> Result<(), Failure> {
        let file = (|| {
            let mut writer = RowWriter::<R>::new()?;
            rows.into_iter().try_for_each(|row| writer.push(row))?;
            writer.finish()
        })()
        .map_err(|error| Failure::Poison(error.to_string()))?;
        Ok(self.warehouse.upsert(R::TABLE, file).await?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting<R>>> {
        // The list is whole whatever a panicking holder did: it only pushes and drains.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever had taken the row was stopped; whether it was written is not known.
fn abandoned() -> Failure {
    Failure::Outage("the writer of this batch was stopped".into())
}
