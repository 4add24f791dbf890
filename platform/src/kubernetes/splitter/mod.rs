//! Splits JSON into the objects a list holds, while it streams in.
//!
//! Fed with the bytes of a list response, or of a file with any number of JSON values, it yields
//! each element of a top-level `items` array (or of a top-level array) as its own bytes, and what
//! the list says of itself, in whatever order the keys come: `kubectl` prints `items` before
//! `kind`, the API server after it. It holds one item at a time, within a bound.

mod capture;
mod key;
mod piece;
mod scan;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use capture::Capture;
use key::{Key, ListMetadata};
pub use piece::{Item, ListHead, Piece, Place, Shape, SplitFault};
use scan::{Progress, ValueScan};

/// Largest object that is read, in bytes. etcd takes 1.5 MiB by default; what is larger than this
/// was not written by a cluster.
pub const OBJECT_BOUND_BYTES: usize = 8 * 1024 * 1024;
/// Deepest nesting of an object that is read. What passes here is within the 127 levels that the
/// JSON parsers behind this read.
pub const NESTING_BOUND: u32 = 120;
/// Largest `metadata` of a list that is looked at, in bytes.
const LIST_METADATA_BOUND_BYTES: usize = 1024 * 1024;
/// Longest key that can be one this module knows, in bytes as written (escapes included).
const KEY_BOUND_BYTES: usize = 256;

/// What is expected next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A top-level value, or the end.
    Between,
    /// A top-level value that is neither object nor array.
    TopScalar,
    /// A key; the flag says whether `}` may come instead.
    BeforeKey { first: bool },
    /// The rest of a key.
    InKey,
    /// A colon.
    BeforeColon(Key),
    /// A value.
    BeforeValue(Key),
    /// The rest of a value.
    InValue(Key),
    /// A comma or `}`.
    AfterValue,
    /// An element; the flag says whether `]` may come instead.
    BeforeItem { first: bool },
    /// The rest of an element.
    InItem,
    /// A comma or `]`.
    AfterItem,
}

/// The splitter. Feed it, then finish it.
#[derive(Debug)]
pub struct Splitter {
    object_bound: usize,
    state: State,
    scan: ValueScan,
    /// Whether the current array is the top-level value itself.
    bare_array: bool,
    head: ListHead,
    items: Option<Shape>,
    index: u64,
    item_place: Place,
    document_place: Place,
    whole: Capture,
    whole_deepest: u32,
    value: Capture,
    /// Bytes before the current chunk.
    offset: u64,
    /// Line at which `counted` stands.
    line: u64,
    /// Bytes of the current chunk whose line breaks are counted.
    counted: usize,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new(OBJECT_BOUND_BYTES)
    }
}

impl Splitter {
    /// A splitter that skips objects of more bytes than that.
    pub fn new(object_bound: usize) -> Self {
        Self {
            object_bound,
            state: State::Between,
            scan: ValueScan::new(),
            bare_array: false,
            head: ListHead::default(),
            items: None,
            index: 0,
            item_place: Place::default(),
            document_place: Place::default(),
            whole: Capture::off(),
            whole_deepest: 0,
            value: Capture::off(),
            offset: 0,
            line: 1,
            counted: 0,
        }
    }

    /// Counts places from there on, for input that is not read from its beginning.
    #[must_use]
    pub fn starting_at(mut self, place: Place) -> Self {
        self.offset = place.offset;
        self.line = place.line;
        self
    }

    /// What the current top-level value said of itself so far.
    pub fn head(&self) -> &ListHead {
        &self.head
    }

    /// Whether the current top-level value was seen to hold items.
    pub fn in_list(&self) -> bool {
        self.bare_array || self.items.is_some()
    }

