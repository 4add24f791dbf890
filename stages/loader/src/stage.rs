//! The handlers: batches of rows, and events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use async_trait::async_trait;
use platform::ports::{Incoming, Objects, PortError, Warehouse};
use platform::runtime::{Consumer, Handle, HandleError, MessageContext, Ports, Stage};
use schemas::keys::SnapshotKeys;
use schemas::{
    DeadLetters, LimitDeclaration, Notification, PipelineLedger, ReplicaChange, Row, RowBatch, RowWriter, Subscription,
    Table, Topic, Violation,
};

use crate::batcher::Batcher;
use crate::config::Config;
use crate::ledger::{self, FinishedKind};
use crate::plan::Planner;
use crate::snapshot_rows::{self, Groups};
use crate::{barrier, dead_letter, rejects};

/// Finished kinds that are remembered, so that the other parts' batches need not look again.
const REMEMBERED: usize = 10_000;

/// The loader's consumers.
pub fn stage(config: &Config, ports: &Ports) -> anyhow::Result<Stage> {
    let warehouse = ports.warehouse.clone().context("the loader needs a warehouse")?;
    let planner = Planner::new(ports.objects.clone(), warehouse.clone());
    let loader = Arc::new(Loader {
        objects: ports.objects.clone(),
        warehouse: warehouse.clone(),
        groups: Groups::new(planner, config.load_interval.duration()),
        finished: Finished::default(),
    });
    fn event<M: Row + platform::runtime::Receive>(topic: Topic, warehouse: &Arc<dyn Warehouse>) -> Consumer
    where
        Events<M>: Handle<M>,
    {
        Consumer::new::<M>(Subscription::new(topic, "loader"), Arc::new(Events(Batcher::new(warehouse.clone()))))
    }
    let dead_letters = Arc::new(Events::<DeadLetters>(Batcher::new(warehouse.clone())));
    Ok(Stage {
        name: "loader",
        consumers: vec![
            Consumer::new::<RowBatch>(Subscription::new(Topic::RowBatches, "loader"), loader),
            event::<ReplicaChange>(Topic::ReplicaChanges, &warehouse),
            event::<LimitDeclaration>(Topic::LimitDeclarations, &warehouse),
            event::<Violation>(Topic::Violations, &warehouse),
            event::<Notification>(Topic::Notifications, &warehouse),
            Consumer::new::<Incoming>(Subscription::new(Topic::DeadLetters, "loader"), dead_letters),
        ],
    })
}

/// Loads a kind of a snapshot once all its parts are normalized.
struct Loader {
    objects: Arc<dyn Objects>,
    warehouse: Arc<dyn Warehouse>,
    groups: Arc<Groups>,
    finished: Finished,
}

#[async_trait]
impl Handle<RowBatch> for Loader {
    async fn handle(&self, batch: RowBatch, _: &MessageContext) -> Result<(), HandleError> {
        let keys = SnapshotKeys::of(&batch.manifest).map_err(|error| HandleError::Poison(error.into()))?;
        let turn = self.finished.turn(&batch);
        let mut finished = turn.lock().await;
        if *finished {
            return Ok(());
        }
        let manifest = barrier::manifest(self.objects.as_ref(), &batch.manifest).await?;
        let listed = manifest.kinds.get(&batch.kind).ok_or_else(|| {
            HandleError::Poison(anyhow::anyhow!("manifest {} has no kind {:?}", batch.manifest, batch.kind))
        })?;
        let parts = barrier::complete(self.objects.as_ref(), &keys, &batch.kind, listed, batch.revision).await?;
        let Some(batches) = parts else { return Ok(()) }; // whoever completes it acts
        let table = table_of(&batch)?;

        for part in &batches {
            if let Some(rows) = rejects::read(self.objects.as_ref(), part).await? {
                self.warehouse.put_rejects(&part.snapshot_id, &part.kind, part.part, rows).await?;
            }
        }
        if let (Some(table), Some(rows)) = (table, snapshot_rows::of(&batches, batch.revision)) {
            self.groups.load(table, rows).await?;
        }
        let kind = FinishedKind { manifest: &manifest, kind: &batch.kind, table, batches: &batches, revision: batch.revision };
        self.warehouse.upsert(Table::PipelineLedger, container(&ledger::rows(&kind))?).await?;
        *finished = true;
        Ok(())
    }
}

/// The table a batch is for; none for kinds without one.
fn table_of(batch: &RowBatch) -> Result<Option<Table>, HandleError> {
    match batch.table.as_str() {
        "" => Ok(None),
        name => Table::from_name(name)
            .map(Some)
            .ok_or_else(|| HandleError::Poison(anyhow::anyhow!("{name:?} is not a table"))),
    }
}

/// Rows as a container file.
fn container(rows: &[PipelineLedger]) -> Result<Vec<u8>, HandleError> {
    let write = || {
        let mut writer = RowWriter::<PipelineLedger>::new()?;
        rows.iter().try_for_each(|row| writer.push(row))?;
        writer.finish()
    };
    write().map_err(|error| PortError::never_will("write the ledger's rows", error).into())
}

/// Snapshot, revision and kind.
type KindKey = (String, i64, String);

/// Who works on which kind of which snapshot in this process, and which are finished.
#[derive(Default)]
struct Finished(Mutex<HashMap<KindKey, Arc<tokio::sync::Mutex<bool>>>>);

impl Finished {
    /// The turn of a batch's kind; it holds whether the kind is finished.
    fn turn(&self, batch: &RowBatch) -> Arc<tokio::sync::Mutex<bool>> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kinds.len() >= REMEMBERED {
            // Only who is at work must stay; a forgotten kind is looked at again, harmlessly.
            kinds.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        kinds.entry((batch.manifest.clone(), batch.revision, batch.kind.clone())).or_default().clone()
    }
}

/// Writes events of one type under their own ids.
struct Events<R>(Batcher<R>);

macro_rules! events {
    ($($message:ty),+) => {$(
        #[async_trait]
        impl Handle<$message> for Events<$message> {
            async fn handle(&self, message: $message, _: &MessageContext) -> Result<(), HandleError> {
                self.0.put(message).await
            }
        }
    )+};
}

events!(ReplicaChange, LimitDeclaration, Violation, Notification);

#[async_trait]
impl Handle<Incoming> for Events<DeadLetters> {
    async fn handle(&self, message: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        self.0.put(dead_letter::row(message).map_err(HandleError::Poison)?).await
    }
}

#[cfg(test)]
mod tests;
