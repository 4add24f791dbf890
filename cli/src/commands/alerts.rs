//! `alerts list`: episodes of broken rules.

use std::io::Write;

use anyhow::{Context, Result};
use platform::ports::{Question, Warehouse};
use schemas::ClusterName;

use crate::args::{AlertsListArgs, Format};
use crate::exit::{Exit, UsageError};

/// Prints episodes, open ones by default.
pub async fn list(args: &AlertsListArgs, format: Format, warehouse: &dyn Warehouse, out: &mut impl Write) -> Result<Exit> {
    let cluster = args
        .cluster
        .as_deref()
        .map(ClusterName::parse)
        .transpose()
        .map_err(|error| UsageError(error.to_string()))?;
    let question = Question::Episodes { open_only: !args.all, cluster, since: args.since };
    let answer = warehouse.ask(&question).await.context("cannot read the episodes")?;
    let grid = super::grid_of(answer);
    match format {
        Format::Text => super::write_or_say(
            &grid.select(&["severity", "alert_type", "state", "namespace", "deployment_name", "cause", "message", "started_at"]),
            if args.all { "there were no episodes" } else { "no episode is open" },
            format,
            out,
        )?,
        Format::Json | Format::Csv => grid.write(format, out)?,
    }
    Ok(Exit::Fine)
}
