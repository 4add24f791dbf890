//! `alerts list`: episodes of broken rules.

use std::io::Write;

use anyhow::{Context, Result};
use platform::ports::{Question, Warehouse};
use schemas::ClusterName;

use crate::args::{AlertsListArgs, Format};
use crate::exit::{Exit, UsageError};
use crate::output::{Grid, printable};

/// Prints episodes, open ones by default.
pub async fn list(
    args: &AlertsListArgs,
    format: Format,
    warehouse: &dyn Warehouse,
    out: &mut impl Write,
) -> Result<Exit> {
    let cluster =
        args.cluster.as_deref().map(ClusterName::parse).transpose().map_err(|error| UsageError(error.to_string()))?;
    let question = Question::Episodes { open_only: !args.all, cluster, since: args.since };
    let answer = warehouse.ask(&question).await.context("cannot read the episodes")?;
    let grid = super::grid_of(answer);
    match format {
        Format::Text => write_text(&grid, args.all, out)?,
        Format::Json | Format::Csv => grid.write(format, out)?,
    }
    Ok(Exit::Fine)
}

/// One paragraph per episode.
fn write_text(grid: &Grid, all: bool, out: &mut impl Write) -> Result<()> {
    if grid.is_empty() {
        writeln!(out, "{}", if all { "there were no episodes" } else { "no episode is open" })?;
    }
    for episode in grid.json() {
        let text =
            |name: &str| episode.get(name).and_then(serde_json::Value::as_str).map(printable).unwrap_or_default();
        let (severity, rule, state) = (text("severity"), text("alert_type"), text("state"));
        writeln!(out, "{severity:<8}  {rule:<20}  {state} {}, since {}", text("timestamp"), text("started_at"))?;
        writeln!(out, "    {}", text("message"))?;
    }
    Ok(())
}
