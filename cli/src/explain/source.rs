//! The files to explain, as often as they are needed.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::MAX_FILE_BYTES;

/// A file that could not be read.
#[derive(Debug)]
pub struct UnreadableFile {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl std::fmt::Display for UnreadableFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: cannot be read: {}", self.path.display(), self.error)
    }
}

/// A file that was opened.
pub(super) struct Source {
    path: PathBuf,
    /// What was read of something that can be read only once, such as a pipe.
    kept: Option<Vec<u8>>,
}

/// Opens files; what cannot be opened is told apart.
pub(super) fn open(files: &[PathBuf]) -> (Vec<Source>, Vec<UnreadableFile>) {
    let mut sources = Vec::new();
    let mut unreadable = Vec::new();
    for path in files {
        let opened = std::fs::metadata(path).and_then(|about| match (about.is_file(), about.is_dir()) {
            (true, _) => std::fs::File::open(path).map(|_| None),
            (_, true) => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            _ => read(path).map(Some),
        });
        match opened {
            Ok(kept) => sources.push(Source { path: path.clone(), kept }),
            Err(error) => unreadable.push(UnreadableFile { path: path.clone(), error }),
        }
    }
    (sources, unreadable)
}

/// Reads a file, no more than the bound and a byte of it: who reads the bytes sees that it is over.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Source {
    /// The bytes as they are in the file.
    pub(super) fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        match &self.kept {
            Some(kept) => Ok(Cow::Borrowed(kept)),
            None => read(&self.path).map(Cow::Owned),
        }
    }

    /// The file, as it was given.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}
