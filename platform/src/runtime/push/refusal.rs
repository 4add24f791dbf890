//! Requests that reach no handler, and what they are answered.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why a request reached no handler. Pub/Sub sends each of them again after a while, whatever the
/// status; the statuses are for who reads logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not show who sent it: what is wrong with its token, as a metric's label.
    Unauthenticated(&'static str),
    /// It shows who sent it, and that is not who may: likewise.
    Forbidden(&'static str),
    /// Nobody can be recognized at the moment: the keys could not be read.
    KeysAway,
    /// As much as may be in hand is in hand.
    Busy,
    /// The process is stopping.
    Draining,
    /// Its body is larger than a message can be.
    TooLarge,
    /// Its body did not come in time.
    TooSlow,
    /// It is no message, and why.
    NoMessage(String),
}

impl Refusal {
    /// The word for it in metrics.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Unauthenticated(reason) | Self::Forbidden(reason) => reason,
            Self::KeysAway => "keys-away",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::NoMessage(_) => "no-message",
        }
    }

    /// What else is to be said about it in a log.
    pub(super) fn detail(&self) -> Option<&str> {
        match self {
            Self::NoMessage(detail) => Some(detail),
            _ => None,
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::KeysAway | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoMessage(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Refusal {
    /// To whom is not known, no more is said than the status does.
    fn into_response(self) -> Response {
        let status = self.status();
        match self {
            Self::Unauthenticated(_) => (status, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
            Self::NoMessage(reason) => (status, reason + "\n").into_response(),
            _ => status.into_response(),
        }
    }
}
