//! Load plans: which snapshots share a job, decided once and for good, whoever asks.
//!
//! A plan is proposed as a create-only object. Then each of its snapshots is claimed for it by a
//! create-only object that names it. A claim is never changed, so once each of a plan's snapshots
//! has one, what the plan's job loads is fixed: the snapshots whose claims name it. Anybody can
//! carry on from any point, and everybody comes to the same jobs under the same ids.
//!
//! A plan's id is that of what it proposes, or that of a slot of the clock (see [`crate::by_slot`]):
//! then what it proposes are the entries found when it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use platform::ports::{Created, LoadJob, LoadOutcome, Objects, PortError, PortResult, SnapshotRows, Warehouse};
use schemas::keys::{load_claim, load_entries, load_entry, load_plan};
use schemas::{IdBuilder, SnapshotId, Table};
use serde::Serialize;

use crate::group::Commit;
use crate::refused::Refused;

/// Largest plan, or entry for one, that is read, in bytes.
const LARGEST_PLAN: u64 = 64 << 20;
/// Largest claim that is read, in bytes.
const LARGEST_CLAIM: u64 = 128;
/// Length of a plan's id.
const PLAN_ID_DIGITS: usize = 32;
/// Claims, or entries, written or read at the same time.
const PARALLEL_OBJECTS: usize = 16;
/// Snapshots that a plan made of entries holds, at most.
const MOST_SNAPSHOTS: usize = 1_000;
/// Parts that a plan made of entries holds, at most: the files that one BigQuery load job may name.
/// A single snapshot with more is a plan of its own. <https://cloud.google.com/bigquery/quotas#load_jobs>
const MOST_PARTS: usize = 10_000;

/// One snapshot's rows of one table: the snapshot and the revision.
pub(crate) type Rows = (SnapshotId, i64);
/// What became of each snapshot.
pub(crate) type Outcomes = BTreeMap<Rows, Result<(), Refused>>;

