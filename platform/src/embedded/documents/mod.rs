//! Documents in files: what an export, a script or an earlier snapshot wrote.
//!
//! A folder holds files whose names end in `.ndjson` or `.jsonl` (one JSON value a line) or `.json`
//! (any number of JSON values, with white space between them), each also with `.gz` behind. A value
//! is
//! - a document in its wire form ([`WireDocument`](crate::ports::WireDocument): `name` and `data`),
//!   which is what raw parts of snapshots hold;
//! - a document as Firestore's REST interface writes it (`name` and `fields`), alone or as the
//!   `document` of a query's answer;
//! - an array of such values, or an object with such an array as `documents`.
//!
//! Files are read in the order of their names, folders within too; other files are left alone. The
//! files may hold any collections, in any order: a list passes over all of them once for each
//! collection it was asked for. What is no document of a collection that anybody can tell is a gap
//! of every list.

mod files;
mod read;
mod rest;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::ports::{
    CollectionId, DocumentPage, DocumentPages, Documents, DocumentsError, PortError, PortResult, RawObject,
};
use read::{Found, Stop};

/// Documents in one page, at most.
const PAGE_DOCUMENTS: usize = 500;
/// Bytes of documents at which a page is closed.
const PAGE_BYTES: usize = 1 << 20;
/// Pages read ahead of the consumer.
const READ_AHEAD: usize = 2;

/// A folder of files as a documents source.
#[derive(Debug, Clone)]
pub struct DumpDocuments {
    folder: PathBuf,
}

impl DumpDocuments {
    /// A folder that exists and holds at least one file of documents.
    ///
    /// # Errors
    /// `NeverWill` for any other folder.
    pub fn open(folder: impl AsRef<Path>) -> PortResult<Self> {
        let folder = folder.as_ref();
        let attempted = || format!("open documents {}", folder.display());
        let files = files::below(folder).map_err(|error| PortError::never_will(attempted(), error))?;
        if files.is_empty() {
            let reason = anyhow!("the folder holds no file that ends in .json, .ndjson or .jsonl (or .gz behind one)");
            return Err(PortError::never_will(attempted(), reason));
        }
        Ok(Self { folder: folder.to_owned() })
    }
}

#[async_trait]
impl Documents for DumpDocuments {
    async fn list(&self, collections: &[CollectionId]) -> Result<DocumentPages, DocumentsError> {
        let (pages, read) = mpsc::channel(READ_AHEAD);
        let (folder, collections) = (self.folder.clone(), collections.to_vec());
        let reading = tokio::task::spawn_blocking(move || {
            if let Err(error) = list(&folder, collections, &pages)
                && pages.blocking_send(Err(error)).is_err()
            {
                tracing::debug!("nobody waits for the list any more");
            }
        });
        // A reader that panicked sends nothing more either; that must not pass for the list's end.
        let ended = futures::stream::once(reading).filter_map(|joined| {
            let failed = joined.err().map(|panicked| DocumentsError::Unavailable { source: panicked.into() });
            std::future::ready(failed.map(Err))
        });
        Ok(ReceiverStream::new(read).chain(ended).boxed())
    }
}

type Pages = mpsc::Sender<Result<DocumentPage, DocumentsError>>;

/// Reads every file once for each collection. It ends early, and well, when nobody takes pages.
fn list(folder: &Path, collections: Vec<CollectionId>, pages: &Pages) -> Result<(), DocumentsError> {
    let unavailable = |error: std::io::Error| DocumentsError::Unavailable {
        source: anyhow::Error::new(error).context(format!("documents {}", folder.display())),
    };
    for collection in collections {
        let mut page = Page { collection, documents: Vec::new(), bytes: 0, known_gap: None, pages };
        for file in files::below(folder).map_err(unavailable)? {
            let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
            match read::file(&file, &name, page.collection.clone(), &mut |found| page.take(found)) {
                Ok(()) => {}
                Err(Stop::Left) => return Ok(()),
                Err(Stop::Io(error)) => return Err(unavailable(error)),
            }
        }
        if page.send().is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The page that is being filled.
struct Page<'p> {
    collection: CollectionId,
    documents: Vec<RawObject>,
    bytes: usize,
    known_gap: Option<String>,
    pages: &'p Pages,
}

impl Page<'_> {
    fn take(&mut self, found: Found) -> Result<(), Stop> {
        match found {
            Found::Document(json) => {
                self.bytes = self.bytes.saturating_add(json.len());
                self.documents.push(RawObject::Json(Bytes::from(json)));
            }
            Found::Unreadable { place, reason } => self.documents.push(RawObject::Unreadable { place, reason }),
            // The first gap speaks for all.
            Found::Gap(gap) => {
                self.known_gap.get_or_insert(gap);
            }
        }
        if self.documents.len() >= PAGE_DOCUMENTS || self.bytes >= PAGE_BYTES {
            self.send()?;
        }
        Ok(())
    }

    /// Sends what there is; nothing is sent of nothing.
    fn send(&mut self) -> Result<(), Stop> {
        if self.documents.is_empty() && self.known_gap.is_none() {
            return Ok(());
        }
        self.bytes = 0;
        let page = DocumentPage {
            collection: self.collection.clone(),
            documents: std::mem::take(&mut self.documents),
            read_time: String::new(),
            known_gap: self.known_gap.take(),
        };
        self.pages.blocking_send(Ok(page)).map_err(|_| Stop::Left)
    }
}
