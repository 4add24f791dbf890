//! The handler: a part's rows arrived; if they complete what judging needs, the snapshot is judged.

mod reading;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use platform::ports::{Broker, Generation, Objects, Replaced, Warehouse};
use platform::runtime::{ConfigError, Consumer, Handle, HandleError, MessageContext, Metrics, Ports, Stage};
use schemas::{ClusterName, Purpose, RowBatch, Subscription, Timestamp, Topic, Violation, keys};

use crate::config::Config;
use crate::judge::{Judgement, Summary, judge};
use crate::metrics::Dashboard;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::state::{State, StateError};
use crate::workload::Workload;

/// Variable that names the policy file.
const POLICY: &str = "PODLEDGER_POLICY";
/// How often a lost race for the state is run again before the message is given back.
const MAX_RACES: usize = 16;
/// Violations that are published at once.
const PUBLISH_CHUNK: usize = 1_000;
const MIB: u64 = 1 << 20;

/// What one judged snapshot showed, for metrics.
#[derive(Debug)]
pub struct Report<'a> {
    /// The cluster.
    pub cluster: &'a ClusterName,
    /// When the snapshot looked.
    pub observed_at: Timestamp,
    /// Its workloads.
    pub workloads: &'a [Workload],
    /// Counts.
    pub summary: &'a Summary,
}

/// Told of every judged snapshot.
type Observer = Arc<dyn Fn(&Report<'_>) + Send + Sync>;

/// What became of a batch of rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It does not concern verdicts: another kind, or a backfill.
    NotConcerned,
    /// Other parts of the snapshot are still missing.
    Waiting,
    /// A snapshot as new or newer was judged before.
    Superseded,
    /// The snapshot was judged, and its transitions are published.
    Judged(Box<Summary>),
}

/// Judges snapshots.
pub struct Evaluator {
    policy: Policy,
    parallel_reads: usize,
    max_part_bytes: u64,
    max_state_bytes: u64,
    objects: Arc<dyn Objects>,
    broker: Arc<dyn Broker>,
    warehouse: Arc<dyn Warehouse>,
    observer: Option<Observer>,
    /// Who judges which cluster in this process now.
    turns: Mutex<BTreeMap<ClusterName, Arc<tokio::sync::Mutex<()>>>>,
}

/// The stage, with its policy read.
pub fn stage(config: &Config, ports: &Ports) -> anyhow::Result<Stage> {
    Ok(consuming(Evaluator::new(config, ports)?))
}

