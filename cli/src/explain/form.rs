//! Bytes into values: the form is found by content.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use serde_json::value::RawValue;

use super::{MAX_FILE_BYTES, MAX_YAML_BYTES, YAML_LIMITS};
use crate::yaml::{self, Node};

/// One value of a file.
pub(super) enum Piece<'a> {
    /// A JSON value.
    Json(&'a RawValue),
    /// A YAML document.
    Yaml(Yaml<'a>),
    /// Something that cannot be read, and why.
    Broken(String),
    /// Nothing at all.
    Nothing,
}

/// A YAML document: as a tree, and the text it was read from.
pub(super) struct Yaml<'a> {
    pub(super) node: Node,
    pub(super) text: &'a str,
    /// The line of the file the text begins at, from 1.
    pub(super) first_line: usize,
}

/// First bytes of gzip (RFC 1952).
const GZIP: &[u8] = &[0x1f, 0x8b];
/// UTF-8's byte order mark.
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// UTF-16's byte order marks.
const UTF16_MARKS: [&[u8]; 2] = [&[0xff, 0xfe], &[0xfe, 0xff]];

/// Hands each value of some bytes to `take`: at least one piece.
pub(super) fn each(bytes: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
    let (bytes, gap) = match plain(bytes) {
        Ok(plain) => plain,
        Err(reason) => return take(Piece::Broken(reason)),
    };
    if bytes.len() > MAX_FILE_BYTES {
        return take(Piece::Broken(format!("more than {MAX_FILE_BYTES} bytes, not read")));
    }
    if UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return take(Piece::Broken("UTF-16, expected UTF-8".to_owned()));
    }
    let text = bytes.strip_prefix(UTF8_MARK).unwrap_or(&bytes);
    let mut count = 0_usize;
    let mut counted = |piece: Piece<'_>| {
        count += 1;
        take(piece);
    };
    match text.trim_ascii_start().first() {
        None => {}
        Some(b'{' | b'[') => json_or_yaml(text, &mut counted),
        Some(_) => yaml_documents(text, &mut counted),
    }
    match gap {
        Some(reason) => take(Piece::Broken(reason)),
        None if count == 0 => take(Piece::Nothing),
        None => {}
    }
}

/// The bytes decompressed, and what is missing where the compressed data end early.
fn plain(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, Option<String>), String> {
    if !bytes.starts_with(GZIP) {
        return Ok((Cow::Borrowed(bytes), None));
    }
    let mut plain = Vec::new();
    match MultiGzDecoder::new(bytes).take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut plain) {
        Ok(_) => Ok((Cow::Owned(plain), None)),
        Err(error) if plain.is_empty() => Err(format!("gzip: {error}")),
        Err(error) => Ok((Cow::Owned(plain), Some(format!("gzip: {error}: what follows is missing")))),
    }
}

/// Most broken values of one file that are told apart: finding the next value costs a look at all
/// that follows.
const MAX_BROKEN: usize = 100;

/// JSON values one after the other. What begins like JSON and holds no JSON value at all may be
/// YAML in flow style, or a template.
fn json_or_yaml(text: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
    let mut rest = text;
    let mut first_line = 1_usize;
    let mut read_any = false;
    let mut broken: Vec<String> = Vec::new();
    loop {
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        let error = loop {
            match values.next() {
                None => return,
                Some(Ok(value)) => {
                    broken.drain(..).for_each(|reason| take(Piece::Broken(reason)));
                    read_any = true;
                    take(Piece::Json(value));
                }
                Some(Err(error)) => break error,
            }
        };
        if !read_any && broken.is_empty() && yaml_instead(text, take) {
            return;
        }
        let from = values.byte_offset().min(rest.len());
        let begins = from + rest[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let begins = first_line + rest[..begins].iter().filter(|byte| **byte == b'\n').count();
        let (line, column) = (first_line + error.line().saturating_sub(1), error.column());
        let reason = format!("JSON value of line {begins}: {} at line {line}, column {column}", without_place(&error));
        if read_any {
            take(Piece::Broken(reason))
        } else {
            broken.push(reason)
        }
        // Somewhere behind the broken value a line may begin with the next one.
        match next_value(&rest[from..]) {
            Some(at) if broken.len() < MAX_BROKEN => {
                first_line += rest[..from + at].iter().filter(|byte| **byte == b'\n').count();
                rest = &rest[from + at..];
            }
            _ => break,
        }
    }
    // Nothing but broken values is one broken thing.
    broken.into_iter().take(1).for_each(|reason| take(Piece::Broken(reason)));
}

/// Reads a text as YAML if it is YAML throughout, or a stream of several documents.
fn yaml_instead(text: &[u8], take: &mut dyn FnMut(Piece<'_>)) -> bool {
    if text.len() > MAX_YAML_BYTES {
        return false;
    }
    if yaml::documents(text).len() > 1 {
        yaml_documents(text, take);
        return true;
    }
    let mut documents = Vec::new();
    let read = yaml_is_read(text, &mut documents);
    if read {
        documents.into_iter().for_each(|document| take(Piece::Yaml(document)));
    }
    read
}

/// Where, behind a line end, the first line begins that could be a JSON object or array of its own.
fn next_value(rest: &[u8]) -> Option<usize> {
    let mut from = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    loop {
        from += rest[from..].iter().position(|byte| *byte == b'\n')? + 1;
        if matches!(rest.get(from), Some(b'{' | b'[')) {
            return Some(from);
        }
    }
}

/// A JSON error without its place, which is told apart since it counts from another start.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

/// Whether all of a text is YAML that holds a collection; collects its documents.
fn yaml_is_read<'a>(text: &'a [u8], documents: &mut Vec<Yaml<'a>>) -> bool {
    yaml::documents(text).iter().all(|document| {
        let Ok(text) = std::str::from_utf8(document.bytes) else { return false };
        match yaml::parse(text, document.first_line, YAML_LIMITS) {
            Ok(Some(node)) => {
                documents.push(Yaml { node, text, first_line: document.first_line });
                true
            }
            Ok(None) => true,
            Err(_) => false,
        }
    })
}

/// YAML documents, each on its own.
fn yaml_documents(text: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
    for document in yaml::documents(text) {
        if document.bytes.len() > MAX_YAML_BYTES {
            let (line, bytes) = (document.first_line, document.bytes.len());
            take(Piece::Broken(format!("YAML, line {line}: a document of {bytes} bytes, more than {MAX_YAML_BYTES}")));
            continue;
        }
        let part = match std::str::from_utf8(document.bytes) {
            Ok(part) => part,
            Err(error) => {
                let read = &document.bytes[..error.valid_up_to()];
                let line = document.first_line + read.iter().filter(|byte| **byte == b'\n').count();
                take(Piece::Broken(format!("line {line}: not UTF-8")));
                continue;
            }
        };
        match yaml::parse(part, document.first_line, YAML_LIMITS) {
            Ok(Some(node)) => take(Piece::Yaml(Yaml { node, text: part, first_line: document.first_line })),
            Ok(None) => {}
            Err(error) => take(Piece::Broken(format!("YAML, {error}"))),
        }
    }
}
