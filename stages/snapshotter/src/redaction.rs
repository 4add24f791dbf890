//! Redaction: one object's JSON in, the same object as one compact line out, without what may hold
//! a credential and without what nobody needs.
//!
//! Left out are
//! - `managedFields` of any `metadata`,
//! - the annotation `kubectl.kubernetes.io/last-applied-configuration`, a copy of the whole object,
//! - the literal `value` of every environment variable of `containers`, `initContainers` and
//!   `ephemeralContainers`, however deep the pod template lies;
//! - of documents, the fields that the configuration names as well.
//!
//! Names of variables and `valueFrom` references stay. Numbers and strings stay as written. No tree
//! is built: the bytes are checked against the JSON grammar (RFC 8259) while they are passed once,
//! and what lies between two omissions is copied in one piece. What is left out is left out at
//! every occurrence of its key, also of a key given twice or written with `\u` escapes.

mod fields;
mod place;
mod scan;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use fields::FieldNames;
use place::{Member, Place};

/// Arrays and objects within each other, at most. `serde_json` reads no deeper by default.
pub const MAX_DEPTH: usize = 127;

/// Bytes that are not one JSON object. The sentence never quotes them: they may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object: byte {offset}: {reason}")]
pub struct NotAnObject {
    /// Where, from 0.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// What is read of an object: whose it is. Of a key given twice the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity<'a> {
    /// `metadata.namespace`, where it is text.
    pub namespace: Option<Cow<'a, str>>,
    /// `metadata.name`, where it is text.
    pub name: Option<Cow<'a, str>>,
}

/// Appends the redacted object to `line`, without a line break, and says whose it is. After an
/// error `line` is as before.
pub fn redact<'a>(object: &'a [u8], line: &mut Vec<u8>) -> Result<Identity<'a>, NotAnObject> {
    pass(object, None, line)
}

/// The same for a document in its wire form, of whose fields those of these names are left out too.
pub fn redact_document(document: &[u8], fields: &FieldNames, line: &mut Vec<u8>) -> Result<(), NotAnObject> {
    pass(document, Some(fields), line).map(|_| ())
}

fn pass<'a>(object: &'a [u8], fields: Option<&FieldNames>, line: &mut Vec<u8>) -> Result<Identity<'a>, NotAnObject> {
    let before = line.len();
    let redacted = std::str::from_utf8(object)
        .map_err(|error| NotAnObject { offset: error.valid_up_to(), reason: "not UTF-8" })
        .and_then(|text| {
            let (line, identity) = (&mut *line, Identity::default());
            Pass { text, at: 0, copied: 0, line, dropping: false, depth: 0, identity, fields }.whole()
        });
    if redacted.is_err() {
        line.truncate(before);
    }
    redacted
}

/// A string of the input.
#[derive(Clone, Copy)]
struct Text<'a> {
    /// What stands between the quotes, as written.
    raw: &'a str,
    /// Whether escapes stand in it.
    escaped: bool,
}

impl<'a> Text<'a> {
    /// The text itself.
    fn decoded(self) -> Option<Cow<'a, str>> {
        if self.escaped {
            serde_json::from_str(&format!("\"{}\"", self.raw)).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(self.raw))
        }
    }
}

/// One pass over one object.
struct Pass<'a, 'l> {
    text: &'a str,
    /// The byte to look at next.
    at: usize,
    /// Everything before it was copied or left out.
    copied: usize,
    line: &'l mut Vec<u8>,
    /// Whether we are within something that is left out.
    dropping: bool,
    depth: usize,
    identity: Identity<'a>,
    /// Of a document, the fields that are left out.
    fields: Option<&'l FieldNames>,
}

