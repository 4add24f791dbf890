//! Taking one snapshot: all kinds, one manifest, whoever else tries the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use anyhow::anyhow;
use futures::{StreamExt as _, TryStreamExt as _};
use platform::ports::{Clock, Created, Kind, Objects, PortError};
use platform::runtime::HandleError;
use schemas::keys::SnapshotKeys;
use schemas::manifest::Manifest;

use crate::batches::{MANIFEST_FORMAT, attempt_of, read_manifest};
use crate::config::Config;
use crate::listing::{Attempt, Collected, Stop};
use crate::part::{LeftOut, PartBounds};
use crate::request::Wanted;
use crate::sources::Source;

/// How often an attempt that met another snapshotter's parts is begun anew before the message is
/// given back.
const MOST_LOST_RACES: usize = 5;

/// Takes snapshots.
pub(crate) struct Snapshots {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    left_out: LeftOut,
    config: Config,
}

impl Snapshots {
    pub(crate) fn new(objects: Arc<dyn Objects>, clock: Arc<dyn Clock>, config: Config) -> Self {
        Self { objects, clock, left_out: LeftOut::of(&config), config }
    }

    /// The snapshot's manifest: the one that is there, or else a new one over parts stored now.
    pub(crate) async fn manifest_of(&self, wanted: &Wanted, source: &Source) -> Result<Manifest, HandleError> {
        let keys = wanted.keys();
        for _ in 0..MOST_LOST_RACES {
            if let Some(manifest) = read_manifest(&self.objects, &keys).await? {
                tracing::info!(snapshot_id = %wanted.snapshot_id, cluster = %wanted.cluster, "snapshot was taken before");
                return Ok(manifest);
            }
            match self.take(wanted, &keys, source).await {
                Ok(manifest) => return self.publish_manifest(manifest, &keys).await,
                Err(Failure::Stopped(Stop::LostRace { key })) => {
                    tracing::warn!(snapshot_id = %wanted.snapshot_id, key, "another snapshotter is at it, begun again");
                }
                Err(Failure::Stopped(Stop::Port(error))) => return Err(error.into()),
                Err(Failure::Stopped(error @ Stop::Compress(_))) => return Err(HandleError::Outage(error.into())),
                Err(Failure::NothingListed { reason }) => {
                    let cluster = &wanted.cluster;
                    return Err(HandleError::Outage(anyhow!("cluster {cluster}: no kind could be listed: {reason}")));
                }
            }
        }
        let id = &wanted.snapshot_id;
        Err(HandleError::Outage(anyhow!("snapshot {id}: lost {MOST_LOST_RACES} races against other snapshotters")))
    }

    /// Lists every kind into parts under attempt numbers that nobody used before.
    async fn take(&self, wanted: &Wanted, keys: &SnapshotKeys, source: &Source) -> Result<Manifest, Failure> {
        let began = Instant::now();
        let stored = self.objects.list(&keys.raw_prefix()).await.map_err(Stop::from)?;
        let used = stored.iter().filter_map(|object| attempt_of(keys, &object.key)).max().unwrap_or(0);
        let number = used.saturating_add(1);
        let attempt = Attempt {
            source: source.clone(),
            objects: Arc::clone(&self.objects),
            keys: keys.clone(),
            observed_at: self.clock.now(),
            left_out: self.left_out.clone(),
            bounds: PartBounds::of(&self.config),
            relists: self.config.snapshot_relists,
            relist_delay: self.config.snapshot_relist_delay.duration(),
            number,
            highest: AtomicI64::new(number),
        };
        // What a cluster could not sort by kind; documents have one kind only.
        let unsorted = matches!(source, Source::Cluster(_)).then_some(Kind::Unreadable);
        let kinds = wanted.kinds.iter().copied().chain(unsorted);
        let collected: Vec<Collected> = futures::stream::iter(kinds)
            .map(|kind| attempt.collect(kind))
            .buffer_unordered(self.config.snapshot_parallel_kinds)
            .try_collect()
            .await?;
        if let Some(reason) = nothing_listed(&collected) {
            return Err(Failure::NothingListed { reason });
        }
        log(wanted, &attempt, &collected, began);
        Ok(Manifest {
            format: MANIFEST_FORMAT,
            snapshot_id: wanted.snapshot_id.clone(),
            cluster: wanted.cluster.clone(),
            attempt: number,
            requested_at: wanted.requested_at,
            requested_by: wanted.requested_by.clone(),
            observed_at: attempt.observed_at,
            purpose: wanted.purpose,
            kinds: in_manifest(collected),
        })
    }

    /// Stores the manifest. Of several snapshotters one wins, and its manifest is the snapshot's.
    async fn publish_manifest(&self, manifest: Manifest, keys: &SnapshotKeys) -> Result<Manifest, HandleError> {
        let key = keys.manifest();
        let bytes = serde_json::to_vec(&manifest).map_err(|error| HandleError::Poison(error.into()))?;
        match self.objects.create_bytes(&key, bytes).await? {
            Created::New(_) => Ok(manifest),
            Created::Existed => read_manifest(&self.objects, keys).await?.ok_or_else(|| {
                PortError::did_not_happen(format!("read {key}"), anyhow!("it was there and is no longer")).into()
            }),
        }
    }
}

enum Failure {
    Stopped(Stop),
    /// No kind could be listed, and that may pass.
    NothingListed {
        reason: String,
    },
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

/// Why nothing was listed, where that is so and may pass.
fn nothing_listed(collected: &[Collected]) -> Option<String> {
    let mut asked = collected.iter().filter(|collected| collected.kind != Kind::Unreadable);
    if asked.clone().any(|collected| !collected.manifest.parts.is_empty()) {
        return None;
    }
    asked.find(|collected| collected.may_pass).and_then(|collected| collected.manifest.gap.clone())
}

/// The kinds as the manifest has them; the unreadable only where there are any, or where it is
/// not known whether there are.
fn in_manifest(collected: Vec<Collected>) -> BTreeMap<String, schemas::manifest::KindManifest> {
    collected
        .into_iter()
        .filter(|one| one.kind != Kind::Unreadable || !one.manifest.parts.is_empty() || !one.manifest.complete)
        .flat_map(|one| one.shares.into_iter().chain([(one.kind, one.manifest)]))
        .map(|(kind, manifest)| (kind.name().to_owned(), manifest))
        .collect()
}

fn log(wanted: &Wanted, attempt: &Attempt, collected: &[Collected], began: Instant) {
    let sum = |of: fn(&Collected) -> i64| collected.iter().map(of).fold(0, i64::saturating_add);
    let incomplete: Vec<_> = collected.iter().filter(|one| !one.manifest.complete).map(|one| one.kind.name()).collect();
    tracing::info!(
        snapshot_id = %wanted.snapshot_id,
        cluster = %wanted.cluster,
        attempt = attempt.number,
        relists = attempt.highest.load(Ordering::Relaxed) - attempt.number,
        objects = sum(|one| one.counts.objects),
        excluded = sum(|one| one.counts.excluded),
        unreadable = sum(|one| one.counts.unreadable),
        parts = collected.iter().map(|one| one.manifest.parts.len()).sum::<usize>(),
        bytes = sum(|one| one.manifest.parts.iter().map(|part| part.bytes).fold(0, i64::saturating_add)),
        incomplete = incomplete.join(","),
        elapsed_ms = began.elapsed().as_millis(),
        "snapshot taken"
    );
}
