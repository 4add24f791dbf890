//! One port's place: what is there, and what brings it nearer to the topology.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use platform::google::provision::{
    BucketProvision, BucketSettings, BucketStep, Finding, PubsubProvision, PubsubStep, PubsubWanted, compare_bucket,
    compare_pubsub,
};
use platform::google::{Emulators, PubsubEmulator};
use platform::runtime::{BrokerAddress, ObjectsAddress, RuntimeSettings, WarehouseAddress};
use platform::runtime::{open_broker, open_objects, open_warehouse};

use super::topology::Topology;
use super::warehouse;
use crate::exit::UsageError;

/// The place of one port.
#[derive(Debug)]
pub(super) struct Target {
    /// As the environment writes it.
    pub(super) address: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Pubsub {
        client: PubsubProvision,
        wanted: PubsubWanted,
    },
    Bucket {
        client: BucketProvision,
        wanted: BucketSettings,
    },
    /// Made by opening it, and brought up to date by every opening.
    Embedded {
        address: Embedded,
        kind: &'static str,
        path: PathBuf,
    },
    BigQuery(Box<warehouse::BigQuery>),
}

/// An address of something embedded.
#[derive(Debug, Clone)]
enum Embedded {
    Broker(BrokerAddress),
    Objects(ObjectsAddress),
    Warehouse(WarehouseAddress),
}

/// One thing to do at a place.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Pubsub(PubsubStep),
    Bucket(Box<BucketStep>),
    Open,
    BigQuery,
}

/// The places that the environment names, in the order in which they are provisioned. The bucket is
/// made in `project`, else in the project of the broker or the warehouse.
pub(super) async fn targets(
    settings: &RuntimeSettings,
    topology: &Topology,
    project: Option<&str>,
) -> Result<Vec<Target>> {
    let emulators = Emulators::from_process().map_err(|error| UsageError(error.to_string()))?;
    let mut targets = Vec::new();
    if let Some(broker) = &settings.broker {
        targets.push(of_broker(broker, topology, emulators.pubsub.as_ref()).await?);
    }
    if let Some(objects) = &settings.objects {
        let project = project.map(str::to_owned).or_else(|| project_of(settings));
        targets.push(of_objects(objects, topology, project, emulators.storage.as_deref()).await?);
    }
    if let Some(warehouse) = &settings.warehouse {
        targets.push(of_warehouse(warehouse, topology, emulators.bigquery.as_deref()));
    }
    Ok(targets)
}

fn project_of(settings: &RuntimeSettings) -> Option<String> {
    let broker = match &settings.broker {
        Some(BrokerAddress::Pubsub { project }) => Some(project.clone()),
        _ => None,
    };
    broker.or_else(|| match &settings.warehouse {
        Some(WarehouseAddress::BigQuery { project, .. }) => Some(project.clone()),
        _ => None,
    })
}

async fn of_broker(address: &BrokerAddress, topology: &Topology, emulator: Option<&PubsubEmulator>) -> Result<Target> {
    Ok(match address {
        BrokerAddress::Sqlite(path) => {
            embedded(Embedded::Broker(address.clone()), "broker", format!("sqlite:{}", path.display()), path.clone())
        }
        BrokerAddress::Pubsub { project } => {
            let client = PubsubProvision::open(project, emulator).await?;
            let place = Place::Pubsub { client, wanted: topology.pubsub(project) };
            Target { address: format!("pubsub:{project}"), place }
        }
    })
}

async fn of_objects(
    address: &ObjectsAddress,
    topology: &Topology,
    project: Option<String>,
    emulator: Option<&str>,
) -> Result<Target> {
    Ok(match address {
        ObjectsAddress::Directory(path) => {
            embedded(Embedded::Objects(address.clone()), "objects", format!("file:{}", path.display()), path.clone())
        }
        ObjectsAddress::CloudStorage { bucket, prefix } => {
            let project = project.ok_or_else(|| {
                UsageError(format!("gs://{bucket}: the address names no project to make the bucket in: add --project"))
            })?;
            let client = BucketProvision::open(bucket, &project, emulator).await?;
            let place = Place::Bucket { client, wanted: topology.bucket.settings(prefix) };
            Target { address: format!("gs://{bucket}/{prefix}"), place }
        }
    })
}

