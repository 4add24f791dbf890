//! From pages of objects to raw parts: redacted, one object a line, gzip, bounded in size.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use platform::ports::{Kind, KindPage, RawObject};
use schemas::manifest::{Unreadable, UnreadableLine};

use crate::config::{Config, ExcludedNamespaces};
use crate::redaction::{FieldNames, NotAnObject, redact, redact_document};

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

/// What is not stored besides what never is.
#[derive(Debug, Clone)]
pub(crate) struct LeftOut {
    namespaces: Arc<ExcludedNamespaces>,
    /// Of documents.
    fields: Arc<FieldNames>,
}

impl LeftOut {
    pub(crate) fn of(config: &Config) -> Self {
        let namespaces = Arc::new(config.excluded_namespaces.clone());
        Self { namespaces, fields: Arc::new(config.redacted_fields.clone()) }
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

impl Counts {
    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_add(other.objects),
            excluded: self.excluded.saturating_add(other.excluded),
            unreadable: self.unreadable.saturating_add(other.unreadable),
        }
    }
}

/// Turns the pages of one list into parts. It holds one part and one line, whatever the list's
/// length.
pub(crate) struct PartWriter {
    kind: Kind,
    left_out: LeftOut,
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
    pub(crate) fn new(kind: Kind, left_out: LeftOut, bounds: PartBounds) -> Self {
        Self { kind, left_out, bounds, open: None, line: Vec::new(), counts: Counts::default() }
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
            RawObject::Json(json) => match self.redact(&json) {
                Ok(false) => {}
                Ok(true) => {
                    self.counts.excluded += 1;
                    return Ok(false);
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

    /// Writes the redacted object; says whether its namespace is excluded.
    fn redact(&mut self, json: &[u8]) -> Result<bool, NotAnObject> {
        if self.kind == Kind::Documents {
            return redact_document(json, &self.left_out.fields, &mut self.line).map(|()| false);
        }
        let identity = redact(json, &mut self.line)?;
        let namespace = identity.namespace.as_deref().filter(|_| self.kind.namespaced());
        Ok(namespace.is_some_and(|namespace| self.left_out.namespaces.contains(namespace)))
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
