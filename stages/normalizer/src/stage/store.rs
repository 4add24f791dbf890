//! What the handler reads and writes in the objects store.
//!
//! An object that must be there and is not is poison, not an outage: a raw part and its manifest
//! are stored before they are announced, and the store is strongly consistent, so that what is
//! missing was removed since and will not come back.

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use platform::ports::{Created, Replaced, StoredObject};
use platform::runtime::HandleError;
use schemas::RowBatch;

use super::{Store, Task};
use crate::part::MappedPart;

/// Largest done note, in bytes: one message as JSON.
const MAX_DONE: u64 = 64 << 10;
/// Largest file of rows or rejects that is compared with what is to be written, in bytes.
const MAX_COMPARED: u64 = 1 << 30;

/// The batch that was announced for a part, if it is finished.
pub(super) async fn done(objects: &Store, task: &Task) -> Result<Option<RowBatch>, HandleError> {
    let key = done_key(task);
    let Some((_, note)) = objects.read_bytes(&key, MAX_DONE).await? else { return Ok(None) };
    let batch = serde_json::from_slice(&note).with_context(|| format!("done note {key}"));
    batch.map(Some).map_err(HandleError::Poison)
}

/// Opens a raw part.
pub(super) async fn raw_part(objects: &Store, key: &str) -> Result<StoredObject, HandleError> {
    objects
        .read(key)
        .await?
        .ok_or_else(|| HandleError::Poison(anyhow!("raw part {key} is gone: it was there when it was announced")))
}

/// Writes rejects, rows, then the done note, and gives back what the note says.
pub(super) async fn write(objects: &Store, task: &Task, mapped: MappedPart) -> Result<RowBatch, HandleError> {
    let announced = task.announce(&mapped).map_err(HandleError::Poison)?;
    if mapped.reject_count > 0 {
        create(objects, &announced.reject_object, mapped.rejects.into()).await?;
    }
    if let Some(rows) = mapped.rows {
        create(objects, &announced.object, rows.into()).await?;
    }
    let note = serde_json::to_vec(&announced).map_err(|error| HandleError::Poison(error.into()))?;
    match objects.create_bytes(&done_key(task), note).await? {
        Created::New(_) => Ok(announced),
        // Somebody handled the same part meanwhile: their word stands.
        Created::Existed => done(objects, task)
            .await?
            .ok_or_else(|| HandleError::Outage(anyhow!("done note {} was there and is gone", done_key(task)))),
    }
}

fn done_key(task: &Task) -> String {
    task.keys.done_part(task.batch.revision, &task.batch.kind, task.batch.part)
}

/// Creates an object. One that is there without a done note was left by a handler that did not
/// finish; its bytes are the same, unless another version or configuration wrote them. Nobody was
/// told of those, so they are replaced.
async fn create(objects: &Store, key: &str, body: Bytes) -> Result<(), HandleError> {
    if let Created::New(_) = objects.create_bytes(key, body.clone()).await? {
        return Ok(());
    }
    match objects.read_bytes(key, MAX_COMPARED).await? {
        Some((_, stored)) if stored == body => Ok(()),
        stored => {
            tracing::warn!(key, "unfinished object of another version replaced");
            match objects.replace_if(key, stored.map(|(generation, _)| generation), body).await? {
                Replaced::Done(_) => Ok(()),
                Replaced::LostRace => Err(HandleError::Outage(anyhow!("{key} is being written by somebody else"))),
            }
        }
    }
}
