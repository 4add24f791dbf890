//! Goes through one file and says what it finds.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Read as _};
use std::ops::ControlFlow;

use bytes::Bytes;

use super::content::{self, Content, Form};
use super::files::{Entry, EntryContent};
use super::sort::{self, Sort};
use super::yaml;
use super::yaml_document::{self, YAML_DOCUMENT_BOUND_BYTES, YamlDocument};
use crate::kubernetes::head::ObjectHead;
use crate::kubernetes::splitter::{Item, ListHead, Piece, Place, Shape, SplitFault, Splitter};
use crate::ports::Kind;

/// Part of a line that is looked at at once, in bytes.
const LINE_PIECE_BYTES: u64 = 64 * 1024;
/// Lists within lists within lists … that are opened.
const LIST_DEPTH_BOUND: u32 = 3;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// An object of a kind that snapshots take.
    Object { kind: Kind, api_version: Option<String>, bytes: Bytes },
    /// An audit entry.
    Audit(Bytes),
    /// What says the cluster's version.
    Version(Bytes),
    /// A declaration.
    Declaration,
    /// An object of a kind nobody collects.
    Uncollected(String),
    /// Something nobody can read.
    Unreadable { place: String, reason: String, hides: Hides },
}

/// What may be lost with something unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hides {
    /// No object of a cluster: null, a number, something without a kind.
    Nothing,
    /// An object of this kind.
    Kind(Kind),
    /// Objects of any kind.
    Anything,
}

/// Heads of a file's lists that say their kind after their items, by number of the document.
pub(super) type LateHeads = BTreeMap<u64, ListHead>;

/// Takes what is found; breaks to stop.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Found) -> ControlFlow<()>;

/// Why the reading of a file ended early.
pub(super) enum Stop {
    /// The sink broke it off.
    Broken,
    /// Items without kind came before their list's kind, and the late heads were not at hand.
    NeedsLateHeads,
}

impl From<()> for Stop {
    fn from((): ()) -> Self {
        Self::Broken
    }
}

/// Reads a file from its beginning to its end.
pub(super) fn read(entry: &Entry, late: Option<&LateHeads>, sink: Sink<'_>) -> Result<(), Stop> {
    let mut reader = Reader { file: &entry.name, late, document: 0, list: ListHead::default(), sink };
    match &entry.content {
        EntryContent::LinkOutside => reader.whole_file("its link leads out of the folder", Hides::Anything),
        EntryContent::Special => reader.whole_file("it is a socket, a pipe or a device", Hides::Nothing),
        EntryContent::Closed(reason) => reader.whole_file(reason, Hides::Anything),
        EntryContent::File { .. } => match content::open(&entry.path) {
            Ok((form, content)) => reader.content(form, content),
            Err(error) => reader.whole_file(&format!("it cannot be read: {error}"), Hides::Anything),
        },
    }
}

/// The heads of a file's lists, found in a pass that looks at nothing else.
pub(super) fn late_heads(entry: &Entry) -> LateHeads {
    let mut heads = LateHeads::new();
    let Ok((Form::Json | Form::JsonLines, mut content)) = content::open(&entry.path) else { return heads };
    let mut pieces = Vec::new();
    let mut document = 0;
    let mut splitter = Splitter::new(0);
    let mut take = |pieces: &mut Vec<Piece>, document: &mut u64| {
        for piece in pieces.drain(..) {
            if let Piece::End { shape, head } = piece {
                if shape == Shape::List {
                    heads.insert(*document, head);
                }
                *document += 1;
            }
        }
    };
    while let Ok(Some(bytes)) = content::next_bytes(&mut content) {
        let length = bytes.len();
        // Where the JSON breaks, the pass that reads objects reports it.
        let fed = splitter.feed(bytes, &mut pieces);
        take(&mut pieces, &mut document);
        if fed.is_err() {
            break;
        }
        content.consume(length);
    }
    heads
}

