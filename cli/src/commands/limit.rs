//! `limit get`: the limit in force.

use std::io::Write;

use anyhow::{Context, Result};
use platform::ports::{Limit, Warehouse};
use schemas::{ClusterName, Timestamp};

use crate::args::{Format, LimitGetArgs};
use crate::exit::{Exit, UsageError};
use crate::output::{Cell, Grid};

/// Prints the limits of a cluster, or of one of its workloads, as of a time.
pub async fn get(
    args: &LimitGetArgs,
    format: Format,
    warehouse: &dyn Warehouse,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<Exit> {
    let cluster = ClusterName::parse(&args.cluster).map_err(|error| UsageError(error.to_string()))?;
    let at = args.at.unwrap_or(now);
    let mut limits = warehouse.limits_as_of(&cluster, at).await.context("cannot read the limits")?;
    if let Some(workload) = &args.workload {
        let (namespace, deployment) = workload_of(workload)?;
        limits.retain(|limit| limit.namespace == namespace && limit.deployment_name == deployment);
        if limits.is_empty() {
            writeln!(std::io::stderr(), "{workload} has no declaration in force on {cluster} at {at}")?;
            return Ok(Exit::Failed);
        }
    }
    limits.sort_by(|a, b| (&a.namespace, &a.deployment_name).cmp(&(&b.namespace, &b.deployment_name)));
    super::write_or_say(&grid(&limits), &format!("no declaration is in force on {cluster} at {at}"), format, out)?;
    Ok(Exit::Fine)
}

/// Reads `NAMESPACE/DEPLOYMENT`.
fn workload_of(text: &str) -> Result<(&str, &str), UsageError> {
    match text.split_once('/') {
        Some((namespace, deployment)) if !namespace.is_empty() && !deployment.is_empty() && !deployment.contains('/') => {
            Ok((namespace, deployment))
        }
        _ => Err(UsageError(format!("{text:?} is not a workload: expected NAMESPACE/DEPLOYMENT"))),
    }
}

/// Limits as a grid.
fn grid(limits: &[Limit]) -> Grid {
    let mut grid = Grid::new([
        "namespace",
        "deployment_name",
        "max_replicas",
        "initial_max_replicas",
        "declared_at",
        "updated_by",
        "change_reason",
        "cluster",
    ]);
    for limit in limits {
        grid.push([
            Cell::from(limit.namespace.as_str()),
            Cell::from(limit.deployment_name.as_str()),
            Cell::from(limit.max_replicas),
            Cell::from(limit.initial_max_replicas),
            Cell::from(limit.declared_at),
            Cell::from(limit.updated_by.as_str()),
            Cell::from(limit.change_reason.as_deref()),
            Cell::from(limit.cluster.as_ref().map(ClusterName::as_str)),
        ]);
    }
    grid
}
