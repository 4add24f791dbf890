//! What is wrong with an object, and where: the slow second reading.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::Segment;

/// Longest shown part of a value or key, in characters.
const SHOWN: usize = 60;

/// One sentence that names the place, the value and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) String);

impl Fault {
    /// A value that is not what belongs there; `raw` as written.
    pub(crate) fn value(path: &str, raw: &str, expected: &str) -> Self {
        Self(format!("{path} is {}, expected {expected}", shortened(raw)))
    }

    /// Something that must be there.
    pub(crate) fn missing(path: &str, expected: &str) -> Self {
        Self(format!("{path} is missing, expected {expected}"))
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text from outside on one line, at most [`SHOWN`] characters of it.
pub(crate) fn shortened(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(visible).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The path of a field below another; a key that is no plain word stands in brackets.
fn field(at: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match (plain, at.is_empty()) {
        (true, true) => shortened(key),
        (true, false) => format!("{at}.{}", shortened(key)),
        (false, _) => format!("{at}[\"{}\"]", shortened(key)),
    }
}

/// Reads again what could not be read, to say why.
pub(super) fn explain<'a, T: Deserialize<'a>>(text: &'a str, at: &str) -> Fault {
    let mut reader = serde_json::Deserializer::from_str(text);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => error,
        Ok(_) => {
            let rest = reader.end().err().map_or_else(|| "it changed while read".to_owned(), |rest| rest.to_string());
            return Fault(format!("{}not one JSON value: {rest}", prefix(at)));
        }
    };
    let segments: Vec<&Segment> = error.path().iter().collect();
    let path = segments.iter().fold(at.to_owned(), |path, segment| match segment {
        Segment::Seq { index } => format!("{path}[{index}]"),
        Segment::Map { key } => field(&path, key),
        Segment::Enum { variant } => field(&path, variant),
        Segment::Unknown => path,
    });
    let path = if path.is_empty() { "it".to_owned() } else { path };
    let message = error.inner().to_string();
    let out_of_range = message.starts_with("number out of range");
    if matches!(error.inner().classify(), Category::Syntax | Category::Eof | Category::Io) && !out_of_range {
        return Fault(format!("{}not readable as JSON: {message}", prefix(at)));
    }
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return Fault::missing(&field(&path, name), "a value");
    }
    if let Some(name) = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
        return Fault(format!("{path} has {name} twice"));
    }
    let expected = match message.rsplit_once("expected ") {
        Some((_, expected)) => in_json_words(expected),
        None if out_of_range => "a number in range",
        None => return Fault(format!("{path}: {message}")),
    };
    Fault::value(&path, value_at(text, &segments).unwrap_or("unreadable"), expected)
}

/// The path in front of a sentence.
fn prefix(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{at} is ") }
}

/// What Rust's types are called in JSON.
fn in_json_words(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "true or false",
        "any valid JSON value" => "JSON",
        other => other,
    }
}

/// The raw value at a path.
fn value_at<'a>(text: &'a str, path: &[&Segment]) -> Option<&'a str> {
    path.iter().try_fold(text, |text, segment| match segment {
        Segment::Seq { index } => {
            serde_json::from_str::<Vec<&'a RawValue>>(text).ok()?.get(*index).map(|raw| raw.get())
        }
        Segment::Map { key } => {
            serde_json::from_str::<HashMap<String, &'a RawValue>>(text).ok()?.get(key).map(|raw| raw.get())
        }
        Segment::Enum { .. } | Segment::Unknown => Some(text),
    })
}
