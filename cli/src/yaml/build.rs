//! Events into a tree: anchors, aliases, merge keys, duplicate keys, bounds.

use std::collections::{HashMap, HashSet};

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, Tag};

use super::scalar::resolve;
use super::{Key, Limits, MAX_DEPTH, Node, Value, YamlError};

/// Reads one document; `first_line` is the line it begins at in its file. None where it is empty.
pub(crate) fn parse(text: &str, first_line: usize, limits: Limits) -> Result<Option<Node>, YamlError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut builder = Builder { first_line, limits, ..Builder::default() };
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| YamlError {
            line: (first_line + error.marker().line()).saturating_sub(1),
            column: error.marker().col() + 1,
            reason: error.info(),
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.root)
}

/// A collection that is not complete yet.
struct Open {
    line: usize,
    column: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, seen: HashSet<String>, key: Option<Key>, merged: Vec<Node> },
}

#[derive(Default)]
struct Builder {
    first_line: usize,
    limits: Limits,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    copied: usize,
    documents: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let (line, column) = (self.first_line + span.start.line() - 1, span.start.col() + 1);
        let at = |reason: String| YamlError { line, column, reason };
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(at("a second document begins without a line ---".to_owned()));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                self.add(Node { line, column, value }, anchor)?;
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(at("an alias stands within what it refers to".to_owned()));
                };
                let (nodes, bytes) = size(node);
                let copy = node.clone();
                self.charge(nodes, bytes).map_err(at)?;
                self.nodes = self.nodes.saturating_sub(1); // counted again by `add`
                self.add(copy, 0)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(Open { line, column, anchor, content: Content::List(Vec::new()) })?;
            }
            Event::MappingStart(_, anchor, _) => {
                let content = Content::Map { entries: Vec::new(), seen: HashSet::new(), key: None, merged: Vec::new() };
                self.open(Open { line, column, anchor, content })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, open: Open) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            let reason = format!("nested deeper than {MAX_DEPTH}");
            return Err(YamlError { line: open.line, column: open.column, reason });
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let Some(Open { line, column, anchor, content }) = self.open.pop() else { return Ok(()) };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { mut entries, mut seen, merged, .. } => {
                for source in merged {
                    merge(source, &mut entries, &mut seen)?;
                }
                Value::Map(entries)
            }
        };
        self.add(Node { line, column, value }, anchor)
    }

    /// Adds a complete node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        let (line, column) = (node.line, node.column);
        let at = |reason: String| YamlError { line, column, reason };
        self.charge(1, 0).map_err(at)?;
        if anchor != 0 {
            let (nodes, bytes) = size(&node);
            self.charge(nodes, bytes).map_err(at)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, seen, key, merged }) => match key.take() {
                None => *key = Some(as_key(node)?),
                Some(name) if name.text == MERGE_KEY && matches!(node.value, Value::Map(_) | Value::List(_)) => {
                    merged.push(node);
                }
                Some(name) => {
                    if !seen.insert(name.text.clone()) {
                        let reason = format!("key {:?} is there twice", shown(&name.text));
                        return Err(YamlError { line: name.line, column: name.column, reason });
                    }
                    entries.push((name, node));
                }
            },
        }
        Ok(())
    }

    /// Counts nodes and copied bytes against the bounds.
    fn charge(&mut self, nodes: usize, bytes: usize) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.copied = self.copied.saturating_add(bytes);
        if self.nodes > self.limits.max_nodes {
            return Err(format!("the document has more than {} values, aliases expanded", self.limits.max_nodes));
        }
        if self.copied > self.limits.max_copied_bytes {
            return Err(format!("anchors and aliases copy more than {} bytes", self.limits.max_copied_bytes));
        }
        Ok(())
    }
}

/// The key whose value is merged into its map (<https://yaml.org/type/merge.html>).
const MERGE_KEY: &str = "<<";

/// A scalar by its notation and tag.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match tag.map(Tag::core_suffix) {
        None if style == ScalarStyle::Plain => resolve(text),
        Some(Some("int" | "float" | "bool" | "null")) => resolve(text),
        _ => Value::Text(text.to_owned()),
    }
}

/// A scalar node as a key, as written.
fn as_key(node: Node) -> Result<Key, YamlError> {
    let (line, column) = (node.line, node.column);
    let text = match node.value {
        Value::Text(text) | Value::Number(text) => text,
        Value::Bool(truth) => truth.to_string(),
        Value::Null => "null".to_owned(),
        Value::List(_) | Value::Map(_) => {
            let reason = "a list or map cannot be a key".to_owned();
            return Err(YamlError { line, column, reason });
        }
    };
    Ok(Key { text, line, column })
}

/// Adds the entries of a merged map, or of a list of them, that are not there yet.
fn merge(source: Node, entries: &mut Vec<(Key, Node)>, seen: &mut HashSet<String>) -> Result<(), YamlError> {
    match source.value {
        Value::Map(merged) => {
            for (key, value) in merged {
                if seen.insert(key.text.clone()) {
                    entries.push((key, value));
                }
            }
            Ok(())
        }
        Value::List(sources) => sources.into_iter().try_for_each(|source| merge(source, entries, seen)),
        _ => {
            let reason = "what is merged is not a map".to_owned();
            Err(YamlError { line: source.line, column: source.column, reason })
        }
    }
}

/// Nodes and bytes of a tree.
fn size(node: &Node) -> (usize, usize) {
    let own = size_of::<Node>();
    match &node.value {
        Value::Null | Value::Bool(_) => (1, own),
        Value::Number(text) | Value::Text(text) => (1, own + text.len()),
        Value::List(items) => items.iter().map(size).fold((1, own), add),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| add(size(value), (0, size_of::<Key>() + key.text.len())))
            .fold((1, own), add),
    }
}

fn add(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0.saturating_add(b.0), a.1.saturating_add(b.1))
}

/// Longest piece of foreign text in a sentence, in characters.
const MAX_QUOTED_CHARS: usize = 80;

/// Foreign text, shortened.
fn shown(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}
