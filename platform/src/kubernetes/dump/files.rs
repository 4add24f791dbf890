//! The files of a folder, in the order of their paths.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// File of a dump that holds the time it was taken (RFC 3339); it is no object.
pub const TAKEN_AT: &str = "taken-at";
/// Files read of one folder at most.
const FILES_BOUND: usize = 100_000;
/// Folders within folders at most.
const FOLDER_DEPTH_BOUND: usize = 64;

/// What lies in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path below the folder, for people.
    pub(super) name: String,
    /// Its path.
    pub(super) path: PathBuf,
    /// What can be done with it.
    pub(super) content: EntryContent,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryContent {
    /// A regular file: its size in bytes and when it was written, in microseconds since the epoch.
    File { bytes: u64, modified_micros: i128 },
    /// A link that leads out of the folder; it is not followed.
    LinkOutside,
    /// A socket, a pipe or a device; it is not opened.
    Special,
    /// A folder or entry that cannot be looked at.
    Closed(String),
}

/// Everything below a folder. Links that stay inside lead to what is found anyway and are left out,
/// and so are names that begin with one dot (`.git`, `.DS_Store`; a mounted ConfigMap's `..data`
/// begins with two).
pub(super) fn below(root: &Path) -> io::Result<Vec<Entry>> {
    let root = root.canonicalize()?;
    if !root.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a folder"));
    }
    let mut entries = Vec::new();
    gather(&root, &root, 0, &mut entries)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn gather(root: &Path, folder: &Path, depth: usize, entries: &mut Vec<Entry>) -> io::Result<()> {
    for child in fs::read_dir(folder)? {
        let child = child?;
        let file_name = child.file_name();
        let file_name = file_name.to_string_lossy();
        if file_name.starts_with('.') && !file_name.starts_with("..") {
            continue;
        }
        if file_name == TAKEN_AT && folder == root {
            continue;
        }
        if entries.len() >= FILES_BOUND {
            return Err(io::Error::other(format!("it holds more than {FILES_BOUND} files")));
        }
        let path = child.path();
        let content = match look(root, &path) {
            Ok(Looked::Folder) => {
                let deeper = if depth < FOLDER_DEPTH_BOUND {
                    gather(root, &path, depth + 1, entries)
                } else {
                    Err(io::Error::other(format!("it lies deeper than {FOLDER_DEPTH_BOUND} folders")))
                };
                match deeper {
                    Ok(()) => continue,
                    Err(error) => EntryContent::Closed(error.to_string()),
                }
            }
            Ok(Looked::LinkInside) => continue,
            Ok(Looked::Entry(content)) => content,
            Err(error) => EntryContent::Closed(error.to_string()),
        };
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        entries.push(Entry { name, path, content });
    }
    Ok(())
}

enum Looked {
    Folder,
    LinkInside,
    Entry(EntryContent),
}

fn look(root: &Path, path: &Path) -> io::Result<Looked> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    Ok(if kind.is_dir() {
        Looked::Folder
    } else if kind.is_symlink() {
        match path.canonicalize() {
            Ok(target) if target.starts_with(root) => Looked::LinkInside,
            Ok(_) => Looked::Entry(EntryContent::LinkOutside),
            Err(error) => Looked::Entry(EntryContent::Closed(format!("its link leads nowhere: {error}"))),
        }
    } else if kind.is_file() {
        let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).map(|since| since.as_micros());
        let modified_micros = since.ok().and_then(|micros| i128::try_from(micros).ok()).unwrap_or(-1);
        Looked::Entry(EntryContent::File { bytes: metadata.len(), modified_micros })
    } else {
        Looked::Entry(EntryContent::Special)
    })
}