struct Reader<'a> {
    file: &'a str,
    late: Option<&'a LateHeads>,
    document: u64,
    /// Head of the list whose items come.
    list: ListHead,
    sink: Sink<'a>,
}

impl Reader<'_> {
    fn emit(&mut self, found: Found) -> Result<(), Stop> {
        match (self.sink)(found) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Broken),
        }
    }

    fn unreadable(&mut self, place: String, reason: &str, hides: Hides) -> Result<(), Stop> {
        self.emit(Found::Unreadable { place, reason: reason.to_owned(), hides })
    }

    fn whole_file(&mut self, reason: &str, hides: Hides) -> Result<(), Stop> {
        self.unreadable(self.file.to_owned(), reason, hides)
    }

    fn content(&mut self, form: Form, content: Content) -> Result<(), Stop> {
        match form {
            Form::Empty => self.whole_file("it is empty", Hides::Anything),
            Form::Utf16 => self.whole_file("it is UTF-16, expected UTF-8", Hides::Anything),
            Form::Binary => self.whole_file("it is binary, expected JSON or YAML", Hides::Anything),
            Form::Json => self.json(content),
            Form::JsonLines => self.json_lines(content),
            Form::Yaml => self.yaml(content),
        }
    }

    fn json(&mut self, mut content: Content) -> Result<(), Stop> {
        let mut splitter = Splitter::default();
        let mut pieces = Vec::new();
        loop {
            let fed = match content::next_bytes(&mut content) {
                Ok(Some(bytes)) => {
                    let length = bytes.len();
                    let fed = splitter.feed(bytes, &mut pieces);
                    content.consume(length);
                    fed
                }
                Ok(None) => {
                    let ended = splitter.finish(&mut pieces);
                    self.pieces(&mut pieces, None)?;
                    return ended.or_else(|fault| self.split_fault(&splitter, &fault));
                }
                Err(error) => return self.read_fault(splitter.place(), &error),
            };
            self.pieces(&mut pieces, None)?;
            if let Err(fault) = fed {
                return self.split_fault(&splitter, &fault);
            }
        }
    }

    fn json_lines(&mut self, mut content: Content) -> Result<(), Stop> {
        let mut place = Place { offset: 0, line: 1 };
        let mut splitter = Splitter::default().starting_at(place);
        let mut pieces = Vec::new();
        let mut broken = false;
        let mut piece = Vec::new();
        loop {
            piece.clear();
            if let Err(error) = (&mut content).take(LINE_PIECE_BYTES).read_until(b'\n', &mut piece) {
                return self.read_fault(place, &error);
            }
            place.offset += piece.len() as u64;
            let ended = piece.is_empty() || piece.ends_with(b"\n");
            let mut fed = if broken { Ok(()) } else { splitter.feed(&piece, &mut pieces) };
            if fed.is_ok() && ended && !broken {
                fed = splitter.finish(&mut pieces);
            }
            self.pieces(&mut pieces, None)?;
            if let Err(fault) = fed {
                broken = true;
                self.split_fault(&splitter, &fault)?;
            }
            if piece.is_empty() {
                return Ok(());
            }
            if ended {
                place.line += 1;
                broken = false;
                self.list = ListHead::default();
                splitter = Splitter::default().starting_at(place);
            }
        }
    }

    fn yaml(&mut self, mut content: Content) -> Result<(), Stop> {
        let mut document = YamlDocument::starting_at(1);
        let mut place = Place { offset: 0, line: 1 };
        let mut piece = Vec::new();
        let mut at_line_start = true;
        loop {
            piece.clear();
            if let Err(error) = (&mut content).take(LINE_PIECE_BYTES).read_until(b'\n', &mut piece) {
                self.yaml_document(&document)?;
                return self.read_fault(place, &error);
            }
            if piece.is_empty() {
                return self.yaml_document(&document);
            }
            if at_line_start && yaml_document::is_separator(&piece) {
                self.yaml_document(&document)?;
                document = YamlDocument::starting_at(place.line);
            }
            if !(at_line_start && piece.starts_with(b"...") && yaml_document::is_separator(&piece)) {
                document.add(&piece);
            }
            place.offset += piece.len() as u64;
            at_line_start = piece.ends_with(b"\n");
            place.line += u64::from(at_line_start);
        }
    }

    fn yaml_document(&mut self, document: &YamlDocument) -> Result<(), Stop> {
        if !document.has_content {
            return Ok(());
        }
        self.document += 1;
        let at = |line: u64| format!("{}, document {}, line {line}", self.file, self.document);
        if document.over {
            let reason = format!("it is larger than {YAML_DOCUMENT_BOUND_BYTES} bytes, write it as JSON");
            return self.unreadable(at(document.line), &reason, Hides::Anything);
        }
        // What has no `kind` in it anywhere holds no object that could be lost.
        let hides = match memchr::memmem::find(&document.text, b"kind") {
            Some(_) => Hides::Anything,
            None => Hides::Nothing,
        };
        let text = match std::str::from_utf8(&document.text) {
            Ok(text) => text,
            Err(error) => {
                let before = document.text.get(..error.valid_up_to()).unwrap_or_default();
                let line = document.line + memchr::memchr_iter(b'\n', before).count() as u64;
                return self.unreadable(at(line), "it is not UTF-8", hides);
            }
        };
        match yaml::to_json(text) {
            Ok(json) if json.trim_ascii() == b"null" => Ok(()),
            Ok(json) => self.json_of_yaml(&json, at(document.line)),
            Err(fault) => {
                let line = document.line + fault.line.saturating_sub(1);
                let place = format!("{}, column {}", at(line), fault.column);
                self.unreadable(place, &fault.reason, hides)
            }
        }
    }

    /// Sorts what one YAML document held; `place` is where it stands.
    fn json_of_yaml(&mut self, json: &[u8], place: String) -> Result<(), Stop> {
        let mut splitter = Splitter::default();
        let mut pieces = Vec::new();
        let split = splitter.feed(json, &mut pieces).and_then(|()| splitter.finish(&mut pieces));
        // The whole document is at hand: its head is known before its first item is looked at.
        let late = late_heads_of(&pieces);
        for piece in &mut pieces {
            if let (Piece::Begin { head }, Some(known)) = (piece, &late) {
                *head = known.clone();
            }
        }
        self.pieces(&mut pieces, Some(&place))?;
        split.or_else(|fault| self.unreadable(place, &fault.reason, Hides::Anything))
    }

    /// Sorts what a splitter yielded. Places within a YAML document are told by that document.
    fn pieces(&mut self, pieces: &mut Vec<Piece>, yaml: Option<&str>) -> Result<(), Stop> {
        for piece in pieces.drain(..) {
            match piece {
                Piece::Begin { head } => {
                    let late = self.late.filter(|_| yaml.is_none()).and_then(|late| late.get(&self.document));
                    self.list = late.cloned().unwrap_or(head);
                }
                Piece::Item(item) => {
                    let place = match yaml {
                        Some(document) => format!("{document}, item {}", item.index),
                        None => format!("{}, item {}", self.at(item.place), item.index),
                    };
                    let list = std::mem::take(&mut self.list);
                    let sorted = self.item(item, &list, place, 0, yaml.is_some());
                    self.list = list;
                    sorted?;
                }
                Piece::End { shape, .. } => {
                    if let Shape::Single(item) = shape {
                        let place = yaml.map_or_else(|| self.at(item.place), str::to_owned);
                        self.item(item, &ListHead::default(), place, 0, true)?;
                    }
                    if yaml.is_none() {
                        self.document += 1;
                    }
                    self.list = ListHead::default();
                }
            }
        }
        Ok(())
    }

    /// Sorts one object. `settled` says that nothing more will be known of its list.
    fn item(&mut self, item: Item, list: &ListHead, place: String, depth: u32, settled: bool) -> Result<(), Stop> {
        let is_list = list.kind.as_deref().is_none_or(|kind| kind.ends_with("List"));
        if !is_list {
            // An object that happens to have `items`.
            return if item.index == 0 {
                self.emit(Found::Uncollected(list.kind.clone().unwrap_or_default()))
            } else {
                Ok(())
            };
        }
        let bytes = match item.bytes {
            Ok(bytes) => bytes,
            Err(reason) => return self.unreadable(place, &reason, hidden_item(list)),
        };
        let head = match ObjectHead::read(&bytes) {
            Ok(head) => head,
            Err(reason) => {
                // Where an object should be and is none, nothing is hidden.
                let hides = if bytes.first() == Some(&b'{') { hidden_item(list) } else { Hides::Nothing };
                return self.unreadable(place, &reason, hides);
            }
        };
        match sort::sort(&head, list) {
            Sort::Collected(kind, api_version) => self.emit(Found::Object { kind, api_version, bytes }),
            Sort::Audit => self.emit(Found::Audit(bytes)),
            Sort::Version => self.emit(Found::Version(bytes)),
            Sort::Declaration => self.emit(Found::Declaration),
            Sort::Uncollected(kind) => self.emit(Found::Uncollected(kind)),
            Sort::List if depth < LIST_DEPTH_BOUND => self.nested(&bytes, &place, depth + 1),
            Sort::List => self.unreadable(place, "it is a list within too many lists", Hides::Anything),
            Sort::Kindless if !settled && list.kind.is_none() && self.late.is_none() => Err(Stop::NeedsLateHeads),
            Sort::Kindless => self.unreadable(place, "it has no kind", Hides::Nothing),
        }
    }

    /// Sorts a list within a list.
    fn nested(&mut self, bytes: &[u8], place: &str, depth: u32) -> Result<(), Stop> {
        let mut splitter = Splitter::default();
        let mut pieces = Vec::new();
        // The bytes were checked to be JSON; a fault here would be told like any other.
        let split = splitter.feed(bytes, &mut pieces).and_then(|()| splitter.finish(&mut pieces));
        let list = late_heads_of(&pieces).unwrap_or_default();
        for piece in pieces {
            if let Piece::Item(item) = piece {
                let place = format!("{place}, item {}", item.index);
                self.item(item, &list, place, depth, true)?;
            }
        }
        split.or_else(|fault| self.unreadable(place.to_owned(), &fault.reason, Hides::Anything))
    }

    fn at(&self, place: Place) -> String {
        format!("{}, line {}, byte {}", self.file, place.line, place.offset)
    }

    /// A place where the JSON breaks. A list that ends early hides what it may hold; anything else
    /// hides what may follow it.
    fn split_fault(&mut self, splitter: &Splitter, fault: &SplitFault) -> Result<(), Stop> {
        let known = if self.list.kind.is_some() { &self.list } else { splitter.head() };
        let hides = if fault.truncated && splitter.in_list() { hidden_item(known) } else { Hides::Anything };
        self.unreadable(self.at(fault.place), &fault.reason, hides)
    }

    fn read_fault(&mut self, place: Place, error: &io::Error) -> Result<(), Stop> {
        self.unreadable(self.at(place), &format!("it cannot be read on from here: {error}"), Hides::Anything)
    }
}

/// What an unreadable item of a list may have been.
fn hidden_item(list: &ListHead) -> Hides {
    match sort::item_kind(list) {
        Some(kind) => Kind::of_object(kind).map_or(Hides::Nothing, Hides::Kind),
        None => Hides::Anything,
    }
}

fn late_heads_of(pieces: &[Piece]) -> Option<ListHead> {
    pieces.iter().rev().find_map(|piece| if let Piece::End { head, .. } = piece { Some(head.clone()) } else { None })
}