fn of_warehouse(address: &WarehouseAddress, topology: &Topology, emulator: Option<&str>) -> Target {
    match address {
        WarehouseAddress::Sqlite(path) => {
            let shown = format!("sqlite:{}", path.display());
            embedded(Embedded::Warehouse(address.clone()), "warehouse", shown, path.clone())
        }
        WarehouseAddress::BigQuery { project, dataset } => {
            let wanted = warehouse::BigQuery::new(project, dataset, emulator, topology.dataset.clone());
            Target { address: format!("bigquery:{project}.{dataset}"), place: Place::BigQuery(Box::new(wanted)) }
        }
    }
}

fn embedded(address: Embedded, kind: &'static str, shown: String, path: PathBuf) -> Target {
    Target { address: shown, place: Place::Embedded { address, kind, path } }
}

impl Target {
    /// How everything of the place stands, and the steps that mend it, in their order.
    ///
    /// # Errors
    /// What could not be looked at, and which permission or API is missing.
    pub(super) async fn look(&self) -> Result<Vec<(Finding, Option<Step>)>> {
        Ok(match &self.place {
            Place::Pubsub { client, wanted } => {
                let found = client.look(wanted).await?;
                let compared = compare_pubsub(client.project(), wanted, &found);
                compared.into_iter().map(|(finding, step)| (finding, step.map(Step::Pubsub))).collect()
            }
            Place::Bucket { client, wanted } => {
                let found = client.look().await?;
                let (finding, step) = compare_bucket(client.name(), wanted, found.as_ref());
                vec![(finding, step.map(|step| Step::Bucket(Box::new(step))))]
            }
            Place::Embedded { kind, path, .. } => {
                let there = path.try_exists().with_context(|| format!("look at {}", path.display()))?;
                let name = path.display().to_string();
                vec![match there {
                    true => (Finding::same(kind, name), None),
                    false => (Finding::missing(kind, name, "with everything in it"), Some(Step::Open)),
                }]
            }
            Place::BigQuery(dataset) => {
                let findings = dataset.look().await?;
                let is_open = |finding: &Finding| !matches!(finding.state, platform::google::provision::State::Same);
                // All of them are mended at once.
                let mut step = findings.iter().any(is_open).then_some(Step::BigQuery);
                findings
                    .into_iter()
                    .map(|finding| {
                        let step = if is_open(&finding) { step.take() } else { None };
                        (finding, step)
                    })
                    .collect()
            }
        })
    }

    /// Does one step.
    ///
    /// # Errors
    /// What could not be done, and which permission or API is missing.
    pub(super) async fn step(&mut self, step: &Step) -> Result<()> {
        match (&mut self.place, step) {
            (Place::Pubsub { client, .. }, Step::Pubsub(step)) => Ok(client.step(step).await?),
            (Place::Bucket { client, .. }, Step::Bucket(step)) => Ok(client.step(step).await?),
            (Place::Embedded { address, .. }, Step::Open) => open(address).await,
            (Place::BigQuery(dataset), Step::BigQuery) => dataset.prepare().await,
            (place, step) => anyhow::bail!("{step:?} is no step of {place:?}"),
        }
    }
}

/// Opens something embedded, which makes it.
async fn open(address: &Embedded) -> Result<()> {
    match address {
        Embedded::Broker(address) => open_broker(address).await.map(drop),
        Embedded::Objects(address) => open_objects(address).await.map(drop),
        Embedded::Warehouse(address) => Ok(open_warehouse(address).await?.prepare().await?),
    }
}
