//! Listing: a walk over the folders that can hold keys of a prefix.

use std::fs::DirEntry;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use super::generations;
use super::path::{self, Name};
use crate::ports::ObjectMeta;

/// The objects under `root` whose keys start with the prefix, sorted.
pub(super) fn list(root: &Path, prefix: &str) -> Result<Vec<ObjectMeta>> {
    let (start, key) = match prefix.rsplit_once('/') {
        None => (PathBuf::new(), String::new()),
        Some((folders, _)) => match path::of_prefix(folders) {
            None => return Ok(Vec::new()),
            Some(start) => (start, format!("{folders}/")),
        },
    };
    let mut found = Vec::new();
    let mut open = vec![Place { path: start, key, encoded: String::new() }];
    while let Some(place) = open.pop() {
        let entries = match std::fs::read_dir(root.join(&place.path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            place.visit(&entry?, prefix, &mut open, &mut found)?;
        }
    }
    found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    // A file that was replaced during the walk may have been seen twice.
    found.dedup_by(|a, b| a.key == b.key);
    Ok(found)
}

/// A folder to look into.
struct Place {
    /// From the root.
    path: PathBuf,
    /// Whole segments so far, with the slash after them.
    key: String,
    /// Pieces so far of a segment that goes on below.
    encoded: String,
}

impl Place {
    fn visit(&self, entry: &DirEntry, prefix: &str, open: &mut Vec<Self>, found: &mut Vec<ObjectMeta>) -> Result<()> {
        let name = entry.file_name();
        // What the store did not write is left alone: own names are ASCII and start with no dot.
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { return Ok(()) };
        let path = self.path.join(name);
        match path::read_name(name, entry.file_type()?.is_dir()) {
            None => {}
            Some(Name::Continued(piece)) => {
                open.push(Self { path, key: self.key.clone(), encoded: format!("{}{piece}", self.encoded) });
            }
            Some(Name::Folder(piece)) => {
                if let Some(segment) = path::decode(&format!("{}{piece}", self.encoded)) {
                    let key = format!("{}{segment}/", self.key);
                    if key.starts_with(prefix) || prefix.starts_with(&key) {
                        open.push(Self { path, key, encoded: String::new() });
                    }
                }
            }
            Some(Name::Object(piece)) => {
                let key = path::decode(&format!("{}{piece}", self.encoded)).map(|last| format!("{}{last}", self.key));
                if let Some(key) = key.filter(|key| key.starts_with(prefix) && path::is_canonical(key, &path)) {
                    found.extend(meta(entry, key)?);
                }
            }
        }
        Ok(())
    }
}

/// None for an object that was removed meanwhile.
fn meta(entry: &DirEntry, key: String) -> Result<Option<ObjectMeta>> {
    match entry.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        metadata => {
            let metadata = metadata?;
            Ok(Some(ObjectMeta { key, size: metadata.len(), generation: generations::of(&metadata)? }))
        }
    }
}
