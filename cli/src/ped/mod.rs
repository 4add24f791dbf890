//! PED files: what teams declare.
//!
//! Consumes YAML, in podledger's own shape or in a team's shape with a [`Mapping`]; emits
//! [`schemas::LimitDeclaration`]s or errors that name file, line, field and the nearest right word. It
//! registers nothing and asks nobody who wrote a file: that is the [`Stamp`]'s.

mod document;
mod field;
mod folder;
mod mapping;
mod names;
mod quantity;
#[cfg(test)]
mod tests;

pub use document::{PedDocument, Stamp};
pub use folder::{FoundPed, PedFiles, Rejected, read_paths};
pub use mapping::Mapping;

pub(crate) use document::read_node;

use crate::yaml::{self, Limits};

/// Largest PED file, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// Smallest and largest limit the platform accepts, in replicas.
pub const REPLICA_RANGE: std::ops::RangeInclusive<i64> = 2..=8;
/// The API version of podledger's own shape.
pub const API_VERSION: &str = "podledger/v1";
/// The kind of podledger's own shape.
pub const KIND: &str = "ReplicaLimit";

/// Bounds of one document: far above what a declaration needs.
pub(crate) const LIMITS: Limits = Limits { max_nodes: 20_000, max_copied_bytes: 4 << 20 };

/// What is wrong with one document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(|problem| format!("{file}:{problem}")).collect::<Vec<_>>().join("; "))]
pub struct PedError {
    /// The file, as it was given.
    pub file: String,
    /// Everything that is wrong, in the order of the fields; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {reason}")]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong, naming the field.
    pub reason: String,
}

impl PedError {
    /// An error of one problem.
    pub(crate) fn one(file: &str, line: usize, column: usize, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), problems: vec![Problem { line, column, reason: reason.into() }] }
    }
}

/// Reads a PED file in podledger's own shape: one result per document.
pub fn read(text: &str, file: &str) -> Vec<Result<PedDocument, PedError>> {
    read_with(text, file, None)
}

/// Reads a PED file: one result per document; a team's shape is read with its mapping. A file
/// without documents, or over [`MAX_FILE_BYTES`], is one error.
pub fn read_with(text: &str, file: &str, mapping: Option<&Mapping>) -> Vec<Result<PedDocument, PedError>> {
    if text.len() > MAX_FILE_BYTES {
        let reason = format!("{} bytes are more than the {MAX_FILE_BYTES} a file may have", text.len());
        return vec![Err(PedError::one(file, 1, 1, reason))];
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    for document in yaml::documents(text.as_bytes()) {
        // Cut at line ends, so that it is text again.
        let part = String::from_utf8_lossy(document.bytes);
        match yaml::parse(&part, document.first_line, LIMITS) {
            Ok(Some(node)) => documents.push(read_node(&node, file, mapping)),
            Ok(None) => {}
            Err(error) => documents.push(Err(PedError::one(file, error.line, error.column, error.reason))),
        }
    }
    if documents.is_empty() {
        documents.push(Err(PedError::one(file, 1, 1, "the file holds no document")));
    }
    documents
}
