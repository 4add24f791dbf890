//! YAML documents as JSON, with numbers as they are written.
//!
//! A serde route would turn `0.50` into `0.5` and a number of thirty digits into a rounded one, so
//! this reads the parser's events and writes JSON text. Words mean what they mean to `kubectl`:
//! `yes`, `no`, `on` and `off` are booleans, `0644` is octal, `<<` merges, a repeated key is an error.

mod scalar;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use serde_json::value::RawValue;
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle};

use crate::kubernetes::splitter::NESTING_BOUND;

/// Most JSON a document may become, in bytes, with what its anchors hold and its aliases repeat:
/// the bound on documents that grow when they are read.
const JSON_BOUND_BYTES: usize = 64 * 1024 * 1024;

/// A document that is not YAML, or not of the kind that can be JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line}, column {column}")]
pub struct YamlFault {
    /// Line within the text, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong.
    pub reason: String,
}

/// The JSON of a YAML text: one value per document, on lines of their own. The words are `kubectl`'s.
///
/// # Errors
/// The text is not YAML, has a key twice or a collection as a key, or grows beyond 64 MiB.
pub fn to_json(text: &str) -> Result<Vec<u8>, YamlFault> {
    let options = granit_parser::options! { emit_comments: false };
    let mut writer = Writer::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, place) = event.map_err(|error| YamlFault {
            line: error.marker().line() as u64,
            column: error.marker().col() as u64 + 1,
            reason: format!("it is not YAML: {}", error.info()),
        })?;
        writer.event(event).map_err(|reason| YamlFault {
            line: place.start.line() as u64,
            column: place.start.col() as u64 + 1,
            reason,
        })?;
    }
    Ok(writer.out)
}