impl<'a> Pass<'a, '_> {
    fn whole(mut self) -> Result<Identity<'a>, NotAnObject> {
        self.space();
        if self.peek() != Some(b'{') {
            return Err(self.wrong("expected '{'"));
        }
        self.object(Place::Root)?;
        self.space();
        if self.at != self.text.len() {
            return Err(self.wrong("something follows the object"));
        }
        self.cut(self.at, self.at);
        Ok(self.identity)
    }

    fn value(&mut self, place: Place) -> Result<(), NotAnObject> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(place),
            Some(b'[') => self.array(place),
            Some(b'-' | b'0'..=b'9') => {
                self.at = scan::number_end(self.bytes(), self.at).ok_or_else(|| self.wrong("not a number"))?;
                Ok(())
            }
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) => Err(self.wrong("expected a value")),
            None => Err(self.wrong("ends where a value is expected")),
        }
    }

    /// An object whose members lie at `place`.
    fn object(&mut self, place: Place) -> Result<(), NotAnObject> {
        self.enter()?;
        if place == Place::RootMetadata {
            self.identity = Identity::default();
        }
        self.space();
        if self.peek() == Some(b'}') {
            return self.leave();
        }
        // Where the member's comma stands, none for the first one, and whether any was kept.
        let (mut comma, mut kept_any) = (None, false);
        loop {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("expected a key"));
            }
            let key = self.string()?;
            let key_end = self.at;
            self.at = scan::space_end(self.bytes(), self.at);
            let colon = self.at;
            if self.peek() != Some(b':') {
                return Err(self.wrong("expected ':' after a key"));
            }
            self.at = scan::space_end(self.bytes(), colon + 1);
            let member = if key.escaped {
                let key = key.decoded().ok_or_else(|| self.wrong("unreadable key"))?;
                self.member(place, &key)
            } else {
                self.member(place, key.raw)
            };
            match member {
                Member::Dropped => self.drop_value(comma.unwrap_or(start))?,
                Member::Kept(inner) => {
                    if let Some(comma) = comma {
                        self.cut(if kept_any { comma + 1 } else { comma }, start);
                    }
                    self.cut_gap(key_end, colon);
                    self.cut_gap(colon + 1, self.at);
                    kept_any = true;
                    match inner {
                        Place::RootNamespace | Place::RootName if self.peek() == Some(b'"') => {
                            let text = self.string()?.decoded();
                            match inner {
                                Place::RootName => self.identity.name = text,
                                _ => self.identity.namespace = text,
                            }
                        }
                        inner => self.value(inner)?,
                    }
                }
            }
            self.space();
            match self.peek() {
                Some(b',') => {
                    comma = Some(self.at);
                    self.at = scan::space_end(self.bytes(), self.at + 1);
                }
                Some(b'}') => return self.leave(),
                _ => return Err(self.wrong("expected ',' or '}'")),
            }
        }
    }

    /// What becomes of a member. The members of a document itself are not its fields.
    #[inline]
    fn member(&self, place: Place, key: &str) -> Member {
        match self.fields {
            Some(fields) if self.depth > 1 && fields.contains(key) => Member::Dropped,
            _ => place.member(key),
        }
    }

    /// An array whose elements lie at `place`.
    fn array(&mut self, place: Place) -> Result<(), NotAnObject> {
        self.enter()?;
        self.space();
        if self.peek() == Some(b']') {
            return self.leave();
        }
        loop {
            self.value(place)?;
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                }
                Some(b']') => return self.leave(),
                _ => return Err(self.wrong("expected ',' or ']'")),
            }
        }
    }

    /// Passes a value and leaves out everything from `start` to its end.
    fn drop_value(&mut self, start: usize) -> Result<(), NotAnObject> {
        if self.dropping {
            return self.value(Place::Elsewhere);
        }
        self.cut(start, start);
        self.dropping = true;
        self.value(Place::Elsewhere)?;
        self.dropping = false;
        self.copied = self.at;
        Ok(())
    }

    fn enter(&mut self) -> Result<(), NotAnObject> {
        if self.depth == MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self) -> Result<(), NotAnObject> {
        self.depth -= 1;
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<Text<'a>, NotAnObject> {
        let start = self.at + 1;
        let (end, escaped) = scan::string_end(self.bytes(), start)?;
        self.at = end + 1;
        // Both ends stand beside an ASCII quote.
        Ok(Text { raw: &self.text[start..end], escaped })
    }

    fn word(&mut self, word: &'static str) -> Result<(), NotAnObject> {
        if !self.bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.wrong("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Leaves out white space. API servers write none, so that there mostly is nothing to do.
    #[inline]
    fn space(&mut self) {
        let start = self.at;
        if self.peek().is_some_and(|byte| byte > b' ') {
            return;
        }
        self.at = scan::space_end(self.bytes(), start);
        self.cut_gap(start, self.at);
    }

    /// Leaves out what lies between two places, where anything does.
    fn cut_gap(&mut self, from: usize, to: usize) {
        if from != to {
            self.cut(from, to);
        }
    }

    /// Copies what was passed up to `from` and leaves out what follows up to `to`.
    fn cut(&mut self, from: usize, to: usize) {
        if !self.dropping {
            self.line.extend_from_slice(&self.text.as_bytes()[self.copied..from]);
            self.copied = to;
        }
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, reason: &'static str) -> NotAnObject {
        NotAnObject { offset: self.at, reason }
    }
}
