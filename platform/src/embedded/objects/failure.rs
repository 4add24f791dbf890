//! What an error of the file system means for who called.

use std::io::{Error, ErrorKind};

use crate::ports::PortError;

/// An error of which nothing came: the object is as it was.
pub(super) fn before(attempted: &str, error: Error) -> PortError {
    match error.kind() {
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidFilename
        | ErrorKind::Unsupported => PortError::never_will(attempted, error),
        _ => PortError::did_not_happen(attempted, error),
    }
}

/// An error after the object was changed, before that was safe from a power cut.
pub(super) fn after(attempted: &str, error: Error) -> PortError {
    PortError::may_have_happened(attempted, error)
}
