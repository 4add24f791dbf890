//! Load plans: which snapshots of a table share one load job, kept where a crash cannot lose them.
//!
//! 1. The *proposal* names the snapshots that arrived together.
//! 2. One create-only *claim* per snapshot names the plan; of several plans that want a snapshot one
//!    gets it.
//! 3. The *seal*, create-only too, names the snapshots the plan got. Who comes back to a plan whose
//!    loader died seals it with the claims it finds.
//! 4. The job runs under the plan's id over the sealed snapshots, however often.
//!
//! A snapshot that was claimed after its plan had been sealed by somebody else is loaded by a job of
//! its own, under an id that follows from the snapshot.

use std::sync::Arc;

use platform::ports::{LoadJob, Objects, PortError, SnapshotRows, Warehouse};
use platform::runtime::HandleError;
use schemas::{IdBuilder, Table, keys};
use serde::de::DeserializeOwned;

/// Largest plan that is read.
const PLAN_BYTES: u64 = 64 << 20;

/// Plans and runs load jobs.
#[derive(Clone)]
pub(crate) struct Planner {
    objects: Arc<dyn Objects>,
    warehouse: Arc<dyn Warehouse>,
}

impl Planner {
    pub(crate) fn new(objects: Arc<dyn Objects>, warehouse: Arc<dyn Warehouse>) -> Self {
        Self { objects, warehouse }
    }

    /// The plan that has a snapshot already.
    pub(crate) async fn plan_of(&self, table: Table, rows: &SnapshotRows) -> Result<Option<String>, HandleError> {
        let key = keys::load_claim(table, &rows.snapshot_id, rows.revision);
        self.read::<String>(&key).await
    }

    /// Proposes a plan for snapshots and claims them; snapshots that another plan has are left to it.
    pub(crate) async fn propose(&self, table: Table, snapshots: Vec<SnapshotRows>) -> Result<String, HandleError> {
        let plan = plan_id(table, &snapshots);
        let job = LoadJob { id: plan.clone(), table, snapshots };
        self.create(&keys::load_plan(table, &plan), &job).await?;
        for rows in &job.snapshots {
            self.create(&keys::load_claim(table, &rows.snapshot_id, rows.revision), &plan).await?;
        }
        Ok(plan)
    }

    /// Runs a plan's job, and one for the snapshot at hand if the plan was sealed without it.
    pub(crate) async fn execute(&self, table: Table, plan: &str, rows: &SnapshotRows) -> Result<(), HandleError> {
        let sealed = self.seal(table, plan).await?;
        let included = sealed.snapshots.iter().any(|one| is_same(one, rows));
        if !sealed.snapshots.is_empty() {
            self.warehouse.load(&sealed, self.objects.as_ref()).await?;
        }
        if !included {
            let alone = vec![rows.clone()];
            let job = LoadJob { id: plan_id(table, &alone), table, snapshots: alone };
            self.warehouse.load(&job, self.objects.as_ref()).await?;
        }
        Ok(())
    }

    /// The job of a plan: sealed before, or now with the claims that name the plan.
    async fn seal(&self, table: Table, plan: &str) -> Result<LoadJob, HandleError> {
        let key = keys::load_seal(table, plan);
        if let Some(sealed) = self.read(&key).await? {
            return Ok(sealed);
        }
        let proposal_key = keys::load_plan(table, plan);
        let Some(mut job) = self.read::<LoadJob>(&proposal_key).await? else {
            return Err(HandleError::Poison(anyhow::anyhow!("load plan {proposal_key}: a claim names it, but there is none")));
        };
        let mut won = Vec::with_capacity(job.snapshots.len());
        for rows in job.snapshots {
            if self.plan_of(table, &rows).await?.as_deref() == Some(plan) {
                won.push(rows);
            }
        }
        job.snapshots = won;
        self.create(&key, &job).await?;
        // Somebody else may have sealed it in between: the stored one counts.
        self.read(&key).await?.ok_or_else(|| HandleError::Outage(anyhow::anyhow!("load plan {key}: its seal is gone")))
    }

    async fn create(&self, key: &str, value: &impl serde::Serialize) -> Result<(), HandleError> {
        let body = serde_json::to_vec(value).map_err(|error| PortError::never_will(format!("write {key}"), error))?;
        self.objects.create_bytes(key, body).await?;
        Ok(())
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, HandleError> {
        let Some((_, bytes)) = self.objects.read_bytes(key, PLAN_BYTES).await? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| PortError::never_will(format!("read {key}"), error).into())
    }
}

/// The id of a plan follows from what it loads.
fn plan_id(table: Table, snapshots: &[SnapshotRows]) -> String {
    snapshots
        .iter()
        .fold(IdBuilder::new("load-plan").part("table", table.name()), |id, rows| {
            id.part("snapshot", rows.snapshot_id.as_str()).part("revision", rows.revision.to_be_bytes())
        })
        .finish()
}

fn is_same(a: &SnapshotRows, b: &SnapshotRows) -> bool {
    a.snapshot_id == b.snapshot_id && a.revision == b.revision
}
