//! From a document to its wire form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{
    BYTES, DOUBLE, GEO_POINT, INFINITY, INTEGER, MARK, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MAX_PLAIN_INTEGER,
    MINUS_INFINITY, NAN, REFERENCE, TIMESTAMP, WireError,
};
use crate::ports::{Document, DocumentValue, Fields};

/// Writes a document.
pub(super) fn document(document: &Document) -> Result<Vec<u8>, WireError> {
    let mut line = Line(Vec::new());
    line.push(b"{\"name\":")?;
    line.text(&document.name.to_string())?;
    for (member, time) in [("createTime", document.create_time), ("updateTime", document.update_time)] {
        if let Some(time) = time {
            line.push(b",\"")?;
            line.push(member.as_bytes())?;
            line.push(b"\":")?;
            line.text(&time.to_string())?;
        }
    }
    line.push(b",\"data\":")?;
    line.map(&document.fields, 0)?;
    line.push(b"}")?;
    Ok(line.0)
}

/// What was written, within the bound.
struct Line(Vec<u8>);

impl Line {
    fn push(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if self.0.len().saturating_add(bytes.len()) > MAX_DOCUMENT_BYTES {
            return Err(WireError::TooLarge);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), WireError> {
        if text.len() > MAX_DOCUMENT_BYTES {
            return Err(WireError::TooLarge);
        }
        // Writing text as JSON fails for no text; were it to, the place would say where.
        let json = serde_json::to_string(text).map_err(|error| form(&error))?;
        self.push(json.as_bytes())
    }

    /// An object with one member.
    fn special(&mut self, member: &str, text: &str) -> Result<(), WireError> {
        self.push(b"{\"")?;
        self.push(member.as_bytes())?;
        self.push(b"\":")?;
        self.text(text)?;
        self.push(b"}")
    }

    fn value(&mut self, value: &DocumentValue, depth: usize) -> Result<(), WireError> {
        match value {
            DocumentValue::Null => self.push(b"null"),
            DocumentValue::Bool(true) => self.push(b"true"),
            DocumentValue::Bool(false) => self.push(b"false"),
            DocumentValue::Integer(number) => self.integer(*number),
            DocumentValue::Double(number) => self.double(*number),
            DocumentValue::Time(moment) => self.special(TIMESTAMP, &moment.to_string()),
            DocumentValue::Text(text) => self.text(text),
            DocumentValue::Bytes(bytes) if bytes.len() > MAX_DOCUMENT_BYTES => Err(WireError::TooLarge),
            DocumentValue::Bytes(bytes) => self.special(BYTES, &STANDARD.encode(bytes)),
            DocumentValue::Reference(name) => self.special(REFERENCE, name),
            DocumentValue::GeoPoint { latitude, longitude } => self.geo_point(*latitude, *longitude),
            DocumentValue::Array(values) => self.array(values, depth),
            DocumentValue::Map(fields) => self.map(fields, depth),
        }
    }

    fn integer(&mut self, number: i64) -> Result<(), WireError> {
        match (-MAX_PLAIN_INTEGER..=MAX_PLAIN_INTEGER).contains(&number) {
            true => self.push(number.to_string().as_bytes()),
            false => self.special(INTEGER, &number.to_string()),
        }
    }

    fn double(&mut self, number: f64) -> Result<(), WireError> {
        if number.is_nan() {
            return self.special(DOUBLE, NAN);
        }
        if number.is_infinite() {
            return self.special(DOUBLE, if number.is_sign_positive() { INFINITY } else { MINUS_INFINITY });
        }
        // The shortest text that reads back as the same number, always with a point or an exponent.
        self.push(format!("{number:?}").as_bytes())
    }

    fn geo_point(&mut self, latitude: f64, longitude: f64) -> Result<(), WireError> {
        self.push(b"{\"")?;
        self.push(GEO_POINT.as_bytes())?;
        self.push(b"\":{\"latitude\":")?;
        self.double(latitude)?;
        self.push(b",\"longitude\":")?;
        self.double(longitude)?;
        self.push(b"}}")
    }

    fn array(&mut self, values: &[DocumentValue], depth: usize) -> Result<(), WireError> {
        let depth = deeper(depth)?;
        self.push(b"[")?;
        for (position, value) in values.iter().enumerate() {
            if position > 0 {
                self.push(b",")?;
            }
            self.value(value, depth)?;
        }
        self.push(b"]")
    }

    fn map(&mut self, fields: &Fields, depth: usize) -> Result<(), WireError> {
        let depth = deeper(depth)?;
        self.push(b"{")?;
        for (position, (name, value)) in fields.iter().enumerate() {
            if position > 0 {
                self.push(b",")?;
            }
            match name.starts_with(MARK) {
                true => self.text(&format!("{MARK}{name}"))?,
                false => self.text(name)?,
            }
            self.push(b":")?;
            self.value(value, depth)?;
        }
        self.push(b"}")
    }
}

/// One level further down.
fn deeper(depth: usize) -> Result<usize, WireError> {
    // The document's own fields are the level that does not count.
    if depth > MAX_DOCUMENT_DEPTH { Err(WireError::TooDeep) } else { Ok(depth + 1) }
}

fn form(error: &serde_json::Error) -> WireError {
    WireError::Form { place: "text".to_owned(), reason: error.to_string() }
}
