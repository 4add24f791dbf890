//! Opening ports: the only place that names adapters.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use super::address::{BrokerAddress, ClusterAddress, DocumentsAddress, GkeVia, ObjectsAddress, WarehouseAddress};
use super::config_error::ConfigError;
use super::ports::Ports;
use super::settings::RuntimeSettings;
use super::trace::TracedBroker;
use crate::embedded::{BrokerSettings, DirObjects, DumpDocuments, SqliteBroker, SqliteWarehouse};
use crate::google::{
    BigQuerySettings, BigQueryWarehouse, CloudStorageObjects, Emulators, FirestoreDocuments, FirestoreSettings,
    PubsubBroker, PubsubSettings,
};
use crate::kubernetes::{
    DumpCluster, GkeCluster, GkeName, GkeRoute, GkeSettings, KubeCluster, SimCluster, SimSettings,
};
use crate::layers::{
    Faults, FaultyBroker, FaultyObjects, FaultyWarehouse, RetryBroker, RetryObjects, RetryWarehouse, TimeoutBroker,
    TimeoutObjects, TimeoutWarehouse,
};
use crate::ports::{Broker, Cluster, Documents, Objects, Warehouse};

/// Which ports a process needs; broker and objects always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    warehouse: bool,
    clusters: bool,
}

impl Needs {
    /// Broker and objects.
    pub const MESSAGES_AND_OBJECTS: Self = Self { warehouse: false, clusters: false };

    /// And the warehouse.
    #[must_use]
    pub const fn and_warehouse(self) -> Self {
        Self { warehouse: true, ..self }
    }

    /// And at least one cluster or documents source.
    #[must_use]
    pub const fn and_clusters(self) -> Self {
        Self { clusters: true, ..self }
    }
}

/// Opens the adapters behind the addresses, without layers: see [`layered`]. A port that is needed
/// and has no address is a [`ConfigError`]; nothing falls back. The warehouse's tables are there
/// when this returns.
pub async fn open(settings: &RuntimeSettings, needs: Needs) -> anyhow::Result<Ports> {
    let broker = needed(&settings.broker, "PODLEDGER_BROKER", "sqlite:PATH or pubsub:PROJECT")?;
    let objects = needed(&settings.objects, "PODLEDGER_OBJECTS", "file:DIR or gs://BUCKET/PREFIX")?;
    let warehouse = match needs.warehouse {
        true => {
            let forms = "sqlite:PATH or bigquery:PROJECT.DATASET";
            Some(needed(&settings.warehouse, "PODLEDGER_WAREHOUSE", forms)?)
        }
        false => None,
    };
    if needs.clusters && settings.clusters.0.is_empty() && settings.documents.0.is_empty() {
        let forms = "kube:CONTEXT, gke:PROJECT/LOCATION/NAME, dump:DIR or sim:SEED";
        return Err(
            ConfigError::new("PODLEDGER_CLUSTERS", format!("not set (expected: NAME=ADDRESS,…; {forms})")).into()
        );
    }
    let broker = open_broker(broker).await.context("open the broker")?;
    let objects = open_objects(objects).await.context("open the object store")?;
    let warehouse = match warehouse {
        Some(address) => {
            let warehouse = open_warehouse(address).await.context("open the warehouse")?;
            warehouse.prepare().await.context("prepare the warehouse")?;
            Some(warehouse)
        }
        None => None,
    };
    let mut clusters = BTreeMap::new();
    for (name, address) in settings.clusters.0.iter().filter(|_| needs.clusters) {
        let cluster = open_cluster(address).await.with_context(|| format!("open cluster {name}"))?;
        clusters.insert(name.clone(), cluster);
    }
    let mut documents = BTreeMap::new();
    for (name, address) in settings.documents.0.iter().filter(|_| needs.clusters) {
        let source = open_documents(address, settings).with_context(|| format!("open documents source {name}"))?;
        documents.insert(name.clone(), source);
    }
    Ok(Ports { broker, objects, warehouse, clusters, documents, clock: settings.clock.clock() })
}

/// Whether Pub/Sub is an emulator's, so that what comes from there needs no proof.
pub(super) fn pubsub_is_emulated() -> Result<bool, ConfigError> {
    Ok(emulators()?.pubsub.is_some())
}

/// The stand-ins that the environment names; a variable that names none is a wrong configuration.
fn emulators() -> Result<Emulators, ConfigError> {
    Emulators::from_process().map_err(|error| ConfigError::new(error.variable, error.reason))
}

/// One stage's ports over shared adapters: traced, retried, bounded in time, and with faults where
/// they are switched on. Each stage of a process needs its own, since faults are per stage.
pub fn layered(adapters: &Ports, stage: &'static str, settings: &RuntimeSettings, faults: &Faults) -> Ports {
    let (retry, timeouts, points) = (settings.retry(), settings.timeouts(), faults.points(stage));
    let Ports { mut broker, mut objects, mut warehouse, clusters, documents, clock } = adapters.clone();
    if faults.are_on() {
        broker = Arc::new(FaultyBroker::new(broker, points.clone()));
        objects = Arc::new(FaultyObjects::new(objects, points.clone()));
        warehouse = warehouse.map(|inner| Arc::new(FaultyWarehouse::new(inner, points)) as Arc<dyn Warehouse>);
    }
    broker = Arc::new(RetryBroker::new(Arc::new(TimeoutBroker::new(broker, timeouts)), retry));
    objects = Arc::new(RetryObjects::new(Arc::new(TimeoutObjects::new(objects, timeouts)), retry));
    warehouse = warehouse.map(|inner| {
        Arc::new(RetryWarehouse::new(Arc::new(TimeoutWarehouse::new(inner, timeouts)), retry)) as Arc<dyn Warehouse>
    });
    Ports { broker: Arc::new(TracedBroker::new(broker)), objects, warehouse, clusters, documents, clock }
}

