//! Complete snapshots of one table that arrive together share a load.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use platform::ports::{SnapshotPart, SnapshotRows};
use platform::runtime::HandleError;
use schemas::{RowBatch, Table};
use tokio::sync::watch;

use crate::plan::Planner;

/// What the waiting members of a group are told.
type Told = Option<Result<String, String>>;

/// Groups by table that are still open.
pub(crate) struct Groups {
    planner: Planner,
    interval: Duration,
    open: Mutex<HashMap<Table, Group>>,
}

struct Group {
    snapshots: Vec<SnapshotRows>,
    told: watch::Receiver<Told>,
}

impl Groups {
    pub(crate) fn new(planner: Planner, interval: Duration) -> Arc<Self> {
        Arc::new(Self { planner, interval, open: Mutex::default() })
    }

    /// Loads one snapshot's rows, together with others of the table that arrive within the interval.
    pub(crate) async fn load(self: &Arc<Self>, table: Table, rows: SnapshotRows) -> Result<(), HandleError> {
        let plan = match self.planner.plan_of(table, &rows).await? {
            Some(plan) => plan,
            None if self.interval.is_zero() => self.planner.propose(table, vec![rows.clone()]).await?,
            None => self.join(table, rows.clone()).await?,
        };
        // The claim decides, whichever plan was proposed for the snapshot here.
        let plan = self.planner.plan_of(table, &rows).await?.unwrap_or(plan);
        self.planner.execute(table, &plan, &rows).await
    }

    /// Joins the table's open group, or opens one; returns its plan once the group is closed.
    async fn join(self: &Arc<Self>, table: Table, rows: SnapshotRows) -> Result<String, HandleError> {
        let mut told = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            match open.get_mut(&table) {
                Some(group) => {
                    if !group.snapshots.contains(&rows) {
                        group.snapshots.push(rows);
                    }
                    group.told.clone()
                }
                None => {
                    let (teller, told) = watch::channel(None);
                    open.insert(table, Group { snapshots: vec![rows], told: told.clone() });
                    tokio::spawn(self.clone().close(table, teller));
                    told
                }
            }
        };
        let outcome = told.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        match outcome {
            Ok(Some(Ok(plan))) => Ok(plan),
            Ok(Some(Err(reason))) => Err(HandleError::Outage(anyhow::anyhow!(reason))),
            Ok(None) | Err(_) => Err(HandleError::Outage(anyhow::anyhow!("the group of this load was stopped"))),
        }
    }

    /// Closes a group after the interval and proposes its plan. A group dies with its process; what
    /// was in it comes again.
    async fn close(self: Arc<Self>, table: Table, teller: watch::Sender<Told>) {
        tokio::time::sleep(self.interval).await;
        let group = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&table);
        let Some(mut group) = group else { return };
        group.snapshots.sort_by(|a, b| (&a.snapshot_id, a.revision).cmp(&(&b.snapshot_id, b.revision)));
        let outcome = self.planner.propose(table, group.snapshots).await.map_err(|error| error.to_string());
        if teller.send(Some(outcome)).is_err() {
            tracing::debug!(%table, "nobody waits for a closed group any more");
        }
    }
}

/// What is to be loaded of a kind's parts; empty parts have nothing to load.
pub(crate) fn of(batches: &[RowBatch], revision: i64) -> Option<SnapshotRows> {
    let first = batches.first()?;
    Some(SnapshotRows {
        snapshot_id: first.snapshot_id.clone(),
        revision,
        parts: batches
            .iter()
            .map(|batch| SnapshotPart { object: batch.object.clone(), rows: batch.row_count })
            .collect(),
    })
}
