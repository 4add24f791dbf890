//! `provision`: makes what podledger needs, from one file, and nothing else.
//!
//! Everything is looked at before anything is changed. A plan that would take something away is not
//! begun at all. After the steps everything is looked at again: what is reported as done was seen.

mod report;
mod target;
pub mod topology;
mod warehouse;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use platform::google::provision::State;
use platform::runtime::{Env, RuntimeSettings};

pub use report::{PlaceReport, Report};

use crate::args::{Format, ProvisionArgs};
use crate::exit::{Exit, UsageError};
use target::{Step, Target, targets};
use topology::Topology;

/// How long it may take until a listing shows what was done, and how often is looked.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Steps by the place they are for.
type Plan = Vec<Vec<Step>>;

/// Compares the places that the environment names with the topology and, unless only asked to look,
/// makes what is missing and changes what differs.
///
/// Ends with [`Exit::Refused`] where something would have to be taken away, and with `--check` also
/// where anything is to be done.
///
/// # Errors
/// A topology that cannot be read, no address at all, or a call that failed: it names the resource
/// and, where known, the permission or the API that is missing. The same command may be run again.
pub async fn run(args: &ProvisionArgs, env: &Env, format: Format, out: &mut impl Write) -> Result<Exit> {
    let topology = Topology::read(args.topology.as_deref())?;
    let settings: RuntimeSettings = env.read()?;
    let left_out = left_out(&settings);
    let mut targets = targets(&settings, &topology, args.project.as_deref()).await?;
    if targets.is_empty() {
        let reason = format!("nothing to provision: set {}", left_out.join(", "));
        return Err(UsageError(reason).into());
    }
    let (mut report, plan) = look(&targets).await?;
    report.left_out = left_out;
    let refused = report.count(State::Refused) > 0;
    if args.dry_run || args.check || refused {
        report.write(format, out)?;
        let says_no = refused || args.check && !report.is_done();
        return Ok(if says_no { Exit::Refused } else { Exit::Fine });
    }
    carry_out(&mut targets, &plan).await?;
    seen(&targets).await?;
    report.applied = true;
    report.write(format, out)?;
    Ok(Exit::Fine)
}

/// Variables of ports that have no address.
fn left_out(settings: &RuntimeSettings) -> Vec<&'static str> {
    let ports = [
        ("PODLEDGER_BROKER", settings.broker.is_none()),
        ("PODLEDGER_OBJECTS", settings.objects.is_none()),
        ("PODLEDGER_WAREHOUSE", settings.warehouse.is_none()),
    ];
    ports.into_iter().filter(|(_, absent)| *absent).map(|(variable, _)| variable).collect()
}

/// How everything stands, and what is to be done.
async fn look(targets: &[Target]) -> Result<(Report, Plan)> {
    let (mut report, mut plan) = (Report::default(), Plan::new());
    for target in targets {
        let found = target.look().await.with_context(|| format!("cannot look at {}", target.address))?;
        let (resources, steps): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        report.places.push(PlaceReport { address: target.address.clone(), resources });
        plan.push(steps.into_iter().flatten().collect());
    }
    Ok((report, plan))
}

/// Does all steps in their order.
async fn carry_out(targets: &mut [Target], plan: &Plan) -> Result<()> {
    let all: usize = plan.iter().map(Vec::len).sum();
    let mut done = 0;
    for (target, steps) in targets.iter_mut().zip(plan) {
        for step in steps {
            let address = target.address.clone();
            target.step(step).await.with_context(|| {
                format!("stopped at {address}, {done} of {all} steps done; run it again to do the rest")
            })?;
            done += 1;
        }
    }
    Ok(())
}

/// Looks until everything is as it should be: a listing may be a moment behind.
async fn seen(targets: &[Target]) -> Result<()> {
    let started = tokio::time::Instant::now();
    loop {
        let (after, _) = look(targets).await?;
        let Some(open) = first_open(&after) else { return Ok(()) };
        if started.elapsed() > SEEN_WITHIN {
            bail!("{open} is still not as it should be: is somebody else changing it? run the command again");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What is not as it should be.
fn first_open(report: &Report) -> Option<String> {
    let open = [State::Missing, State::Different, State::Refused];
    report.places.iter().find_map(|place| {
        let found = place.resources.iter().find(|found| open.contains(&found.state))?;
        Some(format!("{} {} in {}", found.kind, found.name, place.address))
    })
}
