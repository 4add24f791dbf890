//! Generations, and the locks under which objects change.
//!
//! A generation is the microsecond an object was written in, moved on where that was given out
//! before; it is the modification time of the object's file, set before the file gets its name. So
//! an object, its size and its generation appear in one step, and a listing reads no file. What was
//! given out last is kept in lock files, each for a share of the keys, so that a generation is
//! never used twice for a key: not after a delete, not by another process, not when the clock is
//! set back.

use std::fs::{File, Metadata};
use std::io::{Error, Result};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use schemas::IdBuilder;

use crate::ports::Generation;

/// Lock files; keys that share one wait for each other.
const SHARDS: u8 = 64;

/// The lock files of one store.
#[derive(Debug)]
pub(super) struct Generations {
    folder: PathBuf,
}

/// A held lock; it is released when dropped, also by a process that is killed.
#[derive(Debug)]
pub(super) struct Locked {
    file: File,
}

impl Generations {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Waits until nobody else changes objects of the key's share.
    pub(super) fn lock(&self, key: &str) -> Result<Locked> {
        let shard = u8::from_str_radix(&IdBuilder::new("shard").part("key", key).finish::<String>()[..2], 16)
            .map_err(Error::other)?
            % SHARDS;
        let path = self.folder.join(format!("{shard:02x}"));
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        Ok(Locked { file })
    }
}

impl Locked {
    /// A generation that no object of these keys ever had.
    pub(super) fn next(&self, current: Option<Generation>) -> Result<Generation> {
        let mut bytes = [0; 8];
        let last = match self.file.read_at(&mut bytes, 0)? {
            8 => u64::from_le_bytes(bytes),
            _ => 0, // new, or its first write was cut short: nothing was given out
        };
        let last = last.max(current.map_or(0, |generation| generation.0));
        let after = last.checked_add(1).ok_or_else(|| Error::other("the lock file's last generation is damaged"))?;
        let generation = micros(SystemTime::now()).max(after);
        self.file.write_all_at(&generation.to_le_bytes(), 0)?;
        Ok(Generation(generation))
    }
}

/// Writes a generation where it is kept.
pub(super) fn stamp(file: &File, generation: Generation) -> Result<()> {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(generation.0));
    file.set_modified(time.ok_or_else(|| Error::other("the generation is out of range"))?)
}

/// The generation of an object's file.
pub(super) fn of(metadata: &Metadata) -> Result<Generation> {
    metadata.modified().map(|time| Generation(micros(time)))
}

/// The generation of the object at a path, if there is one.
pub(super) fn at(path: &Path) -> Result<Option<Generation>> {
    match std::fs::metadata(path) {
        Ok(metadata) => of(&metadata).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_never_given_out_twice_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let generations = Generations::new(folder.path().to_owned());
        let first = generations.lock("k").unwrap().next(None).unwrap();
        let ahead = Generation(first.0 + 3_600_000_000);
        let second = generations.lock("k").unwrap().next(Some(ahead)).unwrap();
        let third = generations.lock("k").unwrap().next(None).unwrap();
        assert!(first < ahead && ahead < second && second < third, "{first:?} {ahead:?} {second:?} {third:?}");
    }
}
