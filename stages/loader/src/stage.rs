//! The stage: what it consumes, and the handler of parts that became rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use platform::ports::{Clock, Incoming, Objects, SnapshotRows, Warehouse};
use platform::runtime::{Consumer, Handle, HandleError, MessageContext, Period, Ports, Stage};
use schemas::{
    LimitDeclaration, Message, Notification, PipelineLedger, ReplicaChange, Row, RowBatch, Subscription, Table,
    Timestamp, Topic, Violation,
};

use crate::by_slot::BySlot;
use crate::config::Config;
use crate::dead_letter::DeadLetterLog;
use crate::events::EventLog;
use crate::group::{Gathering, Group};
use crate::plan::Loads;
use crate::refused::Refused;
use crate::slot::{Interval, load_interval};
use crate::upserts::Upserts;
use crate::whole_kind::WholeKind;
use crate::{ledger, rejects};

/// Name of the stage.
const NAME: &str = "loader";
/// Snapshots that share a load job where nothing is waited for, at most.
const MOST_SNAPSHOTS_PER_LOAD: usize = 200;

/// The stage: it consumes rows, events and dead letters. It needs broker, objects and warehouse.
pub fn stage(config: &Config, ports: &Ports) -> anyhow::Result<Stage> {
    let config = config.clone().checked()?;
    let warehouse = ports.warehouse.as_ref().context("the loader needs a warehouse")?;
    let gathering = Gathering { wait: config.event_wait.duration(), most: config.event_batch };
    let interval = load_interval(config.load_interval.map(Period::duration), &**warehouse);
    let snapshots = SnapshotLoader::new(ports, warehouse, interval, gathering);
    let dead_letters = DeadLetterLog(Upserts::new(Arc::clone(warehouse), gathering));
    let consumers = vec![
        Consumer::new::<RowBatch>(Subscription::new(Topic::RowBatches, NAME), Arc::new(snapshots)),
        events::<ReplicaChange>(warehouse, gathering),
        events::<LimitDeclaration>(warehouse, gathering),
        events::<Violation>(warehouse, gathering),
        events::<Notification>(warehouse, gathering),
        Consumer::new::<Incoming>(Subscription::new(Topic::DeadLetters, NAME), Arc::new(dead_letters)),
    ];
    Ok(Stage { name: NAME, consumers })
}

fn events<R: Row + Message>(warehouse: &Arc<dyn Warehouse>, gathering: Gathering) -> Consumer {
    let log = EventLog::<R>(Upserts::new(Arc::clone(warehouse), gathering));
    Consumer::new::<R>(Subscription::new(R::TOPIC, NAME), Arc::new(log))
}

/// Loads kinds of snapshots once all of their parts are rows.
struct SnapshotLoader {
    objects: Arc<dyn Objects>,
    warehouse: Arc<dyn Warehouse>,
    loads: BTreeMap<Table, Loading>,
    ledger: Upserts<PipelineLedger>,
}

/// How complete snapshots of one table come into a load job.
enum Loading {
    /// At once, with those who wait while another job runs.
    AtOnce(Group<SnapshotRows>),
    /// With all those of their slot of the clock.
    BySlot(BySlot),
}

impl Loading {
    fn new(loads: Loads, interval: Duration, clock: &Arc<dyn Clock>) -> Self {
        match Interval::new(interval) {
            Some(interval) => Self::BySlot(BySlot::new(loads, interval, Arc::clone(clock))),
            None => Self::AtOnce(Group::new(Gathering { wait: Duration::ZERO, most: MOST_SNAPSHOTS_PER_LOAD }, loads)),
        }
    }

    /// Returns when the rows are durable.
    async fn load(&self, snapshot: SnapshotRows, published_at: Timestamp) -> Result<(), Refused> {
        match self {
            Self::AtOnce(group) => group.submit(snapshot).await,
            Self::BySlot(by_slot) => by_slot.load(&snapshot, published_at).await,
        }
    }
}

impl SnapshotLoader {
    fn new(ports: &Ports, warehouse: &Arc<dyn Warehouse>, interval: Duration, ledger: Gathering) -> Self {
        let loading = |table: Table| {
            let (objects, warehouse) = (Arc::clone(&ports.objects), Arc::clone(warehouse));
            Loading::new(Loads { table, objects, warehouse }, interval, &ports.clock)
        };
        let by_snapshot = Table::ALL.iter().filter(|table| table.key().is_empty());
        Self {
            objects: Arc::clone(&ports.objects),
            warehouse: Arc::clone(warehouse),
            loads: by_snapshot.map(|table| (*table, loading(*table))).collect(),
            ledger: Upserts::new(Arc::clone(warehouse), ledger),
        }
    }
}

/// One part's rows in. Whoever finds that all parts of the kind are there writes the rejects, loads
/// the rows and enters both into the ledger; two who both find it do no harm.
#[async_trait]
impl Handle<RowBatch> for SnapshotLoader {
    async fn handle(&self, batch: RowBatch, context: &MessageContext) -> Result<(), HandleError> {
        let Some(whole) = WholeKind::completed_by(&batch, &self.objects).await? else { return Ok(()) };
        rejects::put(&whole, &self.objects, &self.warehouse).await?;
        if let Some(table) = whole.table {
            let loads = self.loads.get(&table);
            let loads = loads.ok_or_else(|| HandleError::Poison(anyhow!("{table} is not loaded by snapshot")))?;
            loads.load(whole.rows(), context.published_at).await?;
        }
        Ok(self.ledger.upsert(ledger::rows(&whole)).await?)
    }
}
