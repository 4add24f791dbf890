//! What an error of Firestore's client means for who lists.

use anyhow::anyhow;
use firestore::errors::FirestoreError;

use crate::ports::DocumentsError;

/// The permission that a query needs.
const PERMISSION: &str = "datastore.entities.list";

/// Why a query did not begin or go on.
#[derive(Debug)]
pub(super) struct Failure {
    /// What the list ends with, unless the query is begun again.
    pub(super) error: DocumentsError,
    /// Whether the connection, or the token shown over it, is at fault and better not used again.
    pub(super) of_connection: bool,
}

/// What became of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It may succeed later.
    Outage,
    /// It may succeed over another connection or with another token.
    Stale,
    /// The moment it was to show is gone.
    Expired,
    /// It may not be made.
    Denied,
    /// It never succeeds.
    Never,
}

impl Failure {
    /// Of a query. `at_read_time` says whether it was to show a moment of the past.
    pub(super) fn of_query(shown: impl ToString, at_read_time: bool, error: FirestoreError) -> Self {
        let (shown, outcome) = (shown.to_string(), outcome(&error, at_read_time));
        let error = match outcome {
            Outcome::Outage | Outcome::Stale => {
                return Self { of_connection: outcome == Outcome::Stale, ..Self::outage(shown, error) };
            }
            Outcome::Expired => DocumentsError::Expired,
            Outcome::Denied => {
                let reason =
                    format!("{shown}: not permitted: {PERMISSION} is needed (roles/datastore.viewer): {error}");
                DocumentsError::Refused { reason }
            }
            Outcome::Never => DocumentsError::Refused { reason: format!("{shown}: {error}") },
        };
        Self { error, of_connection: false }
    }

    /// Of a query that ended properly and said nothing: of an empty collection it says the moment it
    /// shows.
    pub(super) fn wordless(shown: impl ToString) -> Self {
        Self::outage(shown, anyhow!("a query ended without an answer"))
    }

    /// Of whatever may pass.
    pub(super) fn outage(shown: impl ToString, error: impl Into<anyhow::Error>) -> Self {
        let source = error.into().context(shown.to_string());
        Self { error: DocumentsError::Unavailable { source }, of_connection: false }
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
            // The client's own, too, when an answer is silent for too long.
            "DeadlineExceeded" | "Unauthenticated" => Outcome::Stale,
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
            (Code::DeadlineExceeded, Outcome::Stale, Outcome::Stale),
            (Code::ResourceExhausted, Outcome::Outage, Outcome::Outage),
            (Code::Aborted, Outcome::Outage, Outcome::Outage),
            (Code::Cancelled, Outcome::Outage, Outcome::Outage),
            (Code::Unauthenticated, Outcome::Stale, Outcome::Stale),
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
        let failure = Failure::of_query("firestore:p/d", true, error(Code::PermissionDenied));
        let text = failure.error.to_string();
        assert!(text.contains("firestore:p/d") && text.contains(PERMISSION), "{text}");
    }

    #[test]
    fn an_outage_names_the_database_and_says_whether_the_connection_is_at_fault() {
        for (code, of_connection) in [(Code::Unavailable, false), (Code::Unauthenticated, true)] {
            let failure = Failure::of_query("firestore:p/d", false, error(code));
            assert!(matches!(failure.error, DocumentsError::Unavailable { .. }), "{failure:?}");
            assert!(failure.error.to_string().contains("firestore:p/d"), "{failure:?}");
            assert_eq!(failure.of_connection, of_connection, "{code:?}");
        }
    }
}
