//! YAML as a tree that knows where everything stands and how numbers were written.
//!
//! Serde's data model keeps neither: a quantity `1e3` would become `1000.0`, and an error could not
//! name its line. So the tree is built from the parser's events, which also lets one broken
//! document leave its neighbours alone. Scalars are read as kubectl reads them where that matters
//! for numbers (`0644` is octal), and as YAML 1.2's core schema otherwise.

mod build;
mod json;
mod scalar;
#[cfg(test)]
mod tests;

pub(crate) use build::parse;

/// Deepest nesting that is read; a JSON reader behind it may have a limit of 128.
const MAX_DEPTH: usize = 100;

/// Bounds of one document.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Most nodes, aliases expanded.
    pub(crate) max_nodes: usize,
    /// Most bytes that anchors and aliases may copy.
    pub(crate) max_copied_bytes: usize,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column, from 1.
    pub(crate) column: usize,
    /// The value.
    pub(crate) value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As written where JSON can write it so.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In the order written; merge keys applied; no key twice.
    Map(Vec<(Key, Node)>),
}

/// A key and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Node {
    /// The value under a key, where this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(found, _)| found.text == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Why a document cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub(crate) struct YamlError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) reason: String,
}

/// One document's bytes, not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    /// The line it begins at, from 1.
    pub(crate) first_line: usize,
    pub(crate) bytes: &'a [u8],
}

/// Cuts a stream into documents at the lines that begin with `---` or follow `...`. YAML lets no
/// scalar hold such a line at its first column, so that cutting needs no parser.
pub(crate) fn documents(stream: &[u8]) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let (mut start, mut first_line) = (0, 1);
    let (mut offset, mut line) = (0, 1);
    let mut cut = |from: usize, to: usize, first_line: usize| {
        let bytes = &stream[from..to];
        if !is_blank(bytes) {
            documents.push(Document { first_line, bytes });
        }
    };
    for content in stream.split_inclusive(|byte| *byte == b'\n') {
        let next = offset + content.len();
        if is_marker(content, b"---") {
            cut(start, offset, first_line);
            (start, first_line) = (offset, line);
        } else if is_marker(content, b"...") {
            cut(start, next, first_line);
            (start, first_line) = (next, line + 1);
        }
        offset = next;
        line += 1;
    }
    cut(start, stream.len(), first_line);
    documents
}

/// Whether a line is a document marker, alone or with something behind it.
fn is_marker(line: &[u8], marker: &[u8; 3]) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
}

/// Whether lines hold nothing but comments, directives and markers.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').all(|line| {
        let rest = if is_marker(line, b"---") || is_marker(line, b"...") { &line[3..] } else { line };
        let content = rest.trim_ascii();
        content.is_empty() || content.starts_with(b"#") || rest.starts_with(b"%")
    })
}
