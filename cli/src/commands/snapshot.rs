//! `snapshot`: ask for a look at a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use platform::nearest::did_you_mean;
use platform::ports::{Kind, Objects, Question, Warehouse};
use platform::runtime::Ports;
use schemas::keys::SnapshotKeys;
use schemas::manifest::Manifest;
use schemas::{ClusterName, IdBuilder, Purpose, SnapshotRequest, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::args::{Format, SnapshotArgs};
use crate::exit::{Exit, UsageError};
use crate::house;
use crate::output::{Cell, Grid, write_json};
use crate::up::collect;
use crate::up::report::KindCounts;

/// How often `--wait` looks for the manifest.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often `--wait` asks the warehouse, where a question may cost something.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long `--wait` waits at most.
const WAIT_AT_MOST: Duration = Duration::from_secs(600);

/// Publishes a request and, if asked, follows the snapshot until its rows are in the warehouse.
pub async fn run(args: &SnapshotArgs, format: Format, ports: &Ports, out: &mut impl Write) -> Result<Exit> {
    let followed = match args.cluster.as_str() {
        "*" if args.wait => {
            return Err(UsageError("--wait follows one snapshot: name a cluster instead of *".into()).into());
        }
        "*" => None,
        name => Some(ClusterName::parse(name).map_err(|error| UsageError(error.to_string()))?).filter(|_| args.wait),
    };
    for kind in &args.kinds {
        if !Kind::requestable().any(|known| known.name() == kind) {
            let known: Vec<_> = Kind::requestable().map(Kind::name).collect();
            let nearest = did_you_mean(kind, known.iter().copied());
            return Err(UsageError(format!(
                "{kind:?} is not a kind of snapshots{nearest} (known: {})",
                known.join(", ")
            ))
            .into());
        }
    }
    let now = ports.clock.now();
    let request = request(&args.cluster, args.kinds.clone(), args.id.as_deref(), now, Purpose::Manual);
    ports.broker.publish_messages(std::slice::from_ref(&request)).await.context("cannot publish the request")?;
    if format == Format::Text {
        writeln!(out, "{}", request.request_id)?;
        out.flush()?;
    }
    let kinds = match followed {
        Some(cluster) => {
            let keys = SnapshotKeys::new(cluster, now, request.request_id.as_str().into());
            Some(follow(ports.objects.as_ref(), house::warehouse(ports)?.as_ref(), &keys).await?)
        }
        None => None,
    };
    write(&Asked { request_id: &request.request_id, cluster: &request.cluster, kinds }, format, out)?;
    Ok(Exit::Fine)
}

/// A request, and what became of it where it was followed.
#[derive(Serialize)]
struct Asked<'a> {
    request_id: &'a str,
    cluster: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kinds: Option<BTreeMap<String, KindCounts>>,
}

/// Writes what was asked for; of the text the id stands there already.
fn write(asked: &Asked<'_>, format: Format, out: &mut impl Write) -> Result<()> {
    match (format, &asked.kinds) {
        (Format::Json, _) => write_json(asked, out),
        (Format::Csv, None) => {
            let mut grid = Grid::new(["request_id", "cluster"]);
            grid.push([Cell::from(asked.request_id), Cell::from(asked.cluster)]);
            grid.write_csv(out)
        }
        (Format::Csv, Some(kinds)) => {
            let mut grid = Grid::new(["request_id", "cluster", "kind", "objects", "rows", "rejects", "complete"]);
            for (kind, counts) in kinds {
                let KindCounts { objects, rows, rejects, complete, .. } = counts;
                grid.push([
                    Cell::from(asked.request_id),
                    Cell::from(asked.cluster),
                    Cell::from(kind.as_str()),
                    Cell::from(*objects),
                    Cell::from(*rows),
                    Cell::from(*rejects),
                    Cell::value(Value::from(*complete)),
                ]);
            }
            grid.write_csv(out)
        }
        (Format::Text, None) => Ok(()),
        (Format::Text, Some(kinds)) => {
            for (kind, KindCounts { objects, rows, rejects, complete, .. }) in kinds {
                let complete = if *complete { "complete" } else { "not complete" };
                writeln!(out, "{kind}: {objects} objects, {rows} rows, {rejects} rejects, {complete}")?;
            }
            Ok(())
        }
    }
}

/// A request for one snapshot; without an id it gets one of its own.
pub(crate) fn request(
    cluster: &str,
    kinds: Vec<String>,
    id: Option<&str>,
    now: Timestamp,
    purpose: Purpose,
) -> SnapshotRequest {
    let request_id = id.map_or_else(
        || {
            IdBuilder::new("snapshot-request")
                .part("cluster", cluster)
                .part("requested_at", now.micros().to_be_bytes())
                .part("process", std::process::id().to_be_bytes())
                .finish()
        },
        str::to_owned,
    );
    SnapshotRequest {
        request_id,
        cluster: cluster.to_owned(),
        kinds,
        requested_at: now.micros(),
        requested_by: std::env::var("USER").unwrap_or_else(|_| "podledger".into()),
        purpose,
    }
}

/// Follows a snapshot to its end: what was listed is in the warehouse.
async fn follow(
    objects: &dyn Objects,
    warehouse: &dyn Warehouse,
    keys: &SnapshotKeys,
) -> Result<BTreeMap<String, KindCounts>> {
    let started = tokio::time::Instant::now();
    let manifest = loop {
        if let Some(manifest) = collect::manifest(objects, keys).await? {
            break manifest;
        }
        if started.elapsed() > WAIT_AT_MOST {
            bail!("no manifest after {} s: is a snapshotter running?", WAIT_AT_MOST.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    loop {
        let missing = unloaded(warehouse, &manifest).await?;
        if missing.is_empty() {
            return Ok(collect::outcome(objects, keys, &manifest).await?.0);
        }
        if started.elapsed() > WAIT_AT_MOST {
            let missing: Vec<_> = missing.into_iter().collect();
            let (kinds, seconds) = (missing.join(", "), WAIT_AT_MOST.as_secs());
            bail!("{kinds} not in the warehouse after {seconds} s: are a normalizer and a loader running?");
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The kinds of a snapshot that were listed and of which the warehouse does not hold everything yet.
async fn unloaded<'m>(warehouse: &dyn Warehouse, manifest: &'m Manifest) -> Result<BTreeSet<&'m str>> {
    let from = manifest.observed_at;
    let to = Timestamp::from_micros(from.micros().saturating_add(1));
    let answer = warehouse.ask(&Question::Conservation { from, to }).await.context("cannot read the ledger")?;
    let place = |name: &str| answer.columns.iter().position(|column| column == name);
    let value = |row: &'_ [Value], name| place(name).and_then(|place| row.get(place).cloned()).unwrap_or_default();
    let loaded: BTreeSet<String> = answer
        .rows
        .iter()
        .filter(|row| value(row, "snapshot_id") == manifest.snapshot_id.as_str())
        .filter(|row| [Value::from(true), Value::from(1)].contains(&value(row, "balanced")))
        .filter_map(|row| value(row, "kind").as_str().map(str::to_owned))
        .collect();
    let listed = manifest.kinds.iter().filter(|(_, kind)| !kind.parts.is_empty());
    Ok(listed.map(|(name, _)| name.as_str()).filter(|name| !loaded.contains(*name)).collect())
}
