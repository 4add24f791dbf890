//! The ports of a command: the data directory's, or those the environment names.

use anyhow::{Context, Result};
use platform::ports::Warehouse;
use platform::runtime::{Env, Needs, Ports, RuntimeSettings, open};
use std::sync::Arc;

use crate::data_dir::DataDir;

/// Reads the settings of the environment; what it does not say lies in the data directory.
pub fn settings(env: &Env, data: &DataDir) -> Result<RuntimeSettings> {
    let mut settings: RuntimeSettings = env.read()?;
    if settings.broker.is_none() {
        settings.broker = Some(data.broker().parse().context("address of the data directory's broker")?);
    }
    if settings.objects.is_none() {
        settings.objects = Some(data.objects().parse().context("address of the data directory's objects")?);
    }
    if settings.warehouse.is_none() {
        settings.warehouse = Some(data.warehouse().parse().context("address of the data directory's warehouse")?);
    }
    Ok(settings.checked()?)
}

/// The ports of a command that asks questions or publishes. The data directory must be there already,
/// unless the environment names every port.
pub async fn ports(env: &Env, data: &std::path::Path) -> Result<Ports> {
    let named: RuntimeSettings = env.read()?;
    let settings = if named.broker.is_some() && named.objects.is_some() && named.warehouse.is_some() {
        named.checked()?
    } else {
        settings(env, &DataDir::existing(data)?)?
    };
    open(&settings, Needs::MESSAGES_AND_OBJECTS.and_warehouse()).await
}

/// The warehouse of a process that opened one.
pub fn warehouse(ports: &Ports) -> Result<&Arc<dyn Warehouse>> {
    ports.warehouse.as_ref().context("the warehouse was not opened")
}
