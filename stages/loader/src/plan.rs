//! Load plans: which snapshots share a job, decided once and for good, whoever asks.
//!
//! A plan is proposed as a create-only object. Then each of its snapshots is claimed for it by a
//! create-only object that names it. A claim is never changed, so once each of a plan's snapshots
//! has one, what the plan's job loads is fixed: the snapshots whose claims name it. Anybody can
//! carry on from any point, and everybody comes to the same jobs under the same ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use platform::ports::{Created, LoadJob, LoadOutcome, Objects, PortError, PortResult, SnapshotRows, Warehouse};
use schemas::keys::{load_claim, load_plan};
use schemas::{IdBuilder, SnapshotId, Table};

use crate::group::Commit;
use crate::refused::Refused;

/// Largest plan that is read, in bytes.
const LARGEST_PLAN: u64 = 64 << 20;
/// Largest claim that is read, in bytes.
const LARGEST_CLAIM: u64 = 128;
/// Length of a plan's id.
const PLAN_ID_DIGITS: usize = 32;
/// Claims written or read at the same time.
const PARALLEL_CLAIMS: usize = 16;

/// One snapshot's rows of one table.
type Rows = (SnapshotId, i64);
/// What became of each snapshot.
type Outcomes = BTreeMap<Rows, Result<(), Refused>>;

/// Loads complete snapshots of one table together.
pub(crate) struct Loads {
    pub(crate) table: Table,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) warehouse: Arc<dyn Warehouse>,
}

#[async_trait]
impl Commit<SnapshotRows> for Loads {
    async fn commit(&self, snapshots: &[SnapshotRows]) -> Vec<Result<(), Refused>> {
        match self.load(snapshots).await.map_err(Refused::from) {
            Ok(outcomes) => snapshots.iter().map(|rows| outcome_of(rows, &outcomes)).collect(),
            Err(Refused::Poison(_)) if snapshots.len() > 1 => {
                // The plan or claim of one of them cannot be read: the others must not suffer for it.
                let mut outcomes = Vec::with_capacity(snapshots.len());
                for rows in snapshots {
                    let alone = self.load(std::slice::from_ref(rows)).await;
                    outcomes.push(alone.map_err(Refused::from).and_then(|outcomes| outcome_of(rows, &outcomes)));
                }
                outcomes
            }
            Err(refused) => vec![Err(refused); snapshots.len()],
        }
    }
}

impl Loads {
    /// Loads the snapshots under the plans that claimed them, or under a new one.
    async fn load(&self, snapshots: &[SnapshotRows]) -> PortResult<Outcomes> {
        let wanted: BTreeMap<Rows, &SnapshotRows> = snapshots.iter().map(|rows| (id_of(rows), rows)).collect();
        let claims: Vec<_> = futures::stream::iter(wanted.keys().cloned())
            .map(|rows| async move { PortResult::Ok((self.claim_of(&rows).await?, rows)) })
            .buffered(PARALLEL_CLAIMS)
            .try_collect()
            .await?;
        let mut plans: BTreeSet<String> = claims.iter().filter_map(|(plan, _)| plan.clone()).collect();
        let unclaimed: Vec<SnapshotRows> =
            claims.iter().filter(|(plan, _)| plan.is_none()).map(|(_, rows)| wanted[rows].clone()).collect();
        if !unclaimed.is_empty() {
            plans.insert(self.propose(unclaimed).await?);
        }
        let (mut outcomes, mut settled) = (Outcomes::new(), BTreeSet::new());
        while let Some(plan) = plans.pop_first() {
            if !settled.insert(plan.clone()) {
                continue;
            }
            let (job, lost) = self.settle(&plan).await?;
            // What another plan claimed first is loaded under that one, if we are asked for it.
            plans.extend(lost.into_iter().filter(|(rows, _)| wanted.contains_key(rows)).map(|(_, plan)| plan));
            outcomes.extend(self.run(job).await);
        }
        Ok(outcomes)
    }

    /// Writes down which snapshots are to share a job. Equal proposals are one.
    async fn propose(&self, snapshots: Vec<SnapshotRows>) -> PortResult<String> {
        let attempted = || format!("propose a load of {}", self.table);
        let content = serde_json::to_vec(&snapshots).map_err(|error| PortError::never_will(attempted(), error))?;
        let id: String =
            IdBuilder::new("load-plan").part("table", self.table.name()).part("snapshots", content).finish();
        let job = LoadJob { id: id.clone(), table: self.table, snapshots };
        let bytes = serde_json::to_vec(&job).map_err(|error| PortError::never_will(attempted(), error))?;
        self.objects.create_bytes(&load_plan(self.table, &id), bytes).await?;
        Ok(id)
    }

