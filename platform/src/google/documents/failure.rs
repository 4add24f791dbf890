//! What an error of Firestore's client means for who lists.

use firestore::errors::FirestoreError;

use crate::ports::DocumentsError;

/// The permission that a query needs.
const PERMISSION: &str = "datastore.entities.list";

/// What became of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It may succeed later.
    Outage,
    /// The moment it was to show is gone.
    Expired,
    /// It may not be made.
    Denied,
    /// It never succeeds.
    Never,
}

/// Whether a query may succeed when it is made again.
pub(super) fn is_outage(error: &FirestoreError) -> bool {
    outcome(error, false) == Outcome::Outage
}

/// The error of a list. `at_read_time` says whether the query was to show a moment of the past.
pub(super) fn documents_error(shown: String, at_read_time: bool, error: FirestoreError) -> DocumentsError {
    match outcome(&error, at_read_time) {
        Outcome::Outage => DocumentsError::Unavailable { source: anyhow::Error::new(error).context(shown) },
        Outcome::Expired => DocumentsError::Expired,
        Outcome::Denied => {
            let reason = format!("{shown}: not permitted: {PERMISSION} is needed (roles/datastore.viewer): {error}");
            DocumentsError::Refused { reason }
        }
        Outcome::Never => DocumentsError::Refused { reason: format!("{shown}: {error}") },
    }
}

/// What became of it. Credentials that could not be had, or were just rejected, are an outage:
/// tokens are renewed.
fn outcome(error: &FirestoreError, at_read_time: bool) -> Outcome {
    match error {
        FirestoreError::DatabaseError(error) => match error.public.code.as_str() {
            "PermissionDenied" => Outcome::Denied,
            // "The requested snapshot version is too old", and the like.
            "FailedPrecondition" | "OutOfRange" if at_read_time => Outcome::Expired,
            "InvalidArgument" | "FailedPrecondition" | "OutOfRange" | "Unimplemented" => Outcome::Never,
            _ => Outcome::Outage,
        },
        FirestoreError::SystemError(_) | FirestoreError::NetworkError(_) => Outcome::Outage,
        _ => Outcome::Never,
    }
}

#[cfg(test)]
mod tests {
    use firestore::gcloud_sdk::tonic::{Code, Status};

    use super::*;

    fn error(code: Code) -> FirestoreError {
        Status::new(code, "no").into()
    }

    #[test]
    fn what_can_never_succeed_is_told_from_what_may() {
        for (code, now, then) in [
            (Code::Unavailable, Outcome::Outage, Outcome::Outage),
            (Code::Internal, Outcome::Outage, Outcome::Outage),
            (Code::Unknown, Outcome::Outage, Outcome::Outage),
            (Code::DeadlineExceeded, Outcome::Outage, Outcome::Outage),
            (Code::ResourceExhausted, Outcome::Outage, Outcome::Outage),
            (Code::Aborted, Outcome::Outage, Outcome::Outage),
            (Code::Cancelled, Outcome::Outage, Outcome::Outage),
            (Code::Unauthenticated, Outcome::Outage, Outcome::Outage),
            (Code::FailedPrecondition, Outcome::Never, Outcome::Expired),
            (Code::InvalidArgument, Outcome::Never, Outcome::Never),
            (Code::NotFound, Outcome::Never, Outcome::Never),
            (Code::Unimplemented, Outcome::Never, Outcome::Never),
            (Code::PermissionDenied, Outcome::Denied, Outcome::Denied),
        ] {
            assert_eq!((outcome(&error(code), false), outcome(&error(code), true)), (now, then), "{code:?}");
        }
    }

    #[test]
    fn a_missing_permission_is_named() {
        let error = documents_error("firestore:p/d".to_owned(), true, error(Code::PermissionDenied)).to_string();
        assert!(error.contains("firestore:p/d") && error.contains(PERMISSION), "{error}");
    }
}