/// A collection that is open.
enum Frame {
    Sequence {
        count: usize,
    },
    Mapping {
        keys: HashSet<String>,
        /// Whether a key was written and its value is to come.
        valued: bool,
        /// Where the value of `<<` begins, while it is being written.
        merging: Option<usize>,
        /// Values of `<<`, as JSON.
        merges: Vec<Vec<u8>>,
    },
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    stack: Vec<Frame>,
    /// Anchors of open collections, and where those begin.
    open_anchors: Vec<(usize, usize)>,
    anchors: HashMap<usize, Rc<[u8]>>,
    /// Bytes held by anchors and repeated by aliases.
    grown: usize,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                if self.expects_key() {
                    let merge = &*value == "<<" && style == ScalarStyle::Plain && tag.is_none();
                    if anchor != 0 {
                        let json = serde_json::to_vec(&*value).map_err(|error| error.to_string())?;
                        self.keep(anchor, &json)?;
                    }
                    return if merge { self.begin_merge() } else { self.key(value.into_owned()) };
                }
                let start = self.begin_node()?;
                scalar::write(&value, style, tag.as_deref(), &mut self.out);
                self.end_node(anchor, start)
            }
            Event::Alias(id) => {
                let json = self.anchors.get(&id).cloned().ok_or("an alias stands inside what it names")?;
                self.grow(json.len())?;
                if self.expects_key() {
                    let text = match serde_json::from_slice::<String>(&json) {
                        Ok(text) => text,
                        Err(_) if !json.starts_with(b"{") && !json.starts_with(b"[") => {
                            String::from_utf8_lossy(&json).into_owned()
                        }
                        Err(_) => return Err("a key is a collection".to_owned()),
                    };
                    return self.key(text);
                }
                let start = self.begin_node()?;
                self.out.extend_from_slice(&json);
                self.end_node(0, start)
            }
            Event::SequenceStart(_, anchor, _) => self.begin_collection(anchor, b'[', Frame::Sequence { count: 0 }),
            Event::MappingStart(_, anchor, _) => {
                let frame = Frame::Mapping { keys: HashSet::new(), valued: false, merging: None, merges: Vec::new() };
                self.begin_collection(anchor, b'{', frame)
            }
            Event::SequenceEnd => self.end_collection(b']'),
            Event::MappingEnd => self.end_collection(b'}'),
            Event::DocumentEnd => {
                self.out.push(b'\n');
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Mapping { valued: false, .. }))
    }

    /// Writes a key.
    fn key(&mut self, key: String) -> Result<(), String> {
        let Some(Frame::Mapping { keys, valued, .. }) = self.stack.last_mut() else { return Ok(()) };
        if !keys.is_empty() {
            self.out.push(b',');
        }
        serde_json::to_writer(&mut self.out, &key).map_err(|error| error.to_string())?;
        self.out.push(b':');
        *valued = true;
        if keys.insert(key.clone()) {
            Ok(())
        } else {
            Err(format!("the key {:?} is there twice", key.chars().take(80).collect::<String>()))
        }
    }

    /// A `<<` was read: what follows is set aside.
    fn begin_merge(&mut self) -> Result<(), String> {
        let start = self.out.len();
        if let Some(Frame::Mapping { valued, merging, .. }) = self.stack.last_mut() {
            *valued = true;
            *merging = Some(start);
        }
        Ok(())
    }

    /// Writes what stands between nodes; where the node begins.
    fn begin_node(&mut self) -> Result<usize, String> {
        if let Some(Frame::Sequence { count }) = self.stack.last_mut() {
            if *count > 0 {
                self.out.push(b',');
            }
            *count += 1;
        }
        self.grow(0)?;
        Ok(self.out.len())
    }

    /// A node is complete.
    fn end_node(&mut self, anchor: usize, start: usize) -> Result<(), String> {
        if anchor != 0 {
            let json = self.out[start..].to_vec();
            self.keep(anchor, &json)?;
        }
        if let Some(Frame::Mapping { valued, merging, merges, .. }) = self.stack.last_mut() {
            *valued = false;
            if let Some(start) = merging.take() {
                merges.push(self.out.split_off(start));
            }
        }
        Ok(())
    }

    fn begin_collection(&mut self, anchor: usize, bracket: u8, frame: Frame) -> Result<(), String> {
        if self.expects_key() {
            return Err("a key is a collection".to_owned());
        }
        if self.stack.len() >= NESTING_BOUND as usize {
            return Err(format!("it is nested deeper than {NESTING_BOUND} levels"));
        }
        let start = self.begin_node()?;
        self.open_anchors.push((anchor, start));
        self.out.push(bracket);
        self.stack.push(frame);
        Ok(())
    }

    fn end_collection(&mut self, bracket: u8) -> Result<(), String> {
        let frame = self.stack.pop();
        let (anchor, start) = self.open_anchors.pop().unwrap_or_default();
        if let Some(Frame::Mapping { keys, merges, .. }) = frame {
            self.merge(keys, &merges)?;
        }
        self.out.push(bracket);
        self.end_node(anchor, start)
    }

    /// Adds the merged keys that the mapping does not have itself; of two merges the first wins.
    fn merge(&mut self, mut keys: HashSet<String>, merges: &[Vec<u8>]) -> Result<(), String> {
        for merge in merges {
            let maps: Vec<&RawValue> = match merge.first() {
                Some(b'[') => serde_json::from_slice(merge).map_err(|error| error.to_string())?,
                _ => vec![serde_json::from_slice(merge).map_err(|error| error.to_string())?],
            };
            for map in maps {
                let Entries(entries) =
                    serde_json::from_str(map.get()).map_err(|_| "what `<<` merges is no mapping".to_owned())?;
                for (key, value) in entries {
                    if !keys.contains(&key) {
                        self.out.extend_from_slice(if keys.is_empty() { b"" } else { b"," });
                        serde_json::to_writer(&mut self.out, &key).map_err(|error| error.to_string())?;
                        self.out.push(b':');
                        self.out.extend_from_slice(value.get().as_bytes());
                        keys.insert(key);
                    }
                }
                self.grow(0)?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, anchor: usize, json: &[u8]) -> Result<(), String> {
        self.grow(json.len())?;
        self.anchors.insert(anchor, json.into());
        Ok(())
    }

    /// Holds the document to its bound.
    fn grow(&mut self, bytes: usize) -> Result<(), String> {
        self.grown = self.grown.saturating_add(bytes);
        if self.grown.saturating_add(self.out.len()) > JSON_BOUND_BYTES {
            return Err(format!("it grows to more than {JSON_BOUND_BYTES} bytes when it is read"));
        }
        Ok(())
    }
}

/// The entries of an object, in order.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> serde::de::Visitor<'de> for Visit {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Visit).map(Entries)
    }
}
