//! The stage: what it consumes, and the handler of parts that became rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use platform::ports::{Incoming, Objects, SnapshotRows, Warehouse};
use platform::runtime::{Consumer, Handle, HandleError, MessageContext, Ports, Stage};
use schemas::{
    LimitDeclaration, Message, Notification, PipelineLedger, ReplicaChange, Row, RowBatch, Subscription, Table, Topic,
    Violation,
};

use crate::config::Config;
use crate::dead_letter::DeadLetterLog;
use crate::events::EventLog;
use crate::group::{Gathering, Group};
use crate::plan::Loads;
use crate::upserts::Upserts;
use crate::whole_kind::WholeKind;
use crate::{ledger, rejects};

/// Name of the stage.
const NAME: &str = "loader";
/// Snapshots that share a load job, at most.
const MOST_SNAPSHOTS_PER_LOAD: usize = 200;

/// The stage: it consumes rows, events and dead letters. It needs broker, objects and warehouse.
pub fn stage(config: &Config, ports: &Ports) -> anyhow::Result<Stage> {
    let config = config.clone().checked()?;
    let warehouse = ports.warehouse.as_ref().context("the loader needs a warehouse")?;
    let gathering = Gathering { wait: config.event_wait.duration(), most: config.event_batch };
    let snapshots = SnapshotLoader::new(ports, warehouse, config.load_interval.duration(), gathering);
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
    loads: BTreeMap<Table, Group<SnapshotRows>>,
    ledger: Upserts<PipelineLedger>,
}

impl SnapshotLoader {
    fn new(ports: &Ports, warehouse: &Arc<dyn Warehouse>, load_interval: Duration, ledger: Gathering) -> Self {
        let gathering = Gathering { wait: load_interval, most: MOST_SNAPSHOTS_PER_LOAD };
        let group = |table: Table| {
            let (objects, warehouse) = (Arc::clone(&ports.objects), Arc::clone(warehouse));
            Group::new(gathering, Loads { table, objects, warehouse })
        };
        let by_snapshot = Table::ALL.iter().filter(|table| table.key().is_empty());
        Self {
            objects: Arc::clone(&ports.objects),
            warehouse: Arc::clone(warehouse),
            loads: by_snapshot.map(|table| (*table, group(*table))).collect(),
            ledger: Upserts::new(Arc::clone(warehouse), ledger),
        }
    }
}

/// One part's rows in. Whoever finds that all parts of the kind are there writes the rejects, loads
/// the rows and enters both into the ledger; two who both find it do no harm.
#[async_trait]
impl Handle<RowBatch> for SnapshotLoader {
    async fn handle(&self, batch: RowBatch, _: &MessageContext) -> Result<(), HandleError> {
        let Some(whole) = WholeKind::completed_by(&batch, &self.objects).await? else { return Ok(()) };
        rejects::put(&whole, &self.objects, &self.warehouse).await?;
        if let Some(table) = whole.table {
            let loads = self.loads.get(&table);
            let loads = loads.ok_or_else(|| HandleError::Poison(anyhow!("{table} is not loaded by snapshot")))?;
            loads.submit(whole.rows()).await?;
        }
        Ok(self.ledger.upsert(ledger::rows(&whole)).await?)
    }
}
