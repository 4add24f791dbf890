//! Where a team's own files hold what podledger needs.

use std::collections::BTreeMap;
use std::path::Path;

use super::field::Field;
use super::folder::text_of;
use super::{LIMITS, MAX_FILE_BYTES, PedError, Problem};
use crate::exit::UsageError;
use crate::yaml::{self, Node, Value};
use platform::nearest::nearest;

/// From field to path: YAML with podledger's field names as keys and dotted paths as values; a
/// number in a path is a place in a list, from 0. Fields that are not mapped are not declared.
///
/// ```yaml
/// namespace: app.kubernetes.namespace
/// deployment: app.name
/// maxReplicas: scaling.replicas.max
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    paths: BTreeMap<Field, String>,
    own: bool,
}

impl Mapping {
    /// Podledger's own shape.
    pub(super) fn own() -> Self {
        Self { paths: Field::ALL.iter().map(|field| (*field, field.own_path())).collect(), own: true }
    }

    /// Reads a mapping file.
    ///
    /// # Errors
    /// It cannot be read, or [`Mapping::parse`] refuses it: wrong configuration either way.
    pub fn read(path: &Path) -> Result<Self, UsageError> {
        let file = path.display().to_string();
        let text = text_of(path).map_err(|error| UsageError(format!("mapping {file}: cannot be read: {error}")))?;
        Self::parse(&text, &file).map_err(|error| UsageError(error.to_string()))
    }

    /// Reads the text of a mapping file.
    ///
    /// # Errors
    /// It is not a map from known field names to paths, or leaves out a field that every
    /// declaration needs.
    pub fn parse(text: &str, file: &str) -> Result<Self, PedError> {
        if text.len() > MAX_FILE_BYTES {
            let reason = format!("{} bytes are more than the {MAX_FILE_BYTES} a file may have", text.len());
            return Err(PedError::one(file, 1, 1, reason));
        }
        let node = yaml::parse(text.strip_prefix('\u{feff}').unwrap_or(text), 1, LIMITS)
            .map_err(|error| PedError::one(file, error.line, error.column, error.reason))?;
        let Some(Node { value: Value::Map(entries), .. }) = &node else {
            return Err(PedError::one(file, 1, 1, "a mapping is a map from podledger's fields to paths"));
        };
        let mut paths = BTreeMap::new();
        let mut problems = Vec::new();
        for (key, value) in entries {
            match (Field::from_name(&key.text), value.text().filter(|path| is_path(path))) {
                (Some(field), Some(path)) => {
                    paths.insert(field, path.to_owned());
                }
                (Some(_), None) => problems.push(Problem {
                    line: value.line,
                    column: value.column,
                    reason: format!("{}: expected a path such as app.kubernetes.namespace", key.text),
                }),
                (None, _) => problems.push(Problem {
                    line: key.line,
                    column: key.column,
                    reason: unknown(&key.text, "podledger's field", Field::ALL.iter().map(|field| field.name())),
                }),
            }
        }
        for field in Field::ALL.iter().filter(|field| field.is_required() && !paths.contains_key(field)) {
            let known = entries.iter().any(|(key, _)| key.text == field.name());
            if !known {
                let reason = format!("{} is not mapped, and every declaration needs it", field.name());
                problems.push(Problem { line: 1, column: 1, reason });
            }
        }
        if problems.is_empty() {
            Ok(Self { paths, own: false })
        } else {
            Err(PedError { file: file.to_owned(), problems })
        }
    }

    /// Whether this is podledger's own shape, in which every key must be known.
    pub(super) const fn is_own(&self) -> bool {
        self.own
    }

    /// Where a field stands.
    pub(super) fn path(&self, field: Field) -> Option<&str> {
        self.paths.get(&field).map(String::as_str)
    }

    /// The value of a field in a document; null reads as absent.
    pub(super) fn find<'n>(&self, document: &'n Node, field: Field) -> Option<&'n Node> {
        let found = self.path(field)?.split('.').try_fold(document, |node, part| match &node.value {
            Value::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => node.get(part),
        })?;
        (found.value != Value::Null).then_some(found)
    }
}

/// Whether text is a dotted path.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(|part| !part.trim().is_empty())
}

/// The sentence about a word that is not known, with the nearest one that is.
pub(super) fn unknown<'a>(word: &str, what: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let word: String = word.chars().take(MAX_QUOTED_CHARS).collect();
    match nearest(&word, known.clone()) {
        Some(nearest) => format!("{word:?} is not {what}, did you mean {nearest:?}?"),
        None => format!("{word:?} is not {what}: expected one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// Longest piece of foreign text in a sentence, in characters.
pub(super) const MAX_QUOTED_CHARS: usize = 80;
