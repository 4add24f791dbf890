//! From a file to the documents of one collection.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::files::{Form, form};
use super::rest;
use crate::ports::{CollectionId, Document, DocumentName, MAX_DOCUMENT_BYTES, WireDocument, WireError};

/// Bytes read at a time.
const BUFFER: usize = 256 << 10;
/// Largest `.json` file, in bytes once inflated: it is read as a whole. Larger dumps are NDJSON.
const MAX_WHOLE_FILE: u64 = 64 << 20;
/// Longest line of an NDJSON file, in bytes: a document as REST writes it names every type.
const MAX_LINE: u64 = 4 * MAX_DOCUMENT_BYTES as u64;
/// Arrays of documents within each other, at most.
const MAX_NESTING: usize = 4;

/// What a file holds.
pub(super) enum Found {
    /// A document of the collection, in its wire form.
    Document(Vec<u8>),
    /// A document of the collection that has no wire form.
    Unreadable {
        /// File and place in it.
        place: String,
        /// Why.
        reason: String,
    },
    /// Something that may be a document of any collection.
    Gap(String),
}

/// Why reading ends early.
pub(super) enum Stop {
    /// Nobody takes what is found.
    Left,
    /// The file cannot be opened or read.
    Io(io::Error),
}

type Take<'t> = &'t mut dyn FnMut(Found) -> Result<(), Stop>;

/// Reads a file: gives the documents of the collection, and what may be some.
pub(super) fn file(path: &Path, name: &str, collection: CollectionId, take: Take<'_>) -> Result<(), Stop> {
    let Some((form, compressed)) = form(path) else { return Ok(()) };
    let file = BufReader::with_capacity(BUFFER, File::open(path).map_err(Stop::Io)?);
    let mut reader: Box<dyn BufRead> = match compressed {
        true => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file))),
        false => Box::new(file),
    };
    let mut reading = Reading { name, collection, take };
    match form {
        Form::Lines => reading.lines(&mut reader, compressed),
        Form::Values => reading.values(&mut reader, compressed),
    }
}

struct Reading<'f> {
    name: &'f str,
    collection: CollectionId,
    take: Take<'f>,
}

