//! BigQuery's part of provisioning: behind the warehouse port, whose `prepare` makes the dataset,
//! tables and views and adds columns.

use anyhow::Result;
use platform::google::provision::Finding;
use platform::runtime::{WarehouseAddress, open_warehouse};

use super::topology::Dataset;

/// A dataset to provision.
#[derive(Debug)]
pub(super) struct BigQuery {
    address: WarehouseAddress,
    wanted: Dataset,
}

impl BigQuery {
    pub(super) fn new(address: WarehouseAddress, wanted: Dataset) -> Self {
        Self { address, wanted }
    }

    /// How the dataset, its tables and its views stand. Changes nothing.
    pub(super) async fn look(&self) -> Result<Vec<Finding>> {
        differences(&self.address, &self.wanted).await
    }

    /// Makes and adds everything that is missing.
    pub(super) async fn prepare(&self) -> Result<()> {
        Ok(open_warehouse(&self.address).await?.prepare().await?)
    }
}

/// What BigQuery's adapter finds different. Without an adapter the address is refused when it is
/// opened, before anything is changed.
async fn differences(address: &WarehouseAddress, wanted: &Dataset) -> Result<Vec<Finding>> {
    open_warehouse(address).await?;
    anyhow::bail!(
        "the adapter for this address cannot tell how its {} tables and {} views in {} differ",
        wanted.tables.len(),
        wanted.views.len(),
        wanted.location
    )
}
