//! Rejected rows: from the normalizer's lines to the warehouse.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use platform::ports::{Objects, Warehouse};
use platform::runtime::HandleError;
use schemas::{RejectedRows, RowBatch, RowWriter};

use crate::whole_kind::WholeKind;

/// Largest file of rejected rows of one part that is read, in bytes.
const LARGEST_FILE: u64 = 256 << 20;

/// Puts the rejected rows of every part. Of a revision after the first, parts without any are put
/// too: they may have had some before.
pub(crate) async fn put(
    whole: &WholeKind,
    objects: &Arc<dyn Objects>,
    warehouse: &Arc<dyn Warehouse>,
) -> Result<(), HandleError> {
    let parts = whole.parts.iter().filter(|part| part.reject_count > 0 || part.revision > 0);
    for part in parts {
        let lines = match part.reject_count {
            0 => Vec::new(),
            _ => {
                let key = &part.reject_object;
                let found = objects.read_bytes(key, LARGEST_FILE).await?;
                let (_, lines) = found.ok_or_else(|| HandleError::Poison(anyhow!("rejects {key}: not there")))?;
                lines.into()
            }
        };
        let file = container_file(&lines, part).map_err(HandleError::Poison)?;
        warehouse.put_rejects(&part.snapshot_id, &part.kind, part.part, file).await?;
    }
    Ok(())
}

/// The lines as one container file; there must be as many as were counted.
fn container_file(lines: &[u8], part: &RowBatch) -> anyhow::Result<Vec<u8>> {
    let mut writer = RowWriter::<RejectedRows>::new()?;
    for (number, line) in lines.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let row: RejectedRows = serde_json::from_slice(line)
            .with_context(|| format!("rejects {}: line {}", part.reject_object, number.saturating_add(1)))?;
        writer.push(&row)?;
    }
    let (found, counted) = (writer.count(), part.reject_count);
    ensure!(
        u64::try_from(counted).is_ok_and(|counted| counted == found),
        "rejects {}: {found} lines, {counted} were counted",
        part.reject_object
    );
    Ok(writer.finish()?)
}
