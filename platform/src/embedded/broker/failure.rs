//! What an error of SQLite means for who called.

use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::ports::PortError;

/// What is being attempted, for errors.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// What is done, such as `publish to`.
    pub(super) verb: &'static str,
    /// To what: a topic or subscription; may be empty.
    pub(super) subject: Arc<str>,
    /// In which file.
    pub(super) file: Arc<Path>,
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let space = if self.subject.is_empty() { "" } else { " " };
        write!(f, "{}{space}{} in broker file {}", self.verb, self.subject, self.file.display())
    }
}

/// Where in a transaction it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the commit: everything is rolled back.
    Before,
    /// In the commit: the log's last frame may have been written.
    Commit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happened {
    No,
    Perhaps,
    Never,
}

/// A failed transaction; everyone whose work was in it is told.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    happened: Happened,
    reason: Arc<str>,
}

impl Failure {
    pub(super) fn of(error: &rusqlite::Error, moment: Moment) -> Self {
        let happened = match (error.sqlite_error_code(), moment) {
            // A busy commit leaves the transaction open; it is rolled back.
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Happened::No,
            (_, Moment::Commit) => Happened::Perhaps,
            (
                Some(
                    ErrorCode::DiskFull
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::OutOfMemory
                    | ErrorCode::OperationInterrupted
                    | ErrorCode::OperationAborted
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::SchemaChanged,
                ),
                Moment::Before,
            ) => Happened::No,
            _ => Happened::Never,
        };
        Self { happened, reason: error.to_string().into() }
    }

    /// The broker's thread is gone, and with it the knowledge of what it did last.
    pub(super) fn thread_ended() -> Self {
        Self { happened: Happened::Perhaps, reason: "the broker's thread ended".into() }
    }

    /// Whether trying the same work on its own may do better.
    pub(super) fn may_be_someone_elses(&self) -> bool {
        self.happened != Happened::Perhaps
    }

    pub(super) fn port_error(&self, attempt: &Attempt) -> PortError {
        let (attempted, source) = (attempt.to_string(), anyhow::anyhow!("{}", self.reason));
        match self.happened {
            Happened::No => PortError::did_not_happen(attempted, source),
            Happened::Perhaps => PortError::may_have_happened(attempted, source),
            Happened::Never => PortError::never_will(attempted, source),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
    }

    fn happened(code: i32, moment: Moment) -> Happened {
        Failure::of(&sqlite(code), moment).happened
    }

    #[test]
    fn a_full_disk_and_a_busy_file_did_not_happen_and_corruption_never_mends() {
        use rusqlite::ffi::{SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_NOTADB};
        for code in [SQLITE_FULL, SQLITE_BUSY, SQLITE_IOERR] {
            assert_eq!(happened(code, Moment::Before), Happened::No, "{code}");
        }
        for code in [SQLITE_CORRUPT, SQLITE_NOTADB] {
            assert_eq!(happened(code, Moment::Before), Happened::Never, "{code}");
        }
        assert_eq!(happened(SQLITE_BUSY, Moment::Commit), Happened::No);
        assert_eq!(happened(SQLITE_IOERR, Moment::Commit), Happened::Perhaps);
    }
}
