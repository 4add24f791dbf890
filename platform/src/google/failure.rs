//! What an error of Google's clients means for who called.

use google_cloud_gax::error::Error;
use google_cloud_gax::error::rpc::Code;

use crate::ports::PortError;

/// Whether a call could have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only looks: however it failed, nothing happened.
    None,
    /// It writes: an answer that got lost may have been a success.
    Write,
}

/// What became of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing; trying again is safe.
    Not,
    /// Perhaps it happened.
    Perhaps,
    /// Nothing, and it never will as asked.
    Never,
    /// Nothing, and it will not before somebody sets up or grants what it needs.
    NotSetUp,
}

impl Outcome {
    pub(super) fn error(self, attempted: impl Into<String>, source: impl Into<anyhow::Error>) -> PortError {
        match self {
            Self::Not => PortError::did_not_happen(attempted, source),
            Self::Perhaps => PortError::may_have_happened(attempted, source),
            Self::Never => PortError::never_will(attempted, source),
            Self::NotSetUp => PortError::not_set_up(attempted, source),
        }
    }
}

/// The error of a port for an error of a client.
pub(super) fn port_error(attempted: impl Into<String>, effect: Effect, error: Error) -> PortError {
    outcome(&error, effect).error(attempted, error)
}

/// What became of the call. A refusal for want of a permission or a resource is not the request's
/// fault. Credentials that could not be had, or that were just rejected, are renewed: that is worth
/// trying again.
pub(super) fn outcome(error: &Error, effect: Effect) -> Outcome {
    let perhaps = if effect == Effect::None { Outcome::Not } else { Outcome::Perhaps };
    if error.is_binding() || error.is_serialization() {
        return Outcome::Never;
    }
    if error.is_transient_and_before_rpc() || error.is_connect() || error.is_authentication() {
        return Outcome::Not;
    }
    // An answer over HTTP may have a body that says nothing: then its number does.
    if let Some(status) = error.status().filter(|status| status.code != Code::Unknown) {
        return of_code(status.code, perhaps);
    }
    error.http_status_code().map_or(perhaps, |code| of_http(code, perhaps))
}

fn of_code(code: Code, perhaps: Outcome) -> Outcome {
    match code {
        Code::InvalidArgument | Code::AlreadyExists | Code::OutOfRange => Outcome::Never,
        Code::NotFound | Code::PermissionDenied | Code::FailedPrecondition | Code::Unimplemented => Outcome::NotSetUp,
        // Refused before anything was done.
        Code::Unauthenticated | Code::ResourceExhausted | Code::Aborted => Outcome::Not,
        _ => perhaps,
    }
}

fn of_http(code: u16, perhaps: Outcome) -> Outcome {
    match code {
        401 | 429 => Outcome::Not,
        408 | 500.. => perhaps,
        // What is wrong with the request itself: its form, its length, its content.
        400 | 411 | 413..=417 | 422 | 431 => Outcome::Never,
        400..=499 => Outcome::NotSetUp,
        _ => perhaps,
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_gax::error::rpc::Status;

    use super::*;

    fn service(code: Code) -> Error {
        Error::service(Status::default().set_code(code).set_message("no"))
    }

    fn http_service(http: u16, code: Code) -> Error {
        Error::service_with_http_metadata(Status::default().set_code(code), Some(http), None)
    }

    fn http(code: u16) -> Error {
        Error::http(code, http::HeaderMap::new(), bytes::Bytes::new())
    }

    #[test]
    fn what_can_never_succeed_is_told_from_what_may_have() {
        let cases = [
            (service(Code::InvalidArgument), Outcome::Never, Outcome::Never),
            (service(Code::NotFound), Outcome::NotSetUp, Outcome::NotSetUp),
            (service(Code::PermissionDenied), Outcome::NotSetUp, Outcome::NotSetUp),
            (service(Code::ResourceExhausted), Outcome::Not, Outcome::Not),
            (service(Code::Unauthenticated), Outcome::Not, Outcome::Not),
            (service(Code::Unavailable), Outcome::Perhaps, Outcome::Not),
            (service(Code::Internal), Outcome::Perhaps, Outcome::Not),
            (service(Code::DeadlineExceeded), Outcome::Perhaps, Outcome::Not),
            (http(400), Outcome::Never, Outcome::Never),
            (http(403), Outcome::NotSetUp, Outcome::NotSetUp),
            (http(413), Outcome::Never, Outcome::Never),
            (http(401), Outcome::Not, Outcome::Not),
            (http(408), Outcome::Perhaps, Outcome::Not),
            (http(429), Outcome::Not, Outcome::Not),
            (http(503), Outcome::Perhaps, Outcome::Not),
            (http_service(404, Code::Unknown), Outcome::NotSetUp, Outcome::NotSetUp),
            (http_service(503, Code::Unknown), Outcome::Perhaps, Outcome::Not),
            (http_service(409, Code::Aborted), Outcome::Not, Outcome::Not),
            (Error::io("cut"), Outcome::Perhaps, Outcome::Not),
            (Error::timeout("late"), Outcome::Perhaps, Outcome::Not),
            (Error::connect("refused"), Outcome::Not, Outcome::Not),
            (Error::binding("no bucket"), Outcome::Never, Outcome::Never),
        ];
        for (error, write, read) in cases {
            assert_eq!(outcome(&error, Effect::Write), write, "writing: {error:?}");
            assert_eq!(outcome(&error, Effect::None), read, "reading: {error:?}");
        }
    }

    #[test]
    fn an_error_says_what_was_attempted_and_why_it_failed() {
        let error = port_error("publish to violations", Effect::Write, service(Code::InvalidArgument));
        assert!(matches!(error, PortError::NeverWill { .. }));
        let text = error.to_string();
        assert!(text.starts_with("publish to violations: will not succeed:") && text.contains("no"), "{text}");
    }

    #[test]
    fn a_denied_call_is_nobodys_bad_request_and_says_what_mends_it() {
        for code in [Code::PermissionDenied, Code::NotFound] {
            let error = port_error("publish to violations", Effect::Write, service(code));
            assert!(error.is_not_set_up() && error.is_outage(), "{error}");
            assert!(error.to_string().contains("before what it needs is set up or granted"), "{error}");
        }
    }
}
