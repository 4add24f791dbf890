//! Objects in a folder: one file per object, under a name that looks like its key.
//!
//! A body is written to a file without a name in the store, flushed, and then named in one step:
//! create-only by a link that fails where something is, replacing by a rename under a lock that
//! processes share. A killed writer leaves an unfinished file behind, which is never listed and
//! removed at a later start.

mod failure;
mod folder;
mod generations;
mod listing;
mod path;
#[cfg(test)]
mod tests;

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use crate::ports::{
    ByteStream, Created, Generation, ObjectMeta, Objects, PortError, PortResult, Replaced, StoredObject,
};
use folder::Folder;
use generations::Generations;

/// Permissions of an object's file, less what the process's mask takes away.
const OBJECT_MODE: u32 = 0o666;
/// Bytes read at once.
const READ_BYTES: usize = 128 * 1024;

/// The objects port on a folder. Cheap to clone; several processes may share the folder.
///
/// Folders of deleted objects are left in place. Needs hard links or a rename that does not
/// replace, file locks, and modification times kept to the microsecond; `open` refuses a file
/// system without the last.
#[derive(Debug, Clone)]
pub struct DirObjects {
    store: Arc<Store>,
}

#[derive(Debug)]
struct Store {
    folder: Folder,
    generations: Generations,
}

/// A body on disk that has no name yet; dropping it removes it.
struct Staged {
    file: std::fs::File,
    path: TempPath,
}

impl DirObjects {
    /// Opens the folder, creating it where missing, and removes what killed writers left.
    ///
    /// # Errors
    /// `NeverWill` for a folder with a newer layout, one that may not be written, or one on a file
    /// system that lacks what is needed; `DidNotHappen` for a full disk.
    pub fn open(dir: impl AsRef<Path>) -> PortResult<Self> {
        let dir = dir.as_ref();
        let attempted = format!("open object folder {}", dir.display());
        let folder = Folder::open(dir)
            .map_err(|error| failure::before(&attempted, error))?
            .map_err(|reason| PortError::never_will(&attempted, anyhow::anyhow!("{reason}")))?;
        let generations = Generations::new(folder.locks());
        Ok(Self { store: Arc::new(Store { folder, generations }) })
    }

    /// Checks the key and says what is attempted, for errors.
    fn attempt(&self, verb: &str, key: &str) -> PortResult<String> {
        let place = self.store.folder.root.display();
        match crate::ports::key::check(key) {
            Ok(()) => Ok(format!("{verb} object {key} in {place}")),
            Err(reason) => Err(PortError::never_will(format!("{verb} object in {place}"), anyhow::anyhow!("{reason}"))),
        }
    }

    /// Does file work where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        attempted: String,
        work: impl FnOnce(&Store, &str) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let (store, named) = (Arc::clone(&self.store), attempted.clone());
        match tokio::task::spawn_blocking(move || work(&store, &attempted)).await {
            Ok(result) => result,
            Err(error) => Err(PortError::may_have_happened(named, error)),
        }
    }

    /// Writes a body to a file without a name.
    async fn stage(&self, attempted: &str, mut body: ByteStream) -> PortResult<Staged> {
        let staged = self.blocking(attempted.to_owned(), Store::stage).await?;
        let failed = |error| failure::before(attempted, error);
        let mut file = tokio::fs::File::from_std(staged.file);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| PortError::did_not_happen(attempted, error))?;
            file.write_all(&piece).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        Ok(Staged { file: file.into_std().await, path: staged.path })
    }
}

impl Store {
    fn stage(&self, attempted: &str) -> PortResult<Staged> {
        let staged = tempfile::Builder::new()
            .permissions(Permissions::from_mode(OBJECT_MODE))
            .tempfile_in(self.folder.staging())
            .map_err(|error| failure::before(attempted, error))?;
        let (file, path) = staged.into_parts();
        Ok(Staged { file, path })
    }

    /// Whether an object is there. Where it is, it is made safe: its creator may not have come so
    /// far, and who asks goes on as if it were.
    fn exists(&self, attempted: &str, key: &str) -> PortResult<bool> {
        let relative = path::of_object(key);
        let path = self.folder.root.join(&relative);
        let exists = path.try_exists().and_then(|exists| {
            if exists {
                self.folder.create_parents(&relative)?;
                path.parent().map_or(Ok(()), folder::sync)?;
            }
            Ok(exists)
        });
        exists.map_err(|error| failure::before(attempted, error))
    }

    /// Gives a staged body a generation, and makes it and its folders safe from a power cut.
    fn seal(&self, attempted: &str, key: &str, staged: &Staged) -> PortResult<Generation> {
        let sealed = || {
            let path = path::of_object(key);
            self.folder.create_parents(&path)?;
            let current = generations::at(&self.folder.root.join(path))?;
            let generation = self.generations.lock(key)?.next(current)?;
            generations::stamp(&staged.file, generation)?;
            staged.file.sync_all()?;
            Ok(generation)
        };
        sealed().map_err(|error| failure::before(attempted, error))
    }

