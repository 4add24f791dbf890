//! Loading by slots: one plan, and so one job, per table and slot, however many replicas there are.
//!
//! A snapshot is entered into the slot of the clock in which its part was published, by a
//! create-only object. Once the slot is over, whoever waits for it makes the slot's plan of what
//! was entered; the plan's id is that of the slot and plans are create-only, so the first to make
//! it decides and all others read it. What came too late for it is entered into the next slot. From
//! there on everything is as with any plan: claims fix what its job loads, and anybody can carry on
//! from any point. A slot that ended while its processes were dead is closed by whoever handles one
//! of its messages next: late, but as one plan.

use std::sync::Arc;

use anyhow::anyhow;
use platform::ports::{Clock, LoadJob, SnapshotRows};
use schemas::Timestamp;

use crate::plan::{Loads, Outcomes, Rows, id_of, unplanned};
use crate::refused::Refused;
use crate::slot::{Interval, Slot};
use crate::together::Together;

/// Slots that are tried before a message is given back, to come again later. More than two are
/// closed without a snapshot only where more snapshots come than plans may hold, or where the clock
/// stands still.
const MOST_SLOTS_TRIED: usize = 8;

/// Loads complete snapshots of one table by the slots in which they came.
pub(crate) struct BySlot {
    loads: Arc<Loads>,
    interval: Interval,
    clock: Arc<dyn Clock>,
    /// Plans that are being made, by id.
    plans: Together<Arc<LoadJob>>,
    /// Plans that are being carried out, by id.
    runs: Together<Arc<Outcomes>>,
}

impl BySlot {
    pub(crate) fn new(loads: Loads, interval: Interval, clock: Arc<dyn Clock>) -> Self {
        Self { loads: Arc::new(loads), interval, clock, plans: Together::new(), runs: Together::new() }
    }

    /// Loads a snapshot, of which a part was published at that time, with others of its slot.
    /// Returns when its rows are durable. One that is claimed already does not wait for a slot.
    pub(crate) async fn load(&self, snapshot: &SnapshotRows, published_at: Timestamp) -> Result<(), Refused> {
        let rows = id_of(snapshot);
        let plan = match self.loads.claim_of(&rows).await? {
            Some(plan) => plan,
            None => self.plan_with(snapshot, &rows, published_at).await?,
        };
        if let Some(outcome) = self.run(&plan).await?.get(&rows) {
            return outcome.clone();
        }
        // Another plan claimed it first, and claims never change.
        let Some(plan) = self.loads.claim_of(&rows).await? else { return unplanned(&rows) };
        self.run(&plan).await?.get(&rows).cloned().unwrap_or_else(|| unplanned(&rows))
    }

    /// A plan that has the snapshot in it.
    async fn plan_with(
        &self,
        snapshot: &SnapshotRows,
        rows: &Rows,
        published_at: Timestamp,
    ) -> Result<String, Refused> {
        let mut slot = self.interval.first_slot(published_at, self.clock.now());
        for _ in 0..MOST_SLOTS_TRIED {
            let id = slot.plan_id(self.loads.table);
            let plan = match self.loads.plan_if_made(&id).await? {
                Some(made) => Arc::new(made),
                None => {
                    self.loads.enter(&id, snapshot).await?;
                    self.close(slot, &id).await?
                }
            };
            if plan.snapshots.iter().any(|planned| id_of(planned) == *rows) {
                return Ok(id);
            }
            tracing::info!(table = %self.loads.table, snapshot_id = %rows.0, slot = %slot.begins_at(), "slot closed without it");
            slot = slot.next();
        }
        let table = self.loads.table;
        Err(Refused::outage(anyhow!(
            "snapshot {}: {MOST_SLOTS_TRIED} slots of {table} up to {} closed without it",
            rows.0,
            slot.begins_at()
        )))
    }

    /// Waits for the slot's end and gives its plan.
    async fn close(&self, slot: Slot, id: &str) -> Result<Arc<LoadJob>, Refused> {
        tokio::time::sleep(slot.closes_in(self.clock.now())).await;
        let (loads, plan) = (Arc::clone(&self.loads), id.to_owned());
        self.plans.join(id, || async move { Ok(Arc::new(loads.make_of_entries(&plan).await?)) }).await
    }

    /// Carries a plan out, with all others who wait for that.
    async fn run(&self, plan: &str) -> Result<Arc<Outcomes>, Refused> {
        let (loads, id) = (Arc::clone(&self.loads), plan.to_owned());
        self.runs.join(plan, || async move { Ok(Arc::new(loads.carry_out(&id).await?)) }).await
    }
}