/// The stage, telling an observer of every judged snapshot.
pub fn stage_observed(
    config: &Config,
    ports: &Ports,
    observer: impl Fn(&Report<'_>) + Send + Sync + 'static,
) -> anyhow::Result<Stage> {
    let mut evaluator = Evaluator::new(config, ports)?;
    evaluator.observer = Some(Arc::new(observer));
    Ok(consuming(evaluator))
}

/// The stage, with its gauges among the process's metrics.
pub fn stage_shown(config: &Config, ports: &Ports, metrics: &Metrics) -> anyhow::Result<Stage> {
    let dashboard = Dashboard::new(metrics);
    stage_observed(config, ports, move |report| dashboard.show(report))
}

fn consuming(evaluator: Evaluator) -> Stage {
    let subscription = Subscription::new(Topic::RowBatches, "evaluator");
    Stage { name: "evaluator", consumers: vec![Consumer::new::<RowBatch>(subscription, Arc::new(evaluator))] }
}

#[async_trait]
impl Handle<RowBatch> for Evaluator {
    async fn handle(&self, batch: RowBatch, _context: &MessageContext) -> Result<(), HandleError> {
        let outcome = self.evaluate(&batch).await?;
        if let Outcome::Judged(summary) = &outcome {
            tracing::info!(
                cluster = %batch.cluster,
                snapshot_id = %batch.snapshot_id,
                observed_at = %batch.observed_at,
                workloads = summary.workloads,
                open = summary.open.values().sum::<u64>(),
                transitions = summary.transitions.values().sum::<u64>(),
                gaps = summary.gaps.len(),
                "snapshot judged"
            );
        } else {
            tracing::debug!(cluster = %batch.cluster, snapshot_id = %batch.snapshot_id, kind = batch.kind, ?outcome, "rows seen");
        }
        Ok(())
    }
}

impl Evaluator {
    /// Reads the policy and takes the ports; without a warehouse there are no limits to judge by.
    pub fn new(config: &Config, ports: &Ports) -> anyhow::Result<Self> {
        let policy = match config.policy.as_deref().filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => {
                // A policy that cannot be used is wrong configuration, and so is one that is not there.
                let unusable =
                    |error: &dyn std::fmt::Display| ConfigError::new(POLICY, format!("{}: {error}", path.display()));
                let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
                Policy::parse(&text).map_err(|error| unusable(&error))?
            }
            None => Policy::default(),
        };
        anyhow::ensure!(config.evaluator_parallel_reads > 0, "evaluator_parallel_reads is 0, expected 1 or more");
        Ok(Self {
            policy,
            parallel_reads: config.evaluator_parallel_reads,
            max_part_bytes: config.evaluator_max_part_mib.saturating_mul(MIB),
            max_state_bytes: config.evaluator_max_state_mib.saturating_mul(MIB),
            objects: Arc::clone(&ports.objects),
            broker: Arc::clone(&ports.broker),
            warehouse: ports.warehouse.clone().context("the evaluator needs a warehouse: set PODLEDGER_WAREHOUSE")?,
            observer: None,
            turns: Mutex::default(),
        })
    }

    /// The turn of a cluster in this process.
    fn turn(&self, cluster: &ClusterName) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(cluster.clone()).or_default().clone()
    }

    /// Does everything a batch of rows asks for.
    pub async fn evaluate(&self, batch: &RowBatch) -> Result<Outcome, HandleError> {
        if batch.purpose == Purpose::Backfill {
            return Ok(Outcome::NotConcerned);
        }
        let snapshot = match self.needed_parts(batch).await? {
            reading::Needed::NotConcerned => return Ok(Outcome::NotConcerned),
            reading::Needed::Missing => return Ok(Outcome::Waiting),
            reading::Needed::All(found) => found,
        };
        // The parts that complete a snapshot arrive together; one of them judges, the others then
        // find it judged. Another process is kept off by the state's compare-and-swap.
        let turn = self.turn(&batch.cluster);
        let _turn = turn.lock().await;
        // A redelivered batch of a judged snapshot needs the state only, not the rows.
        let (generation, state) = self.load(&batch.cluster).await?;
        if !state.is_news(&snapshot.judged()) {
            self.confirm(&batch.cluster, generation, state).await?;
            return Ok(Outcome::Superseded);
        }
        let snapshot = Arc::new(self.read(snapshot).await?);
        self.judge_and_publish(snapshot).await
    }

    /// Judges, remembers, publishes, and remembers that it is published. After a crash anywhere the
    /// next call publishes the same transitions under the same ids.
    pub(crate) async fn judge_and_publish(&self, snapshot: Arc<Snapshot>) -> Result<Outcome, HandleError> {
        let key = keys::evaluator_state(&snapshot.cluster);
        for _ in 0..MAX_RACES {
            let (generation, state) = self.load(&snapshot.cluster).await?;
            if !state.is_news(&snapshot.judged()) {
                self.confirm(&snapshot.cluster, generation, state).await?;
                return Ok(Outcome::Superseded);
            }
            self.publish(&state.pending).await?;
            let Judgement { state: next, summary } = self.judge(Arc::clone(&snapshot), state).await?;
            let transitions = next.pending.clone();
            let Some(generation) = self.store(&key, generation, next.clone()).await? else { continue };
            self.publish(&transitions).await?;
            self.clear(&key, Some(generation), next).await?;
            if let Some(observer) = &self.observer {
                let Snapshot { cluster, observed_at, workloads, .. } = &*snapshot;
                observer(&Report { cluster, observed_at: *observed_at, workloads, summary: &summary });
            }
            return Ok(Outcome::Judged(Box::new(summary)));
        }
        Err(HandleError::Outage(anyhow::anyhow!("state {key}: lost {MAX_RACES} races in a row")))
    }

    /// Publishes what a crash may have left unpublished, and remembers that it is.
    async fn confirm(
        &self,
        cluster: &ClusterName,
        generation: Option<Generation>,
        state: State,
    ) -> Result<(), HandleError> {
        self.publish(&state.pending).await?;
        self.clear(&keys::evaluator_state(cluster), generation, state).await
    }

    /// Remembers that everything pending is published.
    async fn clear(&self, key: &str, generation: Option<Generation>, state: State) -> Result<(), HandleError> {
        if state.pending.is_empty() {
            return Ok(());
        }
        if self.store(key, generation, State { pending: Vec::new(), ..state }).await?.is_none() {
            // Whoever was faster found them pending and has published them too.
            tracing::debug!(key, "state replaced by another evaluator after publishing");
        }
        Ok(())
    }

    /// Judges on a thread that may be busy.
    async fn judge(&self, snapshot: Arc<Snapshot>, state: State) -> Result<Judgement, HandleError> {
        let policy = self.policy.clone();
        tokio::task::spawn_blocking(move || judge(&policy, &state, &snapshot))
            .await
            .map_err(|error| HandleError::Outage(anyhow::Error::new(error).context("judge the snapshot")))
    }

    /// The state of a cluster; the default where there is none yet.
    async fn load(&self, cluster: &ClusterName) -> Result<(Option<Generation>, State), HandleError> {
        let key = keys::evaluator_state(cluster);
        let Some((generation, bytes)) = self.objects.read_bytes(&key, self.max_state_bytes).await.map_err(outage)?
        else {
            return Ok((None, State::default()));
        };
        // Not poison: the message is fine, and the state mends once the right version runs.
        let state = State::parse(&key, &bytes).map_err(|error: StateError| HandleError::Outage(error.into()))?;
        Ok((Some(generation), state))
    }

    /// Replaces the state if nobody else did.
    async fn store(
        &self,
        key: &str,
        expected: Option<Generation>,
        state: State,
    ) -> Result<Option<Generation>, HandleError> {
        let bytes = state.to_bytes().map_err(|error| HandleError::Poison(error.into()))?;
        if bytes.len() as u64 > self.max_state_bytes {
            let bound = self.max_state_bytes / MIB;
            return Err(HandleError::Outage(anyhow::anyhow!(
                "state {key} would have {} bytes, more than the {bound} MiB of PODLEDGER_EVALUATOR_MAX_STATE_MIB",
                bytes.len()
            )));
        }
        Ok(match self.objects.replace_if(key, expected, Bytes::from(bytes)).await? {
            Replaced::Done(generation) => Some(generation),
            Replaced::LostRace => None,
        })
    }

    /// Publishes violations, in order, a bounded number at once.
    async fn publish(&self, violations: &[Violation]) -> Result<(), HandleError> {
        for chunk in violations.chunks(PUBLISH_CHUNK) {
            self.broker.publish_messages(chunk).await?;
        }
        Ok(())
    }
}

/// A port that fails is an outage here, whatever the failure: the batch itself is fine, and a
/// permission or a bound can be mended while it waits.
fn outage(error: platform::ports::PortError) -> HandleError {
    HandleError::Outage(error.into())
}
