//! One part of one kind: gzip NDJSON in, an Avro file of rows and NDJSON of rejects out. Pure but
//! for the stream it reads.
//!
//! Of several objects with one namespace and name within a part the first that reads is kept, the
//! others are rejected. Across parts nothing is compared: a list of one resource version holds each
//! object once, and only sources made of files could repeat one in another part.

mod lines;
mod rows;

use std::collections::HashSet;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use platform::ports::Kind;
use schemas::manifest::{Unreadable, UnreadableLine};
use schemas::{RejectedRows, RowsError};

use crate::document::Fault;
use crate::map::{self, Reject, Rows, Seat, table_of};
use crate::ownership::Owners;
pub(crate) use lines::{Line, Lines};
use rows::Writer;

/// Longest line read, in bytes: one object. Etcd holds objects of up to 1.5 MiB.
pub const MAX_LINE: usize = 8 << 20;
/// Most bytes of a part once inflated.
pub const MAX_INFLATED: u64 = 1 << 30;
/// Most objects of a part; bounds what rejects and the names seen may take.
pub const MAX_OBJECTS: u64 = 250_000;
/// Longest reason of a rejected row, in bytes.
const MAX_REASON: usize = 1_000;
/// How the line of an object nobody could read starts.
const UNREADABLE: &[u8] = b"{\"podledger.unreadable\"";

/// What was made of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedPart {
    /// The rows, an Avro container file; none where the kind has no table.
    pub rows: Option<Vec<u8>>,
    /// Rows in it.
    pub row_count: u64,
    /// Objects that were read.
    pub object_count: u64,
    /// Rows of `rejected_rows`, one JSON object a line.
    pub rejects: Vec<u8>,
    /// Objects rejected.
    pub reject_count: u64,
}

/// Why a part as a whole cannot be mapped; it never will be.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// It cannot be read to its end, or is larger than the bounds.
    #[error("raw part {object}: {source}")]
    Unreadable {
        /// Its key.
        object: String,
        /// What is wrong.
        source: std::io::Error,
    },
    /// It does not hold what was announced.
    #[error("raw part {object}: it holds {found} objects, {announced} were announced")]
    Count {
        /// Its key.
        object: String,
        /// Lines in it, or as many as were read.
        found: u64,
        /// Objects in its batch.
        announced: u64,
    },
    /// Rows that cannot be written.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A reject that cannot be written.
    #[error("a rejected row: {0}")]
    Reject(#[from] serde_json::Error),
}

/// Where a part is from.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The kind of its objects.
    pub kind: Kind,
    /// Its key.
    pub object: &'a str,
    /// Objects announced for it, unreadable ones included.
    pub object_count: u64,
}

/// Maps a part, as it is stored.
///
/// # Errors
/// [`PartError`]; a single bad object is a reject, never an error.
pub fn map(gzip: impl Read, source: &Source<'_>, seat: &Seat<'_>) -> Result<MappedPart, PartError> {
    let mut part = Part {
        source,
        seat,
        seen: HashSet::new(),
        writer: Writer::new(source.kind)?,
        accepted: 0,
        rejected: 0,
        rejects: Vec::new(),
    };
    let mut lines = Lines::new(MultiGzDecoder::new(gzip), MAX_LINE, MAX_INFLATED);
    let unreadable = |error| PartError::Unreadable { object: source.object.to_owned(), source: error };
    let mut found = 0_u64;
    while let Some(line) = lines.next_line().map_err(unreadable)? {
        found += 1;
        if found > source.object_count {
            return Err(part.miscounted(found));
        }
        part.take(found - 1, line)?;
    }
    if found != source.object_count {
        return Err(part.miscounted(found));
    }
    let row_count = part.writer.count();
    Ok(MappedPart {
        rows: part.writer.finish()?,
        row_count,
        object_count: part.accepted,
        rejects: part.rejects,
        reject_count: part.rejected,
    })
}

/// Learns ownership from a part of `ReplicaSets`. What does not read is skipped: the part's own
/// batch rejects it.
pub(crate) fn learn(gzip: impl Read, owners: &mut Owners, limit: usize) -> std::io::Result<()> {
    let mut lines = Lines::new(MultiGzDecoder::new(gzip), MAX_LINE, MAX_INFLATED);
    while let Some(line) = lines.next_line()? {
        if let Line::Whole(json) = line
            && let Err(reject) = owners.learn(json)
        {
            tracing::debug!(%reject, "replicaset teaches no ownership");
        }
        if owners.len() > limit {
            break;
        }
    }
    Ok(())
}

/// A part on its way.
struct Part<'a> {
    source: &'a Source<'a>,
    seat: &'a Seat<'a>,
    /// Namespaces and names of the objects accepted.
    seen: HashSet<Box<str>>,
    writer: Writer,
    accepted: u64,
    rejected: u64,
    rejects: Vec<u8>,
}

impl Part<'_> {
    /// Takes one line: rows or a reject.
    fn take(&mut self, place: u64, line: Line<'_>) -> Result<(), PartError> {
        match self.decide(line) {
            Ok(rows) => {
                self.writer.push(&rows)?;
                self.accepted += 1;
            }
            Err(reject) => self.reject(place, reject)?,
        }
        Ok(())
    }

    /// The rows of a line, if it is an object that was not seen before.
    fn decide(&mut self, line: Line<'_>) -> Result<Rows, Reject> {
        let kind = self.source.kind;
        let json = match line {
            Line::Whole(json) => json,
            Line::TooLong => {
                let reason = format!("larger than the {MAX_LINE} bytes an object may have");
                return Err(Reject::named(kind, None, &Fault(reason)));
            }
        };
        if json.starts_with(UNREADABLE)
            && let Ok(UnreadableLine { unreadable: Unreadable { place, reason } }) = serde_json::from_slice(json)
        {
            return Err(Reject { object: None, reason: format!("{place}: {reason}") });
        }
        let rows = map::object(kind, json, self.seat)?;
        let (namespace, name) = rows.identity();
        if !self.seen.insert(format!("{namespace}\0{name}").into()) {
            let object = if kind.namespaced() { format!("{namespace}/{name}") } else { name.to_owned() };
            let reason = "it is in this part more than once, the first one is kept".to_owned();
            return Err(Reject::named(kind, Some(object), &Fault(reason)));
        }
        Ok(rows)
    }

    /// Writes a reject.
    fn reject(&mut self, place: u64, reject: Reject) -> Result<(), PartError> {
        let row = RejectedRows {
            cluster: self.seat.cluster.clone(),
            snapshot_id: self.seat.snapshot_id.clone(),
            kind: self.source.kind.name().to_owned(),
            table: table_of(self.source.kind).map(|table| table.name().to_owned()),
            object: reject.object,
            line: i64::try_from(place).ok(),
            reason: bounded(reject.reason),
            raw_object: Some(self.source.object.to_owned()),
            observed_at: self.seat.observed_at,
        };
        serde_json::to_writer(&mut self.rejects, &row)?;
        self.rejects.push(b'\n');
        self.rejected += 1;
        Ok(())
    }

    fn miscounted(&self, found: u64) -> PartError {
        PartError::Count { object: self.source.object.to_owned(), found, announced: self.source.object_count }
    }
}

/// A reason of bounded length.
fn bounded(mut reason: String) -> String {
    if reason.len() > MAX_REASON {
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        reason.push('…');
    }
    reason
}

#[cfg(test)]
mod tests;