fn needed<'a, A>(address: &'a Option<A>, variable: &str, forms: &str) -> Result<&'a A, ConfigError> {
    address.as_ref().ok_or_else(|| ConfigError::new(variable, format!("not set (expected: {forms})")))
}

/// Opens the broker behind an address, without layers. An embedded one is made where it is missing.
pub async fn open_broker(address: &BrokerAddress) -> anyhow::Result<Arc<dyn Broker>> {
    match address {
        BrokerAddress::Sqlite(path) => Ok(Arc::new(SqliteBroker::open(path, BrokerSettings::default())?)),
        BrokerAddress::Pubsub { project } => {
            let settings = PubsubSettings { emulator: emulators()?.pubsub, ..PubsubSettings::default() };
            Ok(Arc::new(PubsubBroker::open(project, settings).await?))
        }
    }
}

/// Opens the objects behind an address, without layers. An embedded directory is made where it is missing.
pub async fn open_objects(address: &ObjectsAddress) -> anyhow::Result<Arc<dyn Objects>> {
    match address {
        ObjectsAddress::Directory(directory) => Ok(Arc::new(DirObjects::open(directory)?)),
        ObjectsAddress::CloudStorage { bucket, prefix } => {
            let emulator = emulators()?.storage;
            Ok(Arc::new(CloudStorageObjects::open(bucket, prefix, emulator.as_deref()).await?))
        }
    }
}

/// Opens the warehouse behind an address, without layers; [`Warehouse::prepare`] makes its tables.
pub async fn open_warehouse(address: &WarehouseAddress) -> anyhow::Result<Arc<dyn Warehouse>> {
    match address {
        WarehouseAddress::Sqlite(path) => Ok(Arc::new(SqliteWarehouse::open(path)?)),
        WarehouseAddress::BigQuery { project, dataset } => {
            let settings = BigQuerySettings { emulator: emulators()?.bigquery, ..BigQuerySettings::default() };
            Ok(Arc::new(BigQueryWarehouse::open(project, dataset, settings).await?))
        }
    }
}

async fn open_cluster(address: &ClusterAddress) -> anyhow::Result<Arc<dyn Cluster>> {
    match address {
        ClusterAddress::Dump(directory) => Ok(Arc::new(DumpCluster::open(directory)?)),
        ClusterAddress::Kube { context } => Ok(Arc::new(KubeCluster::connect(context.as_deref()).await?)),
        ClusterAddress::Gke { project, location, name, via } => {
            let name = GkeName { project: project.clone(), location: location.clone(), cluster: name.clone() };
            Ok(Arc::new(GkeCluster::open(name, route(*via), GkeSettings::default())?))
        }
        ClusterAddress::Sim { seed, workloads } => {
            let deployments = u32::try_from(*workloads).context("size of the simulation")?;
            Ok(Arc::new(SimCluster::new(*seed, SimSettings { deployments, ..SimSettings::default() })))
        }
    }
}

fn route(via: GkeVia) -> GkeRoute {
    match via {
        GkeVia::Endpoint => GkeRoute::Endpoint,
        GkeVia::PrivateEndpoint => GkeRoute::PrivateEndpoint,
        GkeVia::DnsEndpoint => GkeRoute::DnsEndpoint,
        GkeVia::ConnectGateway => GkeRoute::ConnectGateway,
    }
}

/// Opens the documents behind an address. Time-outs and retries are the adapter's own, as a cluster's
/// are: only who walks a list knows where to go on.
fn open_documents(address: &DocumentsAddress, settings: &RuntimeSettings) -> anyhow::Result<Arc<dyn Documents>> {
    match address {
        DocumentsAddress::Dump(folder) => Ok(Arc::new(DumpDocuments::open(folder)?)),
        DocumentsAddress::Firestore { project, database } => {
            let settings = FirestoreSettings {
                emulator: emulators()?.firestore,
                answer_within: settings.timeouts().call,
                retry: settings.retry(),
                ..FirestoreSettings::default()
            };
            Ok(Arc::new(FirestoreDocuments::open(project, database.as_deref(), settings)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Env;

    #[test]
    fn the_longest_lease_that_can_be_set_is_one_that_pubsub_is_asked_for() {
        let set = |lease: &str| Env::from_pairs([("PODLEDGER_LEASE", lease)]).read::<RuntimeSettings>().unwrap();
        let longest = set("10m").checked().unwrap().flow().lease;
        assert!(set("601s").checked().is_err());
        assert_eq!(longest.min(PubsubSettings::default().longest_lease), longest);
    }
}
