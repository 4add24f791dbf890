//! The objects port's promises.

mod races;
mod single;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;

use crate::ports::{ByteStream, Generation, Objects};

pub use races::*;
pub use single::*;

/// What may differ between adapters that keep the promises.
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// Whether objects `a` and `a/b` can both exist (one stand-in for Cloud Storage cannot).
    pub object_under_object: bool,
    /// Whether keys that differ only by case or Unicode form are different (they always are, but
    /// for stand-ins on a file system that folds them).
    pub exact_keys: bool,
}

/// Everything.
impl Default for Abilities {
    fn default() -> Self {
        Self { object_under_object: true, exact_keys: true }
    }
}

/// Holds an adapter to every promise, each on a store of its own. The constructor may give the same
/// store again as long as it is empty, or was only used for other promises of this suite.
pub async fn contract(make: impl AsyncFn() -> Arc<dyn Objects>, abilities: Abilities) {
    what_was_written_is_read(&make().await).await;
    create_leaves_what_exists_alone(&make().await).await;
    a_body_that_fails_stores_nothing(&make().await).await;
    replace_if_writes_only_over_the_expected_version(&make().await).await;
    a_generation_never_comes_back(&make().await).await;
    a_missing_object_is_not_an_error(&make().await).await;
    a_listing_is_sorted_and_complete(&make().await).await;
    odd_keys_are_keys(&make().await, abilities).await;
    what_is_no_key_is_refused(&make().await).await;
    of_racing_creators_one_wins(&make().await).await;
    of_racing_replacers_one_wins(&make().await).await;
    racing_replacers_lose_no_update(&make().await).await;
    a_reader_sees_a_whole_version(&make().await).await;
    racing_deletes_and_creates_never_revive_a_version(&make().await).await;
    the_store_answers(&make().await).await;
}

fn body(pieces: Vec<std::io::Result<Bytes>>) -> ByteStream {
    Box::pin(futures::stream::iter(pieces))
}

async fn text(objects: &Arc<dyn Objects>, key: &str) -> Option<String> {
    read(objects, key).await.map(|(_, bytes)| String::from_utf8(bytes).unwrap())
}

async fn read(objects: &Arc<dyn Objects>, key: &str) -> Option<(Generation, Vec<u8>)> {
    let object = objects.read(key).await.unwrap()?;
    let (generation, size) = (object.generation, object.size);
    let bytes = object.body.try_fold(Vec::new(), |mut all, piece| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    let bytes = bytes.await.unwrap();
    assert_eq!(bytes.len() as u64, size, "{key}: the body is as long as it says");
    Some((generation, bytes))
}

async fn generations(objects: &Arc<dyn Objects>, prefix: &str) -> BTreeMap<String, Generation> {
    let listed = objects.list(prefix).await.unwrap();
    listed.into_iter().map(|object| (object.key, object.generation)).collect()
}
