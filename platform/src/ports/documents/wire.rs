//! The wire form of documents: one JSON object that keeps every type, and that people can query.
//!
//! ```json
//! {"name": "projects/P/databases/D/documents/apis/a", "createTime": "…", "updateTime": "…", "data": {…}}
//! ```
//!
//! In `data` null, true, false, text, arrays and maps are what JSON has for them. A whole number is
//! a JSON number without a point or an exponent, a floating-point number one with either. What JSON
//! lacks, or what its readers get wrong, is an object with one member:
//!
//! | member | value |
//! |---|---|
//! | `$integer` | a whole number beyond ±(2⁵³ − 1), as text |
//! | `$double` | `"NaN"`, `"Infinity"` or `"-Infinity"` |
//! | `$timestamp` | RFC 3339 with `Z`, as many digits as needed |
//! | `$bytes` | base64 with padding |
//! | `$reference` | full name of a document |
//! | `$geoPoint` | `{"latitude": …, "longitude": …}`, in degrees |
//!
//! The name of a field that begins with `$` has one `$` more, so that no map can be taken for one
//! of these. `docs/documents.md` tells the same to who queries.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

use super::{Document, Fields, InvalidName, Moment, NotAMoment};

pub(crate) use decode::decode_fields;
pub use decode::decode_value;

/// Arrays and maps within each other in a document, at most. Firestore allows 20.
pub const MAX_DOCUMENT_DEPTH: usize = 32;
/// Largest document in its wire form, in bytes. Firestore allows 1 MiB as it counts; escapes and
/// base64 make that longer.
pub const MAX_DOCUMENT_BYTES: usize = 8 << 20;

/// Whole numbers up to here, either way from zero, are JSON numbers: what every reader of JSON
/// keeps exactly (RFC 8259, section 6).
const MAX_PLAIN_INTEGER: i64 = (1 << 53) - 1;
/// What the names of all special members begin with.
const MARK: char = '$';
const INTEGER: &str = "$integer";
const DOUBLE: &str = "$double";
const TIMESTAMP: &str = "$timestamp";
const BYTES: &str = "$bytes";
const REFERENCE: &str = "$reference";
const GEO_POINT: &str = "$geoPoint";
/// Every special member.
const SPECIAL: [&str; 6] = [INTEGER, DOUBLE, TIMESTAMP, BYTES, REFERENCE, GEO_POINT];
const NAN: &str = "NaN";
const INFINITY: &str = "Infinity";
const MINUS_INFINITY: &str = "-Infinity";

/// A document that has no wire form, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Arrays and maps lie too deep within each other.
    #[error("it is nested more than {MAX_DOCUMENT_DEPTH} levels deep")]
    TooDeep,
    /// It is too large.
    #[error("it has more than the {MAX_DOCUMENT_BYTES} bytes a document may have")]
    TooLarge,
    /// It is no JSON, or not of the form.
    #[error("{place}: {reason}")]
    Form {
        /// Where: names of fields and positions, joined by dots.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// It has no usable name.
    #[error("name: {0}")]
    Name(#[from] InvalidName),
    /// One of its times is none.
    #[error("{member}: {source}")]
    Time {
        /// `createTime` or `updateTime`.
        member: &'static str,
        /// What it is not.
        source: NotAMoment,
    },
}

/// A document in its wire form, read as far as its name: its fields stay as written.
#[derive(Debug, Clone)]
pub struct WireDocument<'a> {
    /// Its full name.
    pub name: super::DocumentName,
    /// When it was created, where the source knows.
    pub create_time: Option<Moment>,
    /// When it was last written, where the source knows.
    pub update_time: Option<Moment>,
    /// Its fields, an object of the form.
    pub data: &'a RawValue,
}

impl<'a> WireDocument<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// For JSON that is no document; values of fields are not looked at.
    pub fn read(json: &'a str) -> Result<Self, WireError> {
        decode::head(json)
    }

    /// The document with all its values.
    ///
    /// # Errors
    /// For a field whose value is not of the form.
    pub fn document(self) -> Result<Document, WireError> {
        let fields: Fields = decode_fields(self.data)?;
        Ok(Document { name: self.name, create_time: self.create_time, update_time: self.update_time, fields })
    }
}

impl Document {
    /// Its wire form: one line without white space, the same bytes for the same document.
    ///
    /// # Errors
    /// [`WireError::TooDeep`] and [`WireError::TooLarge`].
    pub fn to_wire(&self) -> Result<Vec<u8>, WireError> {
        encode::document(self)
    }
}
