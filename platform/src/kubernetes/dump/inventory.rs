//! What a dump holds, counted in one pass: it says which files a listing must read, and whether
//! something is missing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use super::files::Entry;
use super::read::{self, Found, Hides, LateHeads, Stop};
use crate::kubernetes::cluster_object;
use crate::ports::Kind;

/// Gaps that are told in full.
const GAPS_TOLD: usize = 3;
/// Kinds nobody collects that are counted by name.
const UNCOLLECTED_NAMES_BOUND: usize = 1000;

/// One file and what is in it.
#[derive(Debug)]
pub(super) struct FileNotes {
    pub(super) entry: Entry,
    /// Heads that come after their items, where the file has such.
    pub(super) late: Option<LateHeads>,
    /// Objects by kind, unreadable ones included.
    objects: BTreeMap<Kind, u64>,
    /// Audit entries.
    pub(super) audits: u64,
}

impl FileNotes {
    /// Objects of one kind.
    pub(super) fn objects(&self, kind: Kind) -> u64 {
        self.objects.get(&kind).copied().unwrap_or(0)
    }
}

/// What a dump holds.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) files: Vec<Arc<FileNotes>>,
    api_versions: BTreeMap<Kind, ApiVersion>,
    gaps: BTreeMap<Kind, Gaps>,
    /// The object of the cluster itself, if a file says its version.
    pub(super) cluster: Option<Bytes>,
    uncollected: BTreeMap<String, u64>,
}

#[derive(Debug)]
enum ApiVersion {
    One(String),
    Several,
}

#[derive(Debug, Default)]
struct Gaps {
    told: Vec<String>,
    more: u64,
}

impl Inventory {
    /// Looks through all files.
    pub(super) fn take(entries: Vec<Entry>) -> Self {
        let mut inventory = Self::default();
        for entry in entries {
            let notes = inventory.look_through(entry);
            inventory.files.push(Arc::new(notes));
        }
        if !inventory.uncollected.is_empty() {
            tracing::debug!(kinds = ?inventory.uncollected, "kinds in the dump that no snapshot takes");
        }
        inventory
    }

    /// API version of a kind's objects; empty where there are several or none says one.
    pub(super) fn api_version(&self, kind: Kind) -> String {
        match self.api_versions.get(&kind) {
            Some(ApiVersion::One(version)) => version.clone(),
            _ => String::new(),
        }
    }

    /// Why objects of a kind may be missing.
    pub(super) fn known_gaps(&self, kind: Kind) -> Option<String> {
        let gaps = self.gaps.get(&kind)?;
        let more = if gaps.more > 0 { format!("; and {} more", gaps.more) } else { String::new() };
        Some(format!("{}{more}", gaps.told.join("; ")))
    }

    fn look_through(&mut self, entry: Entry) -> FileNotes {
        let mut late = None;
        loop {
            // What one attempt finds counts only when the attempt came to the file's end.
            let mut notes = FileNotes { entry: entry.clone(), late: late.clone(), objects: BTreeMap::new(), audits: 0 };
            let mut seen = Self::default();
            let stop = read::read(&entry, late.as_ref(), &mut |found| {
                seen.note(found, &mut notes);
                ControlFlow::Continue(())
            });
            match stop {
                Err(Stop::NeedsLateHeads) if late.is_none() => late = Some(read::late_heads(&entry)),
                _ => {
                    self.add(seen);
                    return notes;
                }
            }
        }
    }

    fn note(&mut self, found: Found, notes: &mut FileNotes) {
        match found {
            Found::Object { kind, api_version, .. } => {
                *notes.objects.entry(kind).or_default() += 1;
                self.note_api_version(kind, api_version.unwrap_or_default());
            }
            Found::Audit(_) => notes.audits += 1,
            Found::Version(bytes) => match cluster_object::from_version(&bytes, None) {
                Ok(Some(object)) if self.cluster.is_none() => self.cluster = Some(object),
                Ok(_) => {}
                Err(reason) => tracing::warn!(file = notes.entry.name, reason, "what looked like a version is none"),
            },
            Found::Declaration => {}
            Found::Uncollected(kind) => self.note_uncollected(kind, 1),
            Found::Unreadable { place, reason, hides } => {
                *notes.objects.entry(Kind::Unreadable).or_default() += 1;
                let kinds = match hides {
                    Hides::Nothing => &[][..],
                    Hides::Kind(kind) => &[kind],
                    Hides::Anything => Kind::ALL,
                };
                for kind in kinds.iter().filter(|kind| **kind != Kind::Clusters) {
                    self.gaps.entry(*kind).or_default().add(format!("{place}: {reason}"));
                }
            }
        }
    }

    fn note_uncollected(&mut self, kind: String, count: u64) {
        if self.uncollected.len() < UNCOLLECTED_NAMES_BOUND || self.uncollected.contains_key(&kind) {
            *self.uncollected.entry(kind).or_default() += count;
        }
    }

    fn note_api_version(&mut self, kind: Kind, version: String) {
        match self.api_versions.get_mut(&kind) {
            None => {
                self.api_versions.insert(kind, ApiVersion::One(version));
            }
            Some(ApiVersion::One(known)) if *known == version => {}
            Some(known) => *known = ApiVersion::Several,
        }
    }

    fn add(&mut self, seen: Self) {
        for (kind, version) in seen.api_versions {
            match version {
                ApiVersion::One(version) => self.note_api_version(kind, version),
                ApiVersion::Several => {
                    self.api_versions.insert(kind, ApiVersion::Several);
                }
            }
        }
        for (kind, gaps) in seen.gaps {
            let known = self.gaps.entry(kind).or_default();
            known.more += gaps.more;
            gaps.told.into_iter().for_each(|gap| known.add(gap));
        }
        for (kind, count) in seen.uncollected {
            self.note_uncollected(kind, count);
        }
        match (&self.cluster, seen.cluster) {
            (None, found) => self.cluster = found,
            (Some(known), Some(found)) if *known != found => {
                tracing::warn!("files of the dump say different versions of the cluster, the first one counts");
            }
            _ => {}
        }
    }
}

impl Gaps {
    fn add(&mut self, gap: String) {
        if self.told.len() < GAPS_TOLD {
            self.told.push(gap);
        } else {
            self.more += 1;
        }
    }
}
