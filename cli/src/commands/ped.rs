//! `ped validate`, `ped register`, `ped diff`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Result, bail};
use platform::runtime::Ports;
use serde::Serialize;

use crate::args::{Format, PedRegisterArgs, PedValidateArgs};
use crate::exit::Exit;
use crate::house;
use crate::output::{Cell, Grid, write_json};
use crate::ped::{self, Rejected};
use crate::registration::files::{Stamps, read};
use crate::registration::{self, History, Plan};

/// How often `--wait` looks whether the declarations are in force.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long `--wait` looks at most.
const LOOK_AT_MOST: Duration = Duration::from_secs(300);

/// Checks files; refuses when one is not right.
pub fn validate(args: &PedValidateArgs, format: Format, out: &mut impl Write) -> Result<Exit> {
    let mapping = args.mapping.as_deref().map(ped::Mapping::read).transpose()?;
    let found = ped::read_paths(&args.paths, mapping.as_ref());
    if args.github {
        for rejected in &found.rejected {
            writeln!(out, "{}", annotation(rejected))?;
        }
    }
    match format {
        Format::Json => write_json(&Checked { valid: found.documents.len(), rejected: &found.rejected }, out)?,
        Format::Csv => rejected_grid(&found.rejected).write_csv(out)?,
        Format::Text if !args.github => {
            for rejected in &found.rejected {
                writeln!(out, "{}", crate::output::printable(&rejected.reason))?;
            }
            writeln!(out, "{} valid, {} rejected", found.documents.len(), found.rejected.len())?;
        }
        Format::Text => {}
    }
    Ok(if found.rejected.is_empty() { Exit::Fine } else { Exit::Refused })
}

#[derive(Serialize)]
struct Checked<'a> {
    valid: usize,
    rejected: &'a [Rejected],
}

/// A GitHub workflow annotation; `%`, CR and LF are escaped as the workflow commands ask.
fn annotation(rejected: &Rejected) -> String {
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let file = escape(&rejected.file).replace(':', "%3A").replace(',', "%2C");
    let line = rejected.line.map_or(String::new(), |line| format!(",line={line}"));
    format!("::error file={file}{line}::{}", escape(&rejected.reason))
}

fn rejected_grid(rejected: &[Rejected]) -> Grid {
    let mut grid = Grid::new(["file", "reason"]);
    for one in rejected {
        grid.push([Cell::from(one.file.as_str()), Cell::from(one.reason.as_str())]);
    }
    grid
}

/// What a set of files changes.
async fn plan(args: &PedRegisterArgs, ports: &Ports) -> Result<(Plan, Vec<Rejected>)> {
    let stamps = Stamps { by: args.by.clone(), at: args.at, commit: args.commit.clone() };
    let (declared, rejected) = read(&args.paths, args.mapping.as_deref(), &stamps, ports.clock.now())?;
    let plan = History::read(house::warehouse(ports)?.as_ref()).await?.plan(declared)?;
    Ok((plan, rejected))
}

/// Publishes what changed.
pub async fn register(args: &PedRegisterArgs, format: Format, ports: &Ports, out: &mut impl Write) -> Result<Exit> {
    let (plan, rejected) = plan(args, ports).await?;
    registration::publish(ports.broker.as_ref(), &plan).await?;
    write_plan(&plan, &rejected, format, "registered", out)?;
    if args.wait {
        in_force(&plan, ports).await?;
    }
    Ok(if rejected.is_empty() { Exit::Fine } else { Exit::Refused })
}

/// Shows what registering would change.
pub async fn diff(args: &PedRegisterArgs, format: Format, ports: &Ports, out: &mut impl Write) -> Result<Exit> {
    let (plan, rejected) = plan(args, ports).await?;
    write_plan(&plan, &rejected, format, "to register", out)?;
    Ok(if rejected.is_empty() { Exit::Fine } else { Exit::Refused })
}

/// Waits until every change of a plan stands in the history.
async fn in_force(plan: &Plan, ports: &Ports) -> Result<()> {
    let started = tokio::time::Instant::now();
    let wanted: Vec<_> = plan.changes.iter().map(|(declared, _)| declared.clone()).collect();
    loop {
        let now = History::read(house::warehouse(ports)?.as_ref()).await?.plan(wanted.clone())?;
        if now.changes.is_empty() {
            return Ok(());
        }
        if started.elapsed() > LOOK_AT_MOST {
            bail!("{} declarations are not in force after {} s: is a loader running?", now.changes.len(), LOOK_AT_MOST.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn write_plan(plan: &Plan, rejected: &[Rejected], format: Format, done: &str, out: &mut impl Write) -> Result<()> {
    let mut grid = Grid::new(["namespace", "deployment_name", "cluster", "before", "max_replicas", "declared_at", "updated_by", "file"]);
    for (declared, before) in &plan.changes {
        let declaration = &declared.declaration;
        grid.push([
            Cell::from(declaration.namespace.as_str()),
            Cell::from(declaration.deployment_name.as_str()),
            Cell::from(declaration.cluster.as_ref().map(|cluster| cluster.as_str())),
            Cell::from(*before),
            Cell::from(declaration.max_replicas),
            Cell::from(declaration.timestamp),
            Cell::from(declaration.updated_by.as_str()),
            Cell::from(declared.file.display().to_string()),
        ]);
    }
    match format {
        Format::Json => {
            let summary = serde_json::json!({ "changes": grid.json(), "unchanged": plan.unchanged.len(), "rejected": rejected });
            write_json(&summary, out)
        }
        Format::Csv => grid.write_csv(out),
        Format::Text => {
            if !grid.is_empty() {
                grid.write_text(out)?;
            }
            for one in rejected {
                writeln!(out, "rejected: {}", crate::output::printable(&one.reason))?;
            }
            writeln!(out, "{} {done}, {} unchanged, {} rejected", plan.changes.len(), plan.unchanged.len(), rejected.len())?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_cannot_end_its_own_line() {
        let rejected = Rejected { file: "a,b:c.yaml".into(), line: Some(3), reason: "50%\nmore".into() };
        assert_eq!(annotation(&rejected), "::error file=a%2Cb%3Ac.yaml,line=3::50%25%0Amore");
    }
}
