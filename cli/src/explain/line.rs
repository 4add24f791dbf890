//! The lines that are printed.

use std::io::{self, Write};

use schemas::{Table, Topic};
use serde::Serialize;

/// Longest reason, in characters.
const MAX_REASON_CHARS: usize = 1_000;

/// Writes the lines of one file and counts its items.
pub(super) struct Lines<'f, W> {
    out: &'f mut W,
    file: &'f str,
    index: u64,
    written: io::Result<()>,
}

#[derive(Serialize)]
struct RowLine<'a, R> {
    table: &'a str,
    row: R,
    file: &'a str,
    index: u64,
}

#[derive(Serialize)]
struct MessageLine<'a, M> {
    topic: &'a str,
    message: M,
    file: &'a str,
    index: u64,
}

#[derive(Serialize)]
struct RejectLine<'a> {
    reject: Refusal<'a>,
}

#[derive(Serialize)]
struct SkipLine<'a> {
    skip: Refusal<'a>,
}

#[derive(Serialize)]
struct Refusal<'a> {
    file: &'a str,
    index: u64,
    reason: String,
}

impl<'f, W: Write> Lines<'f, W> {
    /// No lines yet, at item 0.
    pub(super) fn new(out: &'f mut W, file: &'f str) -> Self {
        Self { out, file, index: 0, written: Ok(()) }
    }

    /// The file whose lines these are.
    pub(super) const fn file(&self) -> &'f str {
        self.file
    }

    /// A row of a table.
    pub(super) fn row(&mut self, table: Table, row: impl Serialize) {
        let (file, index) = (self.file, self.index);
        self.write(&RowLine { table: table.name(), row, file, index });
    }

    /// A message of a topic.
    pub(super) fn message(&mut self, topic: Topic, message: impl Serialize) {
        let (file, index) = (self.file, self.index);
        self.write(&MessageLine { topic: topic.name(), message, file, index });
    }

    /// The item cannot be read.
    pub(super) fn reject(&mut self, reason: impl std::fmt::Display) {
        let reject = self.refusal(&reason);
        self.write(&RejectLine { reject });
    }

    /// The item is understood and gives nothing.
    pub(super) fn skip(&mut self, reason: impl std::fmt::Display) {
        let skip = self.refusal(&reason);
        self.write(&SkipLine { skip });
    }

    /// What follows is of the next item.
    pub(super) fn next_item(&mut self) {
        self.index += 1;
    }

    /// Whether everything was written.
    pub(super) fn finish(self) -> io::Result<()> {
        self.written
    }

    fn refusal(&self, reason: &dyn std::fmt::Display) -> Refusal<'f> {
        let reason = reason.to_string().chars().take(MAX_REASON_CHARS).collect();
        Refusal { file: self.file, index: self.index, reason }
    }

    /// Writes a line; after a failure nothing more.
    fn write(&mut self, line: &impl Serialize) {
        if self.written.is_ok() {
            self.written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut json| {
                json.push(b'\n');
                self.out.write_all(&json)
            });
        }
    }
}