/// A plan of which each snapshot has a claim, or never will.
struct Settled {
    /// What the plan loads, for good.
    job: LoadJob,
    /// What other plans claimed first, and which.
    lost: Vec<(Rows, String)>,
    /// What no plan can load, since its claim cannot be read.
    refused: Outcomes,
}

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
            .buffered(PARALLEL_OBJECTS)
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
            let settled = self.settle(&plan).await?;
            // What another plan claimed first is loaded under that one, if we are asked for it.
            let lost = settled.lost.into_iter().filter(|(rows, _)| wanted.contains_key(rows));
            plans.extend(lost.map(|(_, plan)| plan));
            outcomes.extend(settled.refused);
            outcomes.extend(self.run(settled.job).await);
        }
        Ok(outcomes)
    }

    /// Carries a plan out: claims what it names and loads what it won. What another plan won has no
    /// outcome.
    pub(crate) async fn carry_out(&self, plan: &str) -> PortResult<Outcomes> {
        let settled = self.settle(plan).await?;
        let mut outcomes = settled.refused;
        outcomes.extend(self.run(settled.job).await);
        Ok(outcomes)
    }

    /// Writes down which snapshots are to share a job. Equal proposals are one.
    async fn propose(&self, snapshots: Vec<SnapshotRows>) -> PortResult<String> {
        let content = self.written(&snapshots)?;
        let id: String =
            IdBuilder::new("load-plan").part("table", self.table.name()).part("snapshots", content).finish();
        Ok(self.make(LoadJob { id, table: self.table, snapshots }).await?.id)
    }

    /// Enters a snapshot for a plan that is not made yet.
    pub(crate) async fn enter(&self, plan: &str, snapshot: &SnapshotRows) -> PortResult<()> {
        let key = load_entry(self.table, plan, &snapshot.snapshot_id, snapshot.revision);
        self.objects.create_bytes(&key, self.written(snapshot)?).await?;
        Ok(())
    }

    /// The plan of that id: as it was made, else made now of what was entered for it.
    pub(crate) async fn make_of_entries(&self, plan: &str) -> PortResult<LoadJob> {
        match self.plan_if_made(plan).await? {
            Some(made) => Ok(made),
            None => {
                let snapshots = self.entered(plan).await?;
                self.make(LoadJob { id: plan.to_owned(), table: self.table, snapshots }).await
            }
        }
    }

    /// The snapshots entered for a plan, within the bounds of a plan.
    async fn entered(&self, plan: &str) -> PortResult<Vec<SnapshotRows>> {
        let listed = self.objects.list(&load_entries(self.table, plan)).await?;
        let mut read = futures::stream::iter(listed.into_iter().take(MOST_SNAPSHOTS))
            .map(|entry| async move { self.entry(plan, &entry.key).await })
            .buffered(PARALLEL_OBJECTS);
        let (mut entered, mut parts) = (Vec::<SnapshotRows>::new(), 0_usize);
        while let Some(entry) = read.try_next().await? {
            let Some(snapshot) = entry else { continue };
            parts = parts.saturating_add(snapshot.parts.len());
            if parts > MOST_PARTS && !entered.is_empty() {
                break;
            }
            entered.push(snapshot);
        }
        Ok(entered)
    }

    /// One entry. What cannot be read as one is left out: whoever waits for it finds it missing, and
    /// nobody else suffers for it.
    async fn entry(&self, plan: &str, key: &str) -> PortResult<Option<SnapshotRows>> {
        let found = match self.objects.read_bytes(key, LARGEST_PLAN).await {
            Err(error) if error.is_outage() => return Err(error),
            found => found,
        };
        let read = || -> anyhow::Result<SnapshotRows> {
            let (_, bytes) = found?.context("it was listed and is not there")?;
            let snapshot: SnapshotRows = serde_json::from_slice(&bytes)?;
            let own = load_entry(self.table, plan, &snapshot.snapshot_id, snapshot.revision);
            ensure!(own == key, "it is of snapshot {}", snapshot.snapshot_id);
            Ok(snapshot)
        };
        let left_out = |error| tracing::error!(key, error = format!("{error:#}"), "entry for a load plan left out");
        Ok(read().map_err(left_out).ok())
    }

    /// Makes a plan, unless one of its id is made already; gives the one that is made.
    async fn make(&self, plan: LoadJob) -> PortResult<LoadJob> {
        let bytes = self.written(&plan)?;
        match self.objects.create_bytes(&load_plan(self.table, &plan.id), bytes).await? {
            Created::New(_) => Ok(plan),
            Created::Existed => self.plan(&plan.id).await,
        }
    }

    fn written(&self, content: &impl Serialize) -> PortResult<Vec<u8>> {
        let attempted = || format!("write down a load of {}", self.table);
        serde_json::to_vec(content).map_err(|error| PortError::never_will(attempted(), error))
    }

    /// Claims what the plan names. A claim that cannot be read is no plan's, and the others' jobs do
    /// not wait for it.
    async fn settle(&self, plan: &str) -> PortResult<Settled> {
        let LoadJob { id, table, snapshots } = self.plan(plan).await?;
        let claims: Vec<_> = futures::stream::iter(snapshots.iter().map(id_of))
            .map(|rows| async move {
                match self.claim(rows, plan).await {
                    Err(error) if !error.is_outage() => Ok(Err(Refused::from(error))),
                    claimed => claimed.map(Ok),
                }
            })
            .buffered(PARALLEL_OBJECTS)
            .try_collect()
            .await?;
        let (mut won, mut lost, mut refused) = (Vec::new(), Vec::new(), Outcomes::new());
        for (snapshot, claim) in snapshots.into_iter().zip(claims) {
            match claim {
                Ok(by) if by == plan => won.push(snapshot),
                Ok(by) => lost.push((id_of(&snapshot), by)),
                Err(unreadable) => drop(refused.insert(id_of(&snapshot), Err(unreadable))),
            }
        }
        Ok(Settled { job: LoadJob { id, table, snapshots: won }, lost, refused })
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
        let missing = || {
            let attempted = format!("read load plan {}", load_plan(self.table, plan));
            PortError::never_will(attempted, anyhow!("a claim names it and it is not there"))
        };
        self.plan_if_made(plan).await?.ok_or_else(missing)
    }

    /// The plan of that id, if it is made.
    pub(crate) async fn plan_if_made(&self, plan: &str) -> PortResult<Option<LoadJob>> {
        let key = load_plan(self.table, plan);
        let Some((_, bytes)) = self.objects.read_bytes(&key, LARGEST_PLAN).await? else { return Ok(None) };
        let read = || -> anyhow::Result<LoadJob> {
            let job: LoadJob = serde_json::from_slice(&bytes)?;
            ensure!(job.id == plan && job.table == self.table, "it is the plan {} of {}", job.id, job.table);
            Ok(job)
        };
        read().map(Some).map_err(|error| PortError::never_will(format!("read load plan {key}"), error))
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
    pub(crate) async fn claim_of(&self, rows: &Rows) -> PortResult<Option<String>> {
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

/// Which rows these are.
pub(crate) fn id_of(snapshot: &SnapshotRows) -> Rows {
    (snapshot.snapshot_id.clone(), snapshot.revision)
}

fn outcome_of(snapshot: &SnapshotRows, outcomes: &Outcomes) -> Result<(), Refused> {
    let rows = id_of(snapshot);
    outcomes.get(&rows).cloned().unwrap_or_else(|| unplanned(&rows))
}

/// The outcome of rows that no plan loaded.
pub(crate) fn unplanned(rows: &Rows) -> Result<(), Refused> {
    Err(Refused::outage(anyhow!("snapshot {}: no plan came to load it", rows.0)))
}
