//! Names: of collections, and of documents in the whole of Google Cloud.
//! <https://cloud.google.com/firestore/quotas#collections_documents_and_fields>

use std::cmp::Ordering;
use std::str::FromStr;

/// Longest id of a collection or a document, in bytes.
pub const MAX_SEGMENT_BYTES: usize = 1_500;
/// Longest full name of a document, in bytes.
pub const MAX_NAME_BYTES: usize = 6 << 10;
/// Collections and documents within each other in one name.
const MAX_SEGMENTS: usize = 200;
/// Characters of a wrong name that an error repeats.
const SHOWN_CHARS: usize = 80;

/// A text that names no collection or no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} {reason}")]
pub struct InvalidName {
    /// The text, shortened.
    pub shown: String,
    /// What is wrong, after the text.
    pub reason: &'static str,
}

impl InvalidName {
    fn new(text: &str, reason: &'static str) -> Self {
        Self { shown: text.chars().take(SHOWN_CHARS).collect(), reason }
    }
}

/// The id of collections: those of this id all over a database are one collection group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionId(String);

impl CollectionId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CollectionId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if !is_segment(text) {
            return Err(InvalidName::new(text, "cannot be the id of a collection"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for CollectionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// The full name of a document: `projects/PROJECT/databases/DATABASE/documents/PATH`. Names are
/// ordered as Firestore orders `__name__`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentName {
    project: String,
    database: String,
    /// Collections and documents in turn.
    path: String,
}

impl DocumentName {
    /// The Google Cloud project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The database; `(default)` for the first one of a project.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The path below the database, such as `teams/payments/apis/orders`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Id of the collection the document is in.
    pub fn collection(&self) -> &str {
        // A path has at least two segments by construction.
        self.path.rsplit('/').nth(1).unwrap_or_default()
    }

    /// The document's own id.
    pub fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn segments(&self) -> impl Iterator<Item = (bool, i64, &str)> {
        self.path.split('/').map(Self::segment_order)
    }

    /// What orders one segment: numeric ids by number, before all others by their bytes.
    fn segment_order(segment: &str) -> (bool, i64, &str) {
        let number = segment.strip_prefix("__id").and_then(|rest| rest.strip_suffix("__"));
        match number.and_then(|number| number.parse().ok()) {
            Some(number) => (false, number, ""),
            None => (true, 0, segment),
        }
    }
}

impl FromStr for DocumentName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.len() > MAX_NAME_BYTES {
            return Err(InvalidName::new(text, "is longer than the name of a document can be"));
        }
        let error = || InvalidName::new(text, "is not projects/PROJECT/databases/DATABASE/documents/COLLECTION/ID");
        let rest = text.strip_prefix("projects/").ok_or_else(error)?;
        let (project, rest) = rest.split_once("/databases/").ok_or_else(error)?;
        let (database, path) = rest.split_once("/documents/").ok_or_else(error)?;
        let segments = path.split('/').take(MAX_SEGMENTS + 1).count();
        let whole = segments <= MAX_SEGMENTS && segments % 2 == 0 && path.split('/').all(is_segment);
        if !whole || !is_segment(project) || !is_segment(database) {
            return Err(error());
        }
        Ok(Self { project: project.to_owned(), database: database.to_owned(), path: path.to_owned() })
    }
}

impl std::fmt::Display for DocumentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "projects/{}/databases/{}/documents/{}", self.project, self.database, self.path)
    }
}

impl Ord for DocumentName {
    fn cmp(&self, other: &Self) -> Ordering {
        let root = (&self.project, &self.database).cmp(&(&other.project, &other.database));
        root.then_with(|| self.segments().cmp(other.segments()))
    }
}

impl PartialOrd for DocumentName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether a text can stand between the slashes of a name.
fn is_segment(text: &str) -> bool {
    (1..=MAX_SEGMENT_BYTES).contains(&text.len())
        && !matches!(text, "." | "..")
        && !text.chars().any(|letter| letter == '/' || letter.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(path: &str) -> DocumentName {
        format!("projects/p/databases/(default)/documents/{path}").parse().unwrap()
    }

    #[test]
    fn a_name_is_read_into_its_parts_and_written_as_it_was() {
        let text = "projects/example.com:acme/databases/(default)/documents/teams/pay ments/apis/ördérs";
        let name: DocumentName = text.parse().unwrap();
        let parts = (name.project(), name.database(), name.path(), name.collection(), name.id());
        assert_eq!(parts, ("example.com:acme", "(default)", "teams/pay ments/apis/ördérs", "apis", "ördérs"));
        assert_eq!(name.to_string(), text);
    }

    #[test]
    fn what_names_no_document_is_refused() {
        let deep = "a/".repeat(MAX_SEGMENTS);
        for path in ["", "a", "a/b/c", "a/", "/a", "a//b/c", "a/..", "a/b\n", &deep, &format!("a/{}", "b".repeat(1501))]
        {
            let text = format!("projects/p/databases/d/documents/{path}");
            assert!(text.parse::<DocumentName>().is_err(), "{path:?}");
        }
        for text in ["", "a/b", "projects/p/documents/a/b", "projects//databases/d/documents/a/b"] {
            let error = text.parse::<DocumentName>().unwrap_err().to_string();
            assert!(error.contains("projects/PROJECT"), "{error}");
        }
        let long = format!("projects/p/databases/d/documents/{}", "a/b/".repeat(MAX_NAME_BYTES));
        assert!(long.parse::<DocumentName>().unwrap_err().to_string().len() < 200);
        for id in ["", ".", "..", "a/b", "a\0"] {
            assert!(id.parse::<CollectionId>().is_err(), "{id:?}");
        }
    }

    #[test]
    fn names_are_ordered_as_the_database_orders_them() {
        let ordered =
            ["a/__id2__", "a/__id10__", "a/!", "a/A", "a/a", "a/a/b/c", "a/a!", "a/b", "a/é", "a/猫", "b/a"].map(name);
        for (one, other) in ordered.iter().zip(&ordered[1..]) {
            assert!(one < other, "{one} before {other}");
        }
    }
}
