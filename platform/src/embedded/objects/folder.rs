//! Folders that survive a power cut, and the store's own ones.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::generations;
use crate::ports::Generation;

/// Says what the folder is and how it is laid out.
const FORMAT_FILE: &str = ".podledger-objects";
/// The layout written and read here.
const FORMAT: u32 = 1;
/// Unfinished writes.
const STAGING: &str = ".staging";
/// Locks and the last generations.
const LOCKS: &str = ".locks";
/// An unfinished write nobody touched for so long is a killed writer's.
const LEFT_OVER_AFTER: Duration = Duration::from_secs(60 * 60);
/// A moment with microseconds, to see whether the file system keeps them.
const PROBE: Generation = Generation(1_700_000_000_123_457);
/// Folders remembered as safe; over that they are flushed again.
const MAX_REMEMBERED: usize = 10_000;

/// The store's folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
    /// Folders whose entry in their parent is known to be on disk.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    /// Opens or creates it. The inner error says why it is not ours to use.
    pub(super) fn open(root: &Path) -> Result<std::result::Result<Self, String>> {
        std::fs::create_dir_all(root)?;
        for own in [STAGING, LOCKS] {
            std::fs::create_dir_all(root.join(own))?;
        }
        let folder = Self { root: root.to_owned(), durable: Mutex::default() };
        folder.probe()?;
        if let Err(reason) = folder.check_format()? {
            return Ok(Err(reason));
        }
        folder.remove_left_overs()?;
        sync(root)?;
        Ok(Ok(folder))
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.root.join(STAGING)
    }

    pub(super) fn locks(&self) -> PathBuf {
        self.root.join(LOCKS)
    }

    /// Creates the folders of an object, each safe from a power cut before it is used.
    pub(super) fn create_parents(&self, object: &Path) -> Result<()> {
        let Some(parents) = object.parent() else { return Ok(()) };
        let mut path = self.root.clone();
        for name in parents {
            let parent = path.clone();
            path.push(name);
            if self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(&path) {
                continue;
            }
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => sync(&parent)?, // also where it exists: its creator may not have come so far
            }
            let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
            if durable.len() >= MAX_REMEMBERED {
                durable.clear();
            }
            durable.insert(path.clone());
        }
        Ok(())
    }

    fn check_format(&self) -> Result<std::result::Result<(), String>> {
        let path = self.root.join(FORMAT_FILE);
        let file = tempfile::NamedTempFile::new_in(self.staging())?;
        std::fs::write(file.path(), format!("{FORMAT}\n"))?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(Ok(())),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.error),
        }
        let text = std::fs::read_to_string(&path)?;
        Ok(match text.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            Ok(newer) if newer > FORMAT => {
                Err(format!("it has layout {newer}, written by a newer podledger; this one knows up to {FORMAT}"))
            }
            _ => Err(format!("{FORMAT_FILE} holds {:?}, expected {FORMAT}", text.chars().take(20).collect::<String>())),
        })
    }

    /// Generations are modification times: the file system must keep what it is told.
    fn probe(&self) -> Result<()> {
        let file = tempfile::tempfile_in(self.staging())?;
        generations::stamp(&file, PROBE)?;
        let kept = generations::of(&file.metadata()?)?;
        if kept == PROBE {
            return Ok(());
        }
        let reason = "its file system does not keep modification times to the microsecond";
        Err(Error::new(ErrorKind::Unsupported, reason))
    }

    fn remove_left_overs(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.staging())? {
            let entry = entry?;
            let left_over = entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|touched| {
                SystemTime::now().duration_since(touched).is_ok_and(|since| since > LEFT_OVER_AFTER)
            });
            if !left_over {
                continue;
            }
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => tracing::info!(file = %entry.path().display(), "unfinished write of a killed process removed"),
            }
        }
        Ok(())
    }
}

/// Makes a folder's entries safe from a power cut.
pub(super) fn sync(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}
