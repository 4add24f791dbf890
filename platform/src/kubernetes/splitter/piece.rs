//! What a splitter yields.

use bytes::Bytes;

/// A place in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Bytes before it.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
}

/// One element of a list, or a top-level value that is not a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its position in its array, from 0; 0 for a top-level value.
    pub index: u64,
    /// Where it begins.
    pub place: Place,
    /// Its bytes: one balanced value, not yet known to be JSON or UTF-8; or why they were not kept.
    pub bytes: Result<Bytes, String>,
}

/// What a list says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListHead {
    /// `kind`, such as `PodList`.
    pub kind: Option<String>,
    /// `apiVersion`.
    pub api_version: Option<String>,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// `metadata.continue`; never empty.
    pub continue_token: Option<String>,
    /// Why `metadata` could not be read, if it could not.
    pub metadata_fault: Option<String>,
}

/// What a top-level value turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// An object with an `items` array, whose elements were yielded.
    List,
    /// An object whose `items` is null: an empty list.
    EmptyList,
    /// A top-level array, whose elements were yielded.
    Array,
    /// Any other value, as a whole.
    Single(Item),
}

/// What comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// An array of items begins; what its list said of itself up to here.
    Begin {
        /// Empty for a top-level array.
        head: ListHead,
    },
    /// An element of the list that is being read.
    Item(Item),
    /// A top-level value ended.
    End {
        /// What it was.
        shape: Shape,
        /// What it said of itself, if it was an object.
        head: ListHead,
    },
}

/// The input is not JSON at this place, or ends there; what follows cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {}, line {}", place.offset, place.line)]
pub struct SplitFault {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub reason: String,
    /// Whether the input simply ended.
    pub truncated: bool,
}