    /// Names a staged body, unless something has the name.
    fn create(&self, attempted: &str, key: &str, staged: Staged) -> PortResult<Created> {
        let generation = self.seal(attempted, key, &staged)?;
        let path = self.folder.root.join(path::of_object(key));
        match staged.path.persist_noclobber(&path) {
            Ok(()) => {}
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                sync_parent(attempted, &path)?;
                return Ok(Created::Existed);
            }
            Err(error) => return Err(failure::before(attempted, error.error)),
        }
        sync_parent(attempted, &path)?;
        Ok(Created::New(generation))
    }

    /// Names a staged body in place of the expected version.
    fn replace(&self, attempted: &str, key: &str, expected: Generation, staged: Staged) -> PortResult<Replaced> {
        let failed = |error| failure::before(attempted, error);
        let generation = self.seal(attempted, key, &staged)?;
        let path = self.folder.root.join(path::of_object(key));
        let locked = self.generations.lock(key).map_err(failed)?;
        if generations::at(&path).map_err(failed)? != Some(expected) {
            return Ok(Replaced::LostRace);
        }
        staged.path.persist(&path).map_err(|error| failed(error.error))?;
        drop(locked);
        sync_parent(attempted, &path)?;
        Ok(Replaced::Done(generation))
    }

    fn delete(&self, attempted: &str, key: &str) -> PortResult<()> {
        let failed = |error| failure::before(attempted, error);
        let path = self.folder.root.join(path::of_object(key));
        let locked = self.generations.lock(key).map_err(failed)?;
        let Some(removed) = generations::at(&path).map_err(failed)? else { return Ok(()) };
        // So that what comes after has another generation, also when the clock is set back.
        locked.next(Some(removed)).map_err(failed)?;
        std::fs::remove_file(&path).map_err(failed)?;
        drop(locked);
        sync_parent(attempted, &path)
    }

    fn read(&self, attempted: &str, key: &str) -> PortResult<Option<(std::fs::File, Generation, u64)>> {
        let opened = || -> std::io::Result<_> {
            let file = std::fs::File::open(self.folder.root.join(path::of_object(key)))?;
            let metadata = file.metadata()?;
            Ok((file, generations::of(&metadata)?, metadata.len()))
        };
        match opened() {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure::before(attempted, error)),
        }
    }
}

/// The name is given; only a power cut could still take it back.
fn sync_parent(attempted: &str, path: &Path) -> PortResult<()> {
    path.parent().map_or(Ok(()), folder::sync).map_err(|error| failure::after(attempted, error))
}

#[async_trait]
impl Objects for DirObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        let attempted = self.attempt("create", key)?;
        let wanted = key.to_owned();
        if self.blocking(attempted.clone(), move |store, attempted| store.exists(attempted, &wanted)).await? {
            return Ok(Created::Existed);
        }
        let staged = self.stage(&attempted, body).await?;
        let key = key.to_owned();
        self.blocking(attempted, move |store, attempted| store.create(attempted, &key, staged)).await
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        let attempted = self.attempt("replace", key)?;
        let body: ByteStream = Box::pin(futures::stream::once(async move { Ok(body) }));
        let staged = self.stage(&attempted, body).await?;
        let key = key.to_owned();
        self.blocking(attempted, move |store, attempted| match expected {
            Some(expected) => store.replace(attempted, &key, expected, staged),
            None => match store.create(attempted, &key, staged)? {
                Created::New(generation) => Ok(Replaced::Done(generation)),
                Created::Existed => Ok(Replaced::LostRace),
            },
        })
        .await
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        let attempted = self.attempt("read", key)?;
        let key = key.to_owned();
        let opened = self.blocking(attempted, move |store, attempted| store.read(attempted, &key)).await?;
        Ok(opened.map(|(file, generation, size)| {
            let body = ReaderStream::with_capacity(tokio::fs::File::from_std(file), READ_BYTES);
            StoredObject { generation, size, body: Box::pin(body) }
        }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        let attempted = format!("list objects {prefix:?} in {}", self.store.folder.root.display());
        let prefix = prefix.to_owned();
        self.blocking(attempted, move |store, attempted| {
            listing::list(&store.folder.root, &prefix).map_err(|error| failure::before(attempted, error))
        })
        .await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        let attempted = self.attempt("delete", key)?;
        let key = key.to_owned();
        self.blocking(attempted, move |store, attempted| store.delete(attempted, &key)).await
    }

    async fn ping(&self) -> PortResult<()> {
        let attempted = format!("ask object folder {} for an answer", self.store.folder.root.display());
        self.blocking(attempted, |store, attempted| {
            std::fs::metadata(store.folder.staging()).map(drop).map_err(|error| failure::before(attempted, error))
        })
        .await
    }
}
