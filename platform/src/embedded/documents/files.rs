//! The files of a folder that hold documents.

use std::io;
use std::path::{Path, PathBuf};

/// Folders within each other, at most.
const MAX_DEPTH: usize = 16;
/// Files of one dump, at most.
const MAX_FILES: usize = 100_000;

/// How a file's values stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One a line.
    Lines,
    /// Any number, with white space between them.
    Values,
}

/// The form a file's name tells, and whether it is compressed; none for other files.
pub(super) fn form(file: &Path) -> Option<(Form, bool)> {
    let name = file.file_name()?.to_str()?;
    let (name, compressed) = name.strip_suffix(".gz").map_or((name, false), |name| (name, true));
    let form = match name.rsplit_once('.')?.1 {
        "ndjson" | "jsonl" => Form::Lines,
        "json" => Form::Values,
        _ => return None,
    };
    Some((form, compressed))
}

/// The files below a folder, by name. Links are not followed, and names that begin with a dot are
/// left out.
pub(super) fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(folder, 0, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        let reason = format!("{}: more than {MAX_DEPTH} folders within each other", folder.display());
        return Err(io::Error::other(reason));
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if kind.is_file() && form(&path).is_some() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(io::Error::other(format!("more than {MAX_FILES} files")));
        }
    }
    Ok(())
}
