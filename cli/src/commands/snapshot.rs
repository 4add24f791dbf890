//! `snapshot`: ask for a look at a cluster.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use platform::nearest::did_you_mean;
use platform::ports::{Broker, Kind, Objects};
use schemas::keys::SnapshotKeys;
use schemas::{ClusterName, IdBuilder, Purpose, SnapshotRequest, Timestamp};

use crate::args::SnapshotArgs;
use crate::exit::{Exit, UsageError};

/// How often `--wait` looks for the manifest.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long `--wait` looks at most.
const LOOK_AT_MOST: Duration = Duration::from_secs(600);

/// Publishes a request and, if asked, waits for its manifest.
pub async fn run(
    args: &SnapshotArgs,
    broker: &dyn Broker,
    objects: &dyn Objects,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<Exit> {
    if args.cluster != "*" {
        ClusterName::parse(&args.cluster).map_err(|error| UsageError(error.to_string()))?;
    }
    if args.wait && args.cluster == "*" {
        return Err(UsageError("--wait follows one snapshot: name a cluster instead of *".into()).into());
    }
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
    let request = request(&args.cluster, args.kinds.clone(), args.id.as_deref(), now, Purpose::Manual);
    broker.publish_messages(std::slice::from_ref(&request)).await.context("cannot publish the request")?;
    writeln!(out, "{}", request.request_id)?;
    if args.wait {
        let cluster = ClusterName::parse(&args.cluster).map_err(|error| UsageError(error.to_string()))?;
        let keys = SnapshotKeys::new(cluster, now, request.request_id.as_str().into());
        follow(objects, &keys, out).await?;
    }
    Ok(Exit::Fine)
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

/// Waits for the manifest and says what it holds.
async fn follow(objects: &dyn Objects, keys: &SnapshotKeys, out: &mut impl Write) -> Result<()> {
    let started = tokio::time::Instant::now();
    loop {
        if let Some(manifest) = crate::up::collect::manifest(objects, keys).await? {
            for (kind, found) in &manifest.kinds {
                let complete = if found.complete { "complete" } else { "not complete" };
                writeln!(out, "{kind}: {} objects, {complete}", found.object_count)?;
            }
            return Ok(());
        }
        if started.elapsed() > LOOK_AT_MOST {
            bail!("no manifest after {} s: is a snapshotter running?", LOOK_AT_MOST.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
