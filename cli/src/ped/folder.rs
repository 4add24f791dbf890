//! PED files under folders.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{MAX_FILE_BYTES, Mapping, PedDocument, read_with};

/// Deepest folder that is walked into.
const MAX_FOLDER_DEPTH: usize = 16;
/// Most files that are read.
const MAX_FILES: usize = 10_000;
/// Endings of the files that are read in folders; a file that is named itself may end in anything.
const ENDINGS: &[&str] = &["yaml", "yml", "json"];

/// What paths hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PedFiles {
    /// Declarations, in the order of files and documents; no workload twice.
    pub documents: Vec<FoundPed>,
    /// What was refused; the rest is not affected.
    pub rejected: Vec<Rejected>,
}

/// A declaration and the file it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPed {
    /// The file.
    pub file: PathBuf,
    /// The declaration.
    pub document: PedDocument,
}

/// A file, or a document of one, that was refused.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// The file.
    pub file: String,
    /// The line of the first thing that is wrong, from 1, where it is one line.
    pub line: Option<usize>,
    /// Why, with file, line and field.
    pub reason: String,
}

/// Reads files, and the PED files under folders (`.yaml`, `.yml`, `.json`; hidden ones are left
/// out), in order of their names. What cannot be read is a rejected entry, not a failure. Where two
/// documents declare one workload both are rejected: nobody could say which of them is meant.
pub fn read_paths(paths: &[PathBuf], mapping: Option<&Mapping>) -> PedFiles {
    let mut read = PedFiles::default();
    let mut files = Vec::new();
    for path in paths {
        walk(path, 0, &mut files, &mut read.rejected);
    }
    for file in &files {
        read_file(file, mapping, &mut read);
    }
    reject_twice_declared(&mut read);
    read
}

/// Collects the files under a path.
fn walk(path: &Path, depth: usize, files: &mut Vec<PathBuf>, rejected: &mut Vec<Rejected>) {
    let mut reject = |path: &Path, reason: String| {
        let file = path.display().to_string();
        let reason = format!("{file}: {reason}");
        rejected.push(Rejected { file, line: None, reason });
    };
    let entries = match std::fs::metadata(path) {
        Ok(about) if !about.is_dir() => {
            let reason = || format!("more than {MAX_FILES} files, this one was not read");
            if files.len() < MAX_FILES {
                files.push(path.to_owned())
            } else {
                reject(path, reason())
            }
            return;
        }
        Ok(_) if depth >= MAX_FOLDER_DEPTH => {
            return reject(path, format!("folder deeper than {MAX_FOLDER_DEPTH}, not read"));
        }
        Ok(_) => std::fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>()),
        Err(error) => Err(error),
    };
    let mut entries: Vec<PathBuf> = match entries {
        Ok(entries) => entries.iter().map(std::fs::DirEntry::path).collect(),
        Err(error) => return reject(path, format!("cannot be read: {error}")),
    };
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let known = entry.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known));
        if !hidden && (known || entry.is_dir()) {
            walk(&entry, depth + 1, files, rejected);
        }
    }
}

/// Reads one file's documents.
fn read_file(path: &Path, mapping: Option<&Mapping>, read: &mut PedFiles) {
    let file = path.display().to_string();
    match text_of(path) {
        Ok(text) => {
            for document in read_with(&text, &file, mapping) {
                match document {
                    Ok(document) => read.documents.push(FoundPed { file: path.to_owned(), document }),
                    Err(error) => {
                        let line = error.problems.first().map(|problem| problem.line);
                        read.rejected.push(Rejected { file: file.clone(), line, reason: error.to_string() });
                    }
                }
            }
        }
        Err(error) => {
            let reason = format!("{file}: cannot be read: {error}");
            read.rejected.push(Rejected { file, line: None, reason });
        }
    }
}

/// A file's text; of one over the bound no more than shows that it is.
pub(super) fn text_of(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("not UTF-8"))
}

/// Moves documents that declare one workload more than once to the rejected ones.
fn reject_twice_declared(read: &mut PedFiles) {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for found in &read.documents {
        places.entry(found.document.workload()).or_default().push(found.document.place());
    }
    places.retain(|_, places| places.len() > 1);
    let (kept, refused) = std::mem::take(&mut read.documents)
        .into_iter()
        .partition::<Vec<_>, _>(|found| !places.contains_key(&found.document.workload()));
    read.documents = kept;
    for FoundPed { document, .. } in refused {
        let workload = document.workload();
        let all = places.get(&workload).map(|places| places.join(" and ")).unwrap_or_default();
        let reason = format!("{}: {workload} is declared more than once: in {all}", document.place());
        read.rejected.push(Rejected { file: document.file, line: Some(document.line), reason });
    }
}
