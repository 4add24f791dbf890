//! The messages that announce a snapshot: a function of its manifest alone, so that a redelivered
//! request announces the same.

use std::sync::Arc;

use platform::ports::{Objects, PortError, PortResult};
use schemas::RawBatch;
use schemas::keys::SnapshotKeys;
use schemas::manifest::Manifest;

/// Version of the manifest's format that is read and written here.
pub(crate) const MANIFEST_FORMAT: u32 = 1;
/// Largest manifest that is read, in bytes: about 400,000 parts.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// The snapshot's manifest, if there is one.
pub(crate) async fn read_manifest(objects: &Arc<dyn Objects>, keys: &SnapshotKeys) -> PortResult<Option<Manifest>> {
    let key = keys.manifest();
    let Some((_, bytes)) = objects.read_bytes(&key, LARGEST_MANIFEST).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| PortError::never_will(format!("read {key}"), error))
}

/// One message per part, by kind and part.
pub(crate) fn of(manifest: &Manifest, keys: &SnapshotKeys) -> Vec<RawBatch> {
    let mut batches = Vec::new();
    for (kind, listed) in &manifest.kinds {
        let parts = count(listed.parts.len());
        for (part, stored) in listed.parts.iter().enumerate() {
            batches.push(RawBatch {
                snapshot_id: manifest.snapshot_id.clone(),
                cluster: manifest.cluster.clone(),
                kind: kind.clone(),
                api_version: listed.api_version.clone(),
                attempt: attempt_of(keys, &stored.object).unwrap_or(manifest.attempt),
                part: count(part),
                parts,
                object: stored.object.clone(),
                object_count: stored.object_count,
                bytes: stored.bytes,
                resource_version: listed.resource_version.clone(),
                observed_at: manifest.observed_at,
                manifest: keys.manifest(),
                purpose: manifest.purpose,
                revision: 0,
            });
        }
    }
    batches
}

/// The attempt that a raw object's key belongs to.
pub(crate) fn attempt_of(keys: &SnapshotKeys, key: &str) -> Option<i64> {
    key.strip_prefix(&keys.raw_prefix())?.split_once('/')?.0.parse().ok()
}

/// A length as schemas count; no collection in memory is longer than an `i64` can say.
pub(crate) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
