//! SQLite's failures as the port's: did it happen?

use rusqlite::ErrorCode;

use crate::ports::PortError;

/// Why a piece of work on the file failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite refused a statement; the transaction was rolled back.
    Sqlite(rusqlite::Error),
    /// SQLite failed while committing.
    Commit(rusqlite::Error),
    /// What was asked for cannot be done, whatever the file's state.
    Invalid(anyhow::Error),
    /// Already the port's own.
    Port(PortError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Invalid(error)
    }
}

impl Failure {
    /// The port's failure, naming what was attempted on which file.
    pub(super) fn into_port_error(self, attempted: impl Into<String>) -> PortError {
        match self {
            Self::Port(error) => error,
            Self::Invalid(error) => PortError::never_will(attempted, error),
            Self::Sqlite(error) if is_lasting(&error) => PortError::never_will(attempted, explained(error)),
            Self::Sqlite(error) => PortError::did_not_happen(attempted, explained(error)),
            Self::Commit(error) if is_unknown_at_commit(&error) => {
                PortError::may_have_happened(attempted, explained(error))
            }
            Self::Commit(error) if is_lasting(&error) => PortError::never_will(attempted, explained(error)),
            Self::Commit(error) => PortError::did_not_happen(attempted, explained(error)),
        }
    }
}

/// Whether repeating the same on the same file cannot succeed.
fn is_lasting(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::ApiMisuse
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::Unknown
        ),
        // Not SQLite's: a wrong column type, a wrong parameter, a wrong path.
        None => true,
    }
}

/// A failed write while committing may have reached the disk.
fn is_unknown_at_commit(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::SystemIoFailure) | None)
}

/// The error with what to do about it, where the code alone does not say.
fn explained(error: rusqlite::Error) -> anyhow::Error {
    let advice = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full, or the file reached its largest size: make room and try again",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process has been writing for too long",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the file is damaged or not a warehouse: restore it, or move it away and load again from the objects"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "the file or its folder may not be written",
        Some(ErrorCode::CannotOpen) => "the file or its folder is missing or may not be opened",
        _ => return error.into(),
    };
    anyhow::Error::new(error).context(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: std::ffi::c_int) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
    }

    #[test]
    fn each_code_says_whether_it_happened() {
        use rusqlite::ffi::{
            SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_CONSTRAINT, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_NOTADB,
            SQLITE_READONLY,
        };
        for code in [SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR] {
            let error = Failure::from(sqlite(code)).into_port_error("write w.db");
            assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
            assert!(error.to_string().starts_with("write w.db: "), "{error}");
        }
        for code in [SQLITE_CONSTRAINT, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_READONLY] {
            let error = Failure::from(sqlite(code)).into_port_error("write w.db");
            assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
        }
        let error = Failure::Commit(sqlite(SQLITE_IOERR)).into_port_error("write w.db");
        assert!(matches!(error, PortError::MayHaveHappened { .. }), "{error}");
        let error = Failure::Commit(sqlite(SQLITE_FULL)).into_port_error("write w.db");
        assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
    }
}
