//! Rejected rows of one part: from the lines the normalizer wrote to the table's rows.

use platform::ports::{Objects, PortError};
use platform::runtime::HandleError;
use schemas::{RejectedRows, RowBatch, RowWriter};

/// Largest file of rejects that is read: a part has at most some thousand objects, a line is short.
const REJECTS_BYTES: u64 = 64 << 20;

/// The rejected rows of a part as a container file; none where nothing was rejected.
pub(crate) async fn read(objects: &dyn Objects, batch: &RowBatch) -> Result<Option<Vec<u8>>, HandleError> {
    if batch.reject_object.is_empty() {
        return Ok(None);
    }
    let key = &batch.reject_object;
    let Some((_, bytes)) = objects.read_bytes(key, REJECTS_BYTES).await? else {
        return Err(HandleError::Poison(anyhow::anyhow!("rejects {key}: there is no such object")));
    };
    let unreadable = |error: anyhow::Error| PortError::never_will(format!("read rejects {key}"), error);
    let mut writer = RowWriter::<RejectedRows>::new().map_err(|error| unreadable(error.into()))?;
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let row: RejectedRows = serde_json::from_slice(line).map_err(|error| unreadable(error.into()))?;
        writer.push(&row).map_err(|error| unreadable(error.into()))?;
    }
    if i64::try_from(writer.count()) != Ok(batch.reject_count) {
        let reason = anyhow::anyhow!("it has {} lines, its batch says {}", writer.count(), batch.reject_count);
        return Err(unreadable(reason).into());
    }
    Ok(Some(writer.finish().map_err(|error| unreadable(error.into()))?))
}
