//! From pages of objects to raw parts: redacted, one object a line, gzip, bounded in size.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use platform::ports::{Kind, KindPage, RawObject};
use schemas::manifest::{Unreadable, UnreadableLine};

use crate::config::{Config, ExcludedNamespaces};
use crate::redaction::redact;

/// Characters of a place or a reason that are kept.
const LONGEST_SENTENCE: usize = 1_000;

/// Bounds of one part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartBounds {
    /// Objects, at most.
    objects: i64,
    /// Compressed bytes at which it is closed.
    bytes: usize,
    level: Compression,
}

impl PartBounds {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            objects: config.snapshot_part_objects.into(),
            bytes: config.snapshot_part_bytes,
            level: Compression::new(config.snapshot_gzip_level),
        }
    }
}

/// A part that is ready to be stored.
#[derive(Debug)]
pub(crate) struct ClosedPart {
    /// NDJSON, gzip.
    pub(crate) body: Bytes,
    /// Lines in it.
    pub(crate) object_count: i64,
}

/// What became of the objects of one list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Stored, unreadable ones included.
    pub(crate) objects: i64,
    /// Left out because of their namespace.
    pub(crate) excluded: i64,
    /// Stored as a line that says why there is no object.
    pub(crate) unreadable: i64,
}

/// Turns the pages of one list into parts. It holds one part and one line, whatever the list's
/// length.
pub(crate) struct PartWriter {
    kind: Kind,
    excluded: std::sync::Arc<ExcludedNamespaces>,
    bounds: PartBounds,
    open: Option<OpenPart>,
    line: Vec<u8>,
    counts: Counts,
}

struct OpenPart {
    gzip: GzEncoder<Vec<u8>>,
    object_count: i64,
}

impl PartWriter {
    pub(crate) fn new(kind: Kind, excluded: std::sync::Arc<ExcludedNamespaces>, bounds: PartBounds) -> Self {
        Self { kind, excluded, bounds, open: None, line: Vec::new(), counts: Counts::default() }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Adds a page; gives the parts it closed.
    pub(crate) fn page(&mut self, page: KindPage) -> std::io::Result<Vec<ClosedPart>> {
        let mut closed = Vec::new();
        for object in page.objects {
            if self.add(object)? {
                closed.extend(self.close()?);
            }
        }
        Ok(closed)
    }

    /// Closes the last part; gives an empty one where there was none and one `must_exist`.
    pub(crate) fn finish(mut self, must_exist: bool) -> std::io::Result<Option<ClosedPart>> {
        if must_exist && self.open.is_none() {
            self.open = Some(OpenPart::new(self.bounds.level));
        }
        self.close()
    }

    /// Adds one object; says whether the part is full now.
    fn add(&mut self, object: RawObject) -> std::io::Result<bool> {
        self.line.clear();
        match object {
            RawObject::Json(json) => match redact(&json, &mut self.line) {
                Ok(identity) => {
                    let namespace = identity.namespace.as_deref().filter(|_| self.kind.namespaced());
                    if namespace.is_some_and(|namespace| self.excluded.contains(namespace)) {
                        self.counts.excluded += 1;
                        return Ok(false);
                    }
                }
                Err(error) => {
                    let position = self.counts.objects + self.counts.excluded;
                    self.unreadable(format!("item {position} of {}", self.kind), error.to_string())?;
                }
            },
            RawObject::Unreadable { place, reason } => self.unreadable(place, reason)?,
        }
        self.line.push(b'\n');
        self.counts.objects += 1;
        let part = self.open.get_or_insert_with(|| OpenPart::new(self.bounds.level));
        part.gzip.write_all(&self.line)?;
        part.object_count += 1;
        Ok(part.object_count >= self.bounds.objects || part.gzip.get_ref().len() >= self.bounds.bytes)
    }

    /// Writes the line that stands for an object nobody could read.
    fn unreadable(&mut self, place: String, reason: String) -> std::io::Result<()> {
        let shortened = |text: String| text.chars().take(LONGEST_SENTENCE).collect();
        let unreadable = Unreadable { place: shortened(place), reason: shortened(reason) };
        serde_json::to_writer(&mut self.line, &UnreadableLine { unreadable })?;
        self.counts.unreadable += 1;
        Ok(())
    }

    fn close(&mut self) -> std::io::Result<Option<ClosedPart>> {
        let Some(OpenPart { gzip, object_count }) = self.open.take() else { return Ok(None) };
        Ok(Some(ClosedPart { body: gzip.finish()?.into(), object_count }))
    }
}

impl OpenPart {
    fn new(level: Compression) -> Self {
        Self { gzip: GzEncoder::new(Vec::new(), level), object_count: 0 }
    }
}