    /// Claims what the plan names and gives the job over what it won, with what it lost to whom.
    async fn settle(&self, plan: &str) -> PortResult<(LoadJob, Vec<(Rows, String)>)> {
        let mut job = self.plan(plan).await?;
        let claimed: Vec<String> = futures::stream::iter(job.snapshots.iter().map(id_of))
            .map(|rows| self.claim(rows, plan))
            .buffered(PARALLEL_CLAIMS)
            .try_collect()
            .await?;
        let (won, lost): (Vec<_>, Vec<_>) = job.snapshots.into_iter().zip(claimed).partition(|(_, by)| by == plan);
        job.snapshots = won.into_iter().map(|(rows, _)| rows).collect();
        Ok((job, lost.into_iter().map(|(rows, by)| (id_of(&rows), by)).collect()))
    }

    /// Runs a job. Where it can never succeed, its snapshots are loaded each alone, so that only
    /// the one to blame is refused.
    async fn run(&self, job: LoadJob) -> Outcomes {
        if job.snapshots.is_empty() {
            return Outcomes::new();
        }
        match self.load_job(&job).await {
            Err(Refused::Poison(error)) if job.snapshots.len() > 1 => {
                tracing::warn!(table = %self.table, plan = job.id, error = format!("{error:#}"), "shared load refused, each loaded alone");
                let mut outcomes = Outcomes::new();
                for rows in job.snapshots {
                    let id = IdBuilder::new("load-alone")
                        .part("plan", &job.id)
                        .part("snapshot", rows.snapshot_id.as_str())
                        .part("revision", rows.revision.to_string())
                        .finish();
                    let rows_id = id_of(&rows);
                    let alone = LoadJob { id, table: job.table, snapshots: vec![rows] };
                    outcomes.insert(rows_id, self.load_job(&alone).await);
                }
                outcomes
            }
            outcome => job.snapshots.iter().map(|rows| (id_of(rows), outcome.clone())).collect(),
        }
    }

    async fn load_job(&self, job: &LoadJob) -> Result<(), Refused> {
        let outcome = self.warehouse.load(job, &*self.objects).await?;
        let rows = match outcome {
            LoadOutcome::Loaded(loaded) => Some(loaded.rows),
            LoadOutcome::AlreadyLoaded => None,
        };
        let snapshots = job.snapshots.len();
        tracing::info!(table = %self.table, plan = job.id, snapshots, rows, already = rows.is_none(), "loaded");
        Ok(())
    }

    async fn plan(&self, plan: &str) -> PortResult<LoadJob> {
        let key = load_plan(self.table, plan);
        let found = self.objects.read_bytes(&key, LARGEST_PLAN).await?;
        let read = || -> anyhow::Result<LoadJob> {
            let (_, bytes) = found.context("a claim names it and it is not there")?;
            let job: LoadJob = serde_json::from_slice(&bytes)?;
            ensure!(job.id == plan && job.table == self.table, "it is the plan {} of {}", job.id, job.table);
            Ok(job)
        };
        read().map_err(|error| PortError::never_will(format!("read load plan {key}"), error))
    }

    /// Claims a snapshot for a plan; gives the plan that has it.
    async fn claim(&self, rows: Rows, plan: &str) -> PortResult<String> {
        let key = load_claim(self.table, &rows.0, rows.1);
        match self.objects.create_bytes(&key, plan.to_owned()).await? {
            Created::New(_) => Ok(plan.to_owned()),
            Created::Existed => self.claim_of(&rows).await?.ok_or_else(|| {
                PortError::did_not_happen(format!("read load claim {key}"), anyhow!("it was there and is no longer"))
            }),
        }
    }

    /// The plan that claimed a snapshot.
    async fn claim_of(&self, rows: &Rows) -> PortResult<Option<String>> {
        let key = load_claim(self.table, &rows.0, rows.1);
        let Some((_, bytes)) = self.objects.read_bytes(&key, LARGEST_CLAIM).await? else { return Ok(None) };
        let plan = std::str::from_utf8(&bytes)
            .ok()
            .filter(|plan| plan.len() == PLAN_ID_DIGITS && plan.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let named =
            plan.ok_or_else(|| PortError::never_will(format!("read load claim {key}"), anyhow!("no plan's id")));
        named.map(|plan| Some(plan.to_owned()))
    }
}

fn id_of(rows: &SnapshotRows) -> Rows {
    (rows.snapshot_id.clone(), rows.revision)
}

fn outcome_of(rows: &SnapshotRows, outcomes: &Outcomes) -> Result<(), Refused> {
    let unplanned = || Err(Refused::outage(anyhow!("snapshot {}: no plan came to load it", rows.snapshot_id)));
    outcomes.get(&id_of(rows)).cloned().unwrap_or_else(unplanned)
}
