//! The data directory: where the embedded adapters keep everything, and who may use it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Version of the directory's layout. A directory written by a newer version is not opened.
const FORMAT: u32 = 1;

/// A directory holding `broker.db`, `warehouse.db` and `objects/`.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

/// Proof that no other `podledger up` runs on the directory; released when dropped, also when the
/// process is killed.
#[derive(Debug)]
pub struct UpLock {
    _file: File,
}

impl DataDir {
    /// Opens a data directory, making it when it is not there.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("data directory {}: cannot be made", path.display()))?;
        let format = path.join("format");
        match std::fs::read_to_string(&format) {
            Ok(text) => check_format(path, text.trim())?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => write_format(path, &format)?,
            Err(error) => return Err(error).with_context(|| format!("{}: cannot be read", format.display())),
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Opens a data directory that must be there already.
    pub fn existing(path: &Path) -> Result<Self> {
        if !path.join("format").exists() {
            bail!("{} is not a data directory: run `podledger up` first, or name another one with --data", path.display());
        }
        Self::open(path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Address of the broker in it.
    pub fn broker(&self) -> String {
        format!("sqlite:{}", self.path.join("broker.db").display())
    }

    /// Address of the objects in it.
    pub fn objects(&self) -> String {
        format!("file:{}", self.path.join("objects").display())
    }

    /// Address of the warehouse in it.
    pub fn warehouse(&self) -> String {
        format!("sqlite:{}", self.path.join("warehouse.db").display())
    }

    /// Keeps every other `podledger up` off the directory.
    pub fn lock(&self) -> Result<UpLock> {
        let path = self.path.join("up.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("{}: cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                file.rewind()?;
                write!(file, "{}", std::process::id())?;
                Ok(UpLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.take(32).read_to_string(&mut holder)?;
                bail!(
                    "data directory {} is in use by another `podledger up` (process {})",
                    self.path.display(),
                    holder.trim()
                )
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{}: cannot be locked", path.display())),
        }
    }
}

/// Refuses what a newer version wrote, and what is no version at all.
fn check_format(path: &Path, text: &str) -> Result<()> {
    match text.parse::<u32>() {
        Ok(FORMAT) => Ok(()),
        Ok(newer) if newer > FORMAT => bail!(
            "data directory {} has format {newer}, written by a newer podledger; this one knows up to {FORMAT}",
            path.display()
        ),
        _ => bail!("data directory {}: its `format` file says {text:?}, expected {FORMAT}", path.display()),
    }
}

/// Marks a directory as ours; one that holds something else is left alone.
fn write_format(path: &Path, format: &Path) -> Result<()> {
    let foreign = std::fs::read_dir(path)
        .with_context(|| format!("data directory {}: cannot be listed", path.display()))?
        .next()
        .transpose()?;
    if let Some(entry) = foreign {
        bail!(
            "{} is not a data directory and not empty (it holds {}): name another one with --data",
            path.display(),
            entry.file_name().to_string_lossy()
        );
    }
    // Written under another name first: a crash leaves no half-written mark.
    let temporary = path.join("format.new");
    std::fs::write(&temporary, format!("{FORMAT}\n"))
        .and_then(|()| std::fs::rename(&temporary, format))
        .with_context(|| format!("{}: cannot be written", format.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("format"), "2\n").unwrap();
        let error = DataDir::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("format 2") && error.contains("newer"), "{error}");
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("letter.txt"), "x").unwrap();
        assert!(DataDir::open(folder.path()).unwrap_err().to_string().contains("letter.txt"));
        assert!(DataDir::existing(folder.path()).is_err());
    }

    #[test]
    fn two_ups_do_not_share_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let lock = data.lock().unwrap();
        let error = data.lock().unwrap_err().to_string();
        assert!(error.contains("in use") && error.contains(&std::process::id().to_string()), "{error}");
        drop(lock);
        data.lock().unwrap();
    }
}
