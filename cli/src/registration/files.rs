//! PED files as declarations, stamped with who, when and which commit.

use std::path::{Path, PathBuf};

use anyhow::Result;
use schemas::{Json, Timestamp};

use super::git::last_commit;
use super::Declared;
use crate::ped;

/// Who declares when it cannot be told.
const NOBODY: &str = "unknown";

/// What the command line says of every file; what it does not say comes from git.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    /// Who.
    pub by: Option<String>,
    /// From when on.
    pub at: Option<Timestamp>,
    /// In which commit.
    pub commit: Option<String>,
}

/// Reads files and folders. Rejected files come with the reason; the others are unharmed.
pub fn read(
    paths: &[PathBuf],
    mapping: Option<&Path>,
    stamps: &Stamps,
    now: Timestamp,
) -> Result<(Vec<Declared>, Vec<ped::Rejected>)> {
    let mapping = mapping.map(ped::Mapping::read).transpose()?;
    let found = ped::read_paths(paths, mapping.as_ref());
    let mut stamped = std::collections::HashMap::new();
    let declared = found
        .documents
        .into_iter()
        .map(|found| {
            let stamp = stamped.entry(found.file.clone()).or_insert_with(|| stamp(&found.file, stamps, now));
            Declared { declaration: found.document.declaration(stamp), file: found.file }
        })
        .collect();
    Ok((declared, found.rejected))
}

/// The stamp of one file.
fn stamp(file: &Path, stamps: &Stamps, now: Timestamp) -> ped::Stamp {
    let commit = last_commit(file);
    let committed_at = commit.as_ref().map(|commit| commit.committed_at);
    let author = commit.as_ref().map(|commit| commit.author.clone());
    ped::Stamp {
        declared_at: stamps.at.or(committed_at).unwrap_or(now),
        registered_at: now,
        by: stamps.by.clone().or(author).unwrap_or_else(|| NOBODY.into()),
        source: Json::from(serde_json::json!({
            "repository": commit.as_ref().and_then(|commit| commit.repository.clone()),
            "path": file.display().to_string(),
            "commit": stamps.commit.clone().or(commit.map(|commit| commit.commit)),
        })),
    }
}
