//! A cluster as files: whatever `kubectl` printed, in any mix.

mod content;
mod files;
mod inventory;
mod read;
mod sort;
mod yaml;
mod yaml_document;

pub use files::TAKEN_AT;
pub use sort::is_its_group;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use yaml::{YamlFault, to_json as yaml_to_json};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use schemas::Timestamp;
use tokio::sync::{Mutex, mpsc};

use super::listing::{self, Pager};
use crate::ports::{Cluster, ClusterError, Kind, KindPage, Listing, PortError, PortResult, RawObject, SourceAudit};
use files::Entry;
use inventory::{FileNotes, Inventory};
use read::{Found, Stop};

/// Pages or entries read ahead of the consumer.
const READ_AHEAD: usize = 2;

/// A folder of files as a cluster. What it holds is counted once, and again when a file changes;
/// each listing then reads the files that hold its kind.
#[derive(Debug)]
pub struct DumpCluster {
    folder: PathBuf,
    inventory: Mutex<Option<(Vec<Entry>, Arc<Inventory>)>>,
}

impl DumpCluster {
    /// A folder that exists and holds at least one file.
    pub fn open(folder: impl AsRef<Path>) -> PortResult<Self> {
        let folder = folder.as_ref();
        let attempted = || format!("open dump {}", folder.display());
        let entries = files::below(folder).map_err(|error| PortError::never_will(attempted(), error))?;
        if entries.is_empty() {
            return Err(PortError::never_will(attempted(), anyhow!("the folder holds no files")));
        }
        Ok(Self { folder: folder.to_owned(), inventory: Mutex::new(None) })
    }

    /// What the folder holds now. Kinds that are listed at once share the one that is taken first.
    async fn inventory(&self, kind: Kind) -> Result<Arc<Inventory>, ClusterError> {
        let unavailable = |source: anyhow::Error| ClusterError::Unavailable { kind, source };
        let mut known = self.inventory.lock().await;
        let folder = self.folder.clone();
        let entries = tokio::task::spawn_blocking(move || files::below(&folder))
            .await
            .map_err(|error| unavailable(error.into()))?
            .with_context(|| format!("look into {}", self.folder.display()))
            .map_err(unavailable)?;
        if let Some((seen, inventory)) = &*known
            && *seen == entries
        {
            return Ok(Arc::clone(inventory));
        }
        let to_count = entries.clone();
        let inventory = tokio::task::spawn_blocking(move || Arc::new(Inventory::take(to_count)))
            .await
            .map_err(|error| unavailable(error.into()))?;
        *known = Some((entries, Arc::clone(&inventory)));
        Ok(inventory)
    }
}

#[async_trait]
impl Cluster for DumpCluster {
    async fn list(&self, kind: Kind, _at: Timestamp) -> Result<Listing, ClusterError> {
        let inventory = self.inventory(kind).await?;
        if kind == Kind::Clusters {
            // No version is taken from the nodes: their kubelets may lag behind the control plane.
            return Ok(listing::of_one(inventory.cluster.clone().unwrap_or_else(super::cluster_object::unknown)));
        }
        let files = inventory.files.iter().filter(|notes| notes.objects(kind) > 0).cloned().collect();
        Ok(Listing {
            api_version: inventory.api_version(kind),
            resource_version: String::new(),
            known_gaps: inventory.known_gaps(kind),
            pages: read_ahead(kind, move |pages| list_files(kind, files, pages)),
        })
    }

    async fn audit_entries(&self) -> Result<BoxStream<'static, Result<SourceAudit, ClusterError>>, ClusterError> {
        let inventory = self.inventory(Kind::Unreadable).await?;
        let files = inventory.files.iter().filter(|notes| notes.audits > 0).cloned().collect();
        Ok(read_ahead(Kind::Unreadable, move |entries| audit_files(files, entries)))
    }
}

/// Runs a reader on a thread for blocking work; what it sends is read a little ahead. A reader that
/// panics ends the stream with an error, not as if it were done.
fn read_ahead<T: Send + 'static>(
    kind: Kind,
    read: impl FnOnce(&mpsc::Sender<Result<T, ClusterError>>) + Send + 'static,
) -> BoxStream<'static, Result<T, ClusterError>> {
    let reading = Reading::NotStarted(read);
    futures::stream::unfold(Some(reading), move |reading| async move {
        let (mut receiver, reader) = match reading? {
            Reading::NotStarted(read) => {
                let (sender, receiver) = mpsc::channel(READ_AHEAD);
                (receiver, tokio::task::spawn_blocking(move || read(&sender)))
            }
            Reading::Started(receiver, reader) => (receiver, reader),
        };
        if let Some(item) = receiver.recv().await {
            return Some((item, Some(Reading::Started(receiver, reader))));
        }
        let error = reader.await.err()?;
        Some((Err(ClusterError::Unavailable { kind, source: error.into() }), None))
    })
    .boxed()
}

/// A reader and what it sends; it starts when the first item is asked for.
enum Reading<T, F> {
    NotStarted(F),
    Started(mpsc::Receiver<T>, tokio::task::JoinHandle<()>),
}

/// Sends the objects of one kind, page by page.
fn list_files(kind: Kind, files: Vec<Arc<FileNotes>>, pages: &mpsc::Sender<Result<KindPage, ClusterError>>) {
    let mut pager = Pager::default();
    for notes in files {
        let mut count = 0;
        let read = read::read(&notes.entry, notes.late.as_ref(), &mut |found| {
            let object = match found {
                Found::Object { kind: found, bytes, .. } if found == kind => RawObject::Json(bytes),
                Found::Unreadable { place, reason, .. } if kind == Kind::Unreadable => {
                    RawObject::Unreadable { place, reason }
                }
                _ => return ControlFlow::Continue(()),
            };
            count += 1;
            pager.push(object);
            while let Some(page) = pager.full() {
                if pages.blocking_send(Ok(page)).is_err() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        match read {
            Err(Stop::Broken) => return,
            Ok(()) if count == notes.objects(kind) => {}
            _ => return report(pages, changed(kind, &notes)),
        }
    }
    if let Some(page) = pager.any() {
        report(pages, Ok(page));
    }
}

/// Sends the audit entries one by one.
fn audit_files(files: Vec<Arc<FileNotes>>, entries: &mpsc::Sender<Result<SourceAudit, ClusterError>>) {
    for notes in files {
        let mut count = 0;
        let read = read::read(&notes.entry, notes.late.as_ref(), &mut |found| {
            let Found::Audit(entry) = found else { return ControlFlow::Continue(()) };
            count += 1;
            match entries.blocking_send(Ok(SourceAudit { file: notes.entry.name.clone(), entry })) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        match read {
            Err(Stop::Broken) => return,
            Ok(()) if count == notes.audits => {}
            _ => return report(entries, changed(Kind::Unreadable, &notes)),
        }
    }
}

/// A file gave another number of objects than when it was counted.
fn changed<T>(kind: Kind, notes: &FileNotes) -> Result<T, ClusterError> {
    let source = anyhow!("{} changed while the dump was read", notes.entry.name);
    Err(ClusterError::Unavailable { kind, source })
}

fn report<T>(sender: &mpsc::Sender<T>, last: T) {
    if sender.blocking_send(last).is_err() {
        tracing::debug!("the listing was left before its end");
    }
}
