//! What the pipeline would make of files.
//!
//! Consumes files of any form the pipeline meets: Kubernetes objects and lists, Cloud Logging
//! entries, native audit events, Pub/Sub messages around any of these, PED files; as JSON, JSON
//! lines, YAML, arrays, compressed or not. The form is found by content. Emits NDJSON: rows,
//! messages, rejects and skips. Reads nothing but the files and writes nothing but the lines.

mod envelope;
mod form;
mod item;
mod line;
mod objects;
mod payload;
mod source;

pub use objects::is_collected;
pub use source::UnreadableFile;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use normalizer::audit::AuditContext;
use schemas::{ClusterName, Json, Timestamp};

use crate::ped::Stamp;
use crate::yaml::Limits;

use item::Item;
use line::Lines;
use objects::Owners;

/// Largest file that is read, in bytes, after decompression.
pub const MAX_FILE_BYTES: usize = 256 << 20;
/// Largest YAML document that is read, in bytes: its tree takes several times as much memory.
pub const MAX_YAML_BYTES: usize = 64 << 20;
/// Largest single object, in bytes. etcd bounds objects to 1.5 MiB; a dump may be indented.
pub const MAX_OBJECT_BYTES: usize = 8 << 20;
/// Most lists, envelopes and rule files around an item.
const MAX_WRAPPING: usize = 8;
/// Bounds of one YAML document.
const YAML_LIMITS: Limits = Limits { max_nodes: 4_000_000, max_copied_bytes: 64 << 20 };

/// What files cannot say of themselves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Cluster of rows, and of entries that name none.
    pub cluster: ClusterName,
    /// `observed_at` of rows and `declared_at` of declarations.
    pub at: Timestamp,
    /// Users and service accounts through which changes are meant to come.
    pub pipelines: BTreeSet<String>,
}

impl Default for Options {
    /// Cluster `explain` at the Unix epoch: the same files give the same lines, whenever.
    fn default() -> Self {
        Self { cluster: ClusterName::from("explain"), at: Timestamp::from_seconds(0), pipelines: BTreeSet::new() }
    }
}

impl Options {
    /// What declarations of that file are told of their registration.
    fn stamp(&self, file: &str) -> Stamp {
        let source = serde_json::json!({"repository": null, "path": file, "commit": null});
        Stamp { declared_at: self.at, registered_at: self.at, by: "explain".to_owned(), source: Json::from(source) }
    }

    fn audit(&self) -> AuditContext {
        AuditContext { pipelines: self.pipelines.clone(), ..AuditContext::new(self.cluster.clone()) }
    }
}

/// How explaining ended.
#[derive(Debug)]
pub enum ExitKind {
    /// Every file was read, whatever was in it.
    Fine,
    /// These files could not be read; the others were explained.
    SomeUnreadable(Vec<UnreadableFile>),
}

impl ExitKind {
    /// The process' exit code: 0, or 1 when a file could not be read.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::SomeUnreadable(_) => 1,
        }
    }
}

/// Explains files, one line of NDJSON per row, message, reject or skip. The files are read twice:
/// first for the `ReplicaSets` through which pods belong to Deployments, then for everything.
///
/// # Errors
/// `out` cannot be written. A file that cannot be read is not an error but an [`ExitKind`].
pub fn run(files: &[PathBuf], options: &Options, out: &mut impl Write) -> anyhow::Result<ExitKind> {
    let (sources, unreadable) = source::open(files);
    let mut unreadable = unreadable;
    let mut owners = Owners::default();
    for source in &sources {
        if let Ok(bytes) = source.bytes() {
            item::each(&bytes, &mut |item| {
                if let Item::Object(object) = item {
                    owners.learn(&object);
                }
            });
        }
    }
    let explainer = Explainer { options, audit: options.audit(), owners };
    for source in &sources {
        let file = source.name();
        match source.bytes() {
            Ok(bytes) => {
                let mut lines = Lines::new(out, &file);
                item::each(&bytes, &mut |item| explainer.explain(item, &mut lines));
                lines.finish().with_context(|| format!("explain {file}"))?;
            }
            Err(error) => unreadable.push(UnreadableFile { path: source.path().to_owned(), error }),
        }
    }
    out.flush().context("write the explanation")?;
    Ok(if unreadable.is_empty() { ExitKind::Fine } else { ExitKind::SomeUnreadable(unreadable) })
}

/// What is needed to explain one item.
struct Explainer<'o> {
    options: &'o Options,
    audit: AuditContext,
    owners: Owners,
}

impl Explainer<'_> {
    /// Writes the lines of one item: at least one.
    fn explain(&self, item: Item<'_>, lines: &mut Lines<'_, impl Write>) {
        match item {
            Item::Object(object) => objects::explain(&object, self.options, &self.owners, lines),
            Item::Audit(entry) => payload::audit(entry, &self.audit, lines),
            Item::Ped(document) => payload::ped(&document, &self.options.stamp(lines.file()), lines),
            Item::Skip(reason) => lines.skip(reason),
            Item::Reject(reason) => lines.reject(reason),
        }
        lines.next_item();
    }
}
