//! The barrier: a kind is loaded when every part its manifest names is normalized.

use platform::ports::{Objects, PortError};
use platform::runtime::HandleError;
use schemas::RowBatch;
use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, Manifest};

/// Largest manifest that is read: 8,000 parts take about 2 MiB.
const MANIFEST_BYTES: u64 = 64 << 20;
/// Largest note of a finished part that is read.
const NOTE_BYTES: u64 = 1 << 20;

/// Reads a snapshot's manifest. It is written before anything that refers to it, so a missing or
/// unreadable one never mends.
pub(crate) async fn manifest(objects: &dyn Objects, key: &str) -> Result<Manifest, HandleError> {
    let Some((_, bytes)) = objects.read_bytes(key, MANIFEST_BYTES).await? else {
        return Err(HandleError::Poison(anyhow::anyhow!("manifest {key}: there is no such object")));
    };
    serde_json::from_slice(&bytes).map_err(|error| HandleError::Poison(anyhow::anyhow!("manifest {key}: {error}")))
}

/// The batches of every part of a kind, in order of parts; none while a part is missing.
pub(crate) async fn complete(
    objects: &dyn Objects,
    keys: &SnapshotKeys,
    kind: &str,
    listed: &KindManifest,
    revision: i64,
) -> Result<Option<Vec<RowBatch>>, HandleError> {
    let prefix = keys.done_prefix(revision, kind);
    if objects.list(&prefix).await?.len() < listed.parts.len() {
        return Ok(None);
    }
    let mut batches = Vec::with_capacity(listed.parts.len());
    for part in 0..listed.parts.len() {
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        match note(objects, &keys.done_part(revision, kind, part)).await? {
            Some(batch) => batches.push(batch),
            None => return Ok(None),
        }
    }
    Ok(Some(batches))
}

/// The note of one finished part.
async fn note(objects: &dyn Objects, key: &str) -> Result<Option<RowBatch>, HandleError> {
    let Some((_, bytes)) = objects.read_bytes(key, NOTE_BYTES).await? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| PortError::never_will(format!("read note {key}"), error).into())
}