    /// Goes through the next chunk and adds what it completes. After a fault it must not be fed
    /// again.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<Piece>) -> Result<(), SplitFault> {
        self.counted = 0;
        self.whole.resume();
        self.value.resume();
        let mut at = 0;
        while at < chunk.len() {
            at = match self.state {
                State::InValue(_) | State::InItem | State::InKey | State::TopScalar => {
                    match self.scan.advance(&chunk[at..]) {
                        Progress::More => chunk.len(),
                        Progress::Ended(length) => {
                            self.value_ended(chunk, at + length, out)?;
                            at + length
                        }
                    }
                }
                _ => match chunk[at] {
                    b' ' | b'\n' | b'\r' | b'\t' => at + 1,
                    byte => self.token(byte, chunk, at, out)?,
                },
            };
        }
        self.value.suspend(chunk);
        self.whole.suspend(chunk);
        self.place_of(chunk, chunk.len());
        self.offset += chunk.len() as u64;
        Ok(())
    }

    /// Says that no more comes.
    pub fn finish(&mut self, out: &mut Vec<Piece>) -> Result<(), SplitFault> {
        if self.state == State::TopScalar {
            // A number or word ends where the input ends.
            self.value_ended(&[], 0, out)?;
        }
        let reason = match self.state {
            State::Between => return Ok(()),
            State::InItem => format!("the input ends inside item {}", self.index),
            State::BeforeItem { .. } | State::AfterItem => format!("the input ends after {} items", self.index),
            _ => "the input ends inside a value".to_owned(),
        };
        Err(SplitFault { place: self.place(), reason, truncated: true })
    }

    /// The place up to which it was fed.
    pub fn place(&self) -> Place {
        Place { offset: self.offset, line: self.line }
    }

    /// The place of a byte of the current chunk; places are asked for in order.
    fn place_of(&mut self, chunk: &[u8], at: usize) -> Place {
        let newlines = memchr::memchr_iter(b'\n', &chunk[self.counted..at]).count();
        self.counted = at;
        self.line += newlines as u64;
        Place { offset: self.offset + at as u64, line: self.line }
    }

    fn fault(&mut self, chunk: &[u8], at: usize, expected: &str) -> SplitFault {
        let place = self.place_of(chunk, at);
        let found = chunk.get(at).map_or_else(|| "the end".to_owned(), |byte| format!("{:?}", char::from(*byte)));
        SplitFault { place, reason: format!("expected {expected}, found {found}"), truncated: false }
    }

    /// Handles the byte that begins or separates values; where to go on.
    fn token(&mut self, byte: u8, chunk: &[u8], at: usize, out: &mut Vec<Piece>) -> Result<usize, SplitFault> {
        match (self.state, byte) {
            (State::Between, _) => return self.begin_document(byte, chunk, at, out),
            (State::BeforeKey { .. }, b'"') => {
                self.value.start(at, KEY_BOUND_BYTES);
                self.begin_scan(State::InKey);
                return Ok(at);
            }
            (State::BeforeColon(key), b':') => self.state = State::BeforeValue(key),
            (State::BeforeValue(key), _) => return self.begin_value(key, byte, chunk, at, out),
            (State::AfterValue, b',') => self.state = State::BeforeKey { first: false },
            (State::AfterValue | State::BeforeKey { first: true }, b'}') => self.end_object(chunk, at + 1, out),
            (State::AfterItem, b',') => self.state = State::BeforeItem { first: false },
            (State::AfterItem | State::BeforeItem { first: true }, b']') => self.end_array(out),
            (State::BeforeItem { .. }, _) if !matches!(byte, b',' | b']' | b'}' | b':') => {
                self.item_place = self.place_of(chunk, at);
                self.value.start(at, self.object_bound);
                self.begin_scan(State::InItem);
                return Ok(at);
            }
            (State::BeforeKey { .. }, _) => return Err(self.fault(chunk, at, "a key")),
            (State::BeforeColon(_), _) => return Err(self.fault(chunk, at, "a colon")),
            (State::AfterValue, _) => return Err(self.fault(chunk, at, "a comma or the object's end")),
            (State::BeforeItem { .. }, _) => return Err(self.fault(chunk, at, "an item")),
            (_, _) => return Err(self.fault(chunk, at, "a comma or the array's end")),
        }
        Ok(at + 1)
    }

    fn begin_scan(&mut self, state: State) {
        self.state = state;
        self.scan = ValueScan::new();
    }

    fn begin_document(&mut self, byte: u8, chunk: &[u8], at: usize, out: &mut Vec<Piece>) -> Result<usize, SplitFault> {
        self.document_place = self.place_of(chunk, at);
        self.head = ListHead::default();
        self.items = None;
        self.bare_array = byte == b'[';
        self.index = 0;
        self.whole_deepest = 1;
        match byte {
            b'[' => {
                out.push(Piece::Begin { head: ListHead::default() });
                self.state = State::BeforeItem { first: true };
                Ok(at + 1)
            }
            b'{' => {
                self.whole.start(at, self.object_bound);
                self.state = State::BeforeKey { first: true };
                Ok(at + 1)
            }
            b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                self.value.start(at, self.object_bound);
                self.begin_scan(State::TopScalar);
                Ok(at)
            }
            _ => Err(self.fault(chunk, at, "a JSON value")),
        }
    }

    fn begin_value(
        &mut self,
        key: Key,
        byte: u8,
        chunk: &[u8],
        at: usize,
        out: &mut Vec<Piece>,
    ) -> Result<usize, SplitFault> {
        match (key, byte) {
            (_, b',' | b']' | b'}' | b':') => return Err(self.fault(chunk, at, "a value")),
            (Key::Items, b'[') => {
                // A list: its items are yielded one by one, the whole is not kept.
                self.whole = Capture::off();
                self.items = Some(Shape::List);
                out.push(Piece::Begin { head: self.head.clone() });
                self.state = State::BeforeItem { first: true };
                return Ok(at + 1);
            }
            (Key::Other, _) => self.value = Capture::off(),
            _ => self.value.start(at, LIST_METADATA_BOUND_BYTES),
        }
        self.begin_scan(State::InValue(key));
        Ok(at)
    }

    /// A key, value or element ended before `end`.
    fn value_ended(&mut self, chunk: &[u8], end: usize, out: &mut Vec<Piece>) -> Result<(), SplitFault> {
        match self.state {
            State::InKey => {
                let key = self.value.take(chunk, end).map_or(Key::Other, |bytes| Key::read(&bytes));
                self.state = State::BeforeColon(key);
            }
            State::InValue(key) => {
                self.whole_deepest = self.whole_deepest.max(self.scan.deepest().saturating_add(1));
                let bytes = self.value.take(chunk, end);
                self.keep(key, bytes);
                self.state = State::AfterValue;
            }
            State::InItem => {
                let bytes = self.value.take(chunk, end);
                let item = self.item(self.index, self.item_place, bytes, self.scan.deepest());
                out.push(Piece::Item(item));
                self.index += 1;
                self.state = State::AfterItem;
            }
            _ => {
                let bytes = self.value.take(chunk, end);
                let item = self.item(0, self.document_place, bytes, 0);
                self.end_document(Shape::Single(item), out);
            }
        }
        Ok(())
    }

    /// An item from its bytes, if it is within the bounds.
    fn item(&self, index: u64, place: Place, bytes: Option<Bytes>, deepest: u32) -> Item {
        let bytes = match bytes {
            _ if deepest > NESTING_BOUND => Err(format!("it is nested deeper than {NESTING_BOUND} levels")),
            None => Err(format!("it is larger than {} bytes", self.object_bound)),
            Some(bytes) => Ok(bytes),
        };
        Item { index, place, bytes }
    }

    /// Keeps what a list says of itself.
    fn keep(&mut self, key: Key, bytes: Option<Bytes>) {
        let text = || serde_json::from_slice::<String>(bytes.as_deref().unwrap_or_default()).ok();
        match key {
            Key::Kind => self.head.kind = text(),
            Key::ApiVersion => self.head.api_version = text(),
            Key::Metadata => match bytes.as_deref().map(serde_json::from_slice::<ListMetadata>) {
                Some(Ok(metadata)) => {
                    self.head.resource_version = metadata.resource_version;
                    self.head.continue_token = metadata.continue_token.filter(|token| !token.is_empty());
                    self.head.metadata_fault = None;
                }
                Some(Err(error)) => self.head.metadata_fault = Some(error.to_string()),
                None => {
                    self.head.metadata_fault = Some(format!("it is larger than {LIST_METADATA_BOUND_BYTES} bytes"));
                }
            },
            Key::Items if bytes.as_deref() == Some(b"null") && self.items.is_none() => {
                self.items = Some(Shape::EmptyList);
            }
            Key::Items | Key::Other => {}
        }
    }

    fn end_array(&mut self, out: &mut Vec<Piece>) {
        if self.bare_array {
            self.end_document(Shape::Array, out);
        } else {
            self.state = State::AfterValue;
        }
    }

    fn end_object(&mut self, chunk: &[u8], end: usize, out: &mut Vec<Piece>) {
        let shape = match self.items.take() {
            Some(shape) => shape,
            None => {
                let bytes = self.whole.take(chunk, end);
                Shape::Single(self.item(0, self.document_place, bytes, self.whole_deepest))
            }
        };
        self.end_document(shape, out);
    }

    fn end_document(&mut self, shape: Shape, out: &mut Vec<Piece>) {
        self.whole = Capture::off();
        self.bare_array = false;
        self.items = None;
        self.state = State::Between;
        out.push(Piece::End { shape, head: std::mem::take(&mut self.head) });
    }
}