impl Reading<'_> {
    /// One value a line. A line that is none, or too long, is a gap, and the next one is read.
    fn lines(&mut self, reader: &mut dyn BufRead, compressed: bool) -> Result<(), Stop> {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            match (&mut *reader).take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return self.broken(error, compressed),
            }
            let place = format!("{} line {number}", self.name);
            if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                (self.take)(Found::Gap(format!("{place}: longer than {MAX_LINE} bytes")))?;
                if let Err(error) = skip_line(reader) {
                    return self.broken(error, compressed);
                }
                continue;
            }
            let Ok(text) = std::str::from_utf8(&line) else {
                (self.take)(Found::Gap(format!("{place}: not UTF-8")))?;
                continue;
            };
            if !text.trim_ascii().is_empty() {
                match serde_json::from_str::<&RawValue>(text) {
                    Ok(value) => self.value(value, &place, 0)?,
                    Err(error) => (self.take)(Found::Gap(format!("{place}: not JSON: {error}")))?,
                }
            }
        }
        Ok(())
    }

    /// Any number of values. What follows the first that is none is a gap.
    fn values(&mut self, reader: &mut dyn BufRead, compressed: bool) -> Result<(), Stop> {
        let mut bytes = Vec::new();
        if let Err(error) = (&mut *reader).take(MAX_WHOLE_FILE + 1).read_to_end(&mut bytes) {
            return self.broken(error, compressed);
        }
        if bytes.len() as u64 > MAX_WHOLE_FILE {
            let gap = format!("{}: larger than {MAX_WHOLE_FILE} bytes: make it NDJSON", self.name);
            return (self.take)(Found::Gap(gap));
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return (self.take)(Found::Gap(format!("{}: not UTF-8", self.name)));
        };
        for (number, value) in (1_u64..).zip(serde_json::Deserializer::from_str(text).into_iter::<&RawValue>()) {
            let place = format!("{} value {number}", self.name);
            match value {
                Ok(value) => self.value(value, &place, 0)?,
                Err(error) => (self.take)(Found::Gap(format!("{place}: not JSON: {error}")))?,
            }
        }
        Ok(())
    }

    /// What was read before a compressed file broke is true; the rest is a gap.
    fn broken(&mut self, error: io::Error, compressed: bool) -> Result<(), Stop> {
        match compressed {
            true => (self.take)(Found::Gap(format!("{}: it cannot be inflated to its end: {error}", self.name))),
            false => Err(Stop::Io(error)),
        }
    }

    /// A document, or what holds documents.
    fn value(&mut self, value: &RawValue, place: &str, nesting: usize) -> Result<(), Stop> {
        if nesting > MAX_NESTING {
            return (self.take)(Found::Gap(format!("{place}: more than {MAX_NESTING} arrays within each other")));
        }
        if value.get().starts_with('[') {
            return self.array(value, place, nesting);
        }
        match serde_json::from_str::<Head<'_>>(value.get()) {
            Err(error) => (self.take)(Found::Gap(format!("{place}: not a document: {error}"))),
            Ok(Head { documents: Some(documents), .. }) => self.array(documents, place, nesting),
            Ok(Head { document: Some(document), .. }) => self.value(document, place, nesting + 1),
            // An answer that only says when it was read.
            Ok(Head { name: None, read_time: Some(_), .. }) => Ok(()),
            Ok(head) => self.document(value, &head, place),
        }
    }

    fn array(&mut self, array: &RawValue, place: &str, nesting: usize) -> Result<(), Stop> {
        match serde_json::from_str::<Vec<&RawValue>>(array.get()) {
            Err(error) => (self.take)(Found::Gap(format!("{place}: not an array of documents: {error}"))),
            Ok(values) => (1_u64..)
                .zip(values)
                .try_for_each(|(number, value)| self.value(value, &format!("{place} item {number}"), nesting + 1)),
        }
    }

    fn document(&mut self, value: &RawValue, head: &Head<'_>, place: &str) -> Result<(), Stop> {
        let name: Result<DocumentName, _> = head.name.as_deref().unwrap_or_default().parse();
        let name = match name {
            Ok(name) if name.collection() == self.collection.as_str() => name,
            Ok(_) => return Ok(()),
            Err(error) => return (self.take)(Found::Gap(format!("{place}: name {error}"))),
        };
        let document = match head.fields {
            Some(fields) => rest::document(name, head.create_time.as_deref(), head.update_time.as_deref(), fields),
            None => WireDocument::read(value.get()).and_then(WireDocument::document),
        };
        let written = document.and_then(|document: Document| document.to_wire());
        (self.take)(match written {
            Ok(json) => Found::Document(json),
            Err(error) => Found::Unreadable { place: place.to_owned(), reason: reason(head, &error) },
        })
    }
}

fn reason(head: &Head<'_>, error: &WireError) -> String {
    format!("document {}: {error}", head.name.as_deref().unwrap_or_default())
}

/// What tells the forms of documents apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Head<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    create_time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    update_time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    read_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    fields: Option<&'a RawValue>,
    #[serde(borrow, default)]
    document: Option<&'a RawValue>,
    #[serde(borrow, default)]
    documents: Option<&'a RawValue>,
}

/// Passes over what is left of a line.
fn skip_line(reader: &mut dyn BufRead) -> io::Result<()> {
    let mut skipped = Vec::new();
    loop {
        skipped.clear();
        let read = (&mut *reader).take(BUFFER as u64).read_until(b'\n', &mut skipped)?;
        if read == 0 || skipped.last() == Some(&b'\n') {
            return Ok(());
        }
    }
}
