//! What an error of BigQuery means for who called.
//!
//! BigQuery says why in a word, the reason: <https://cloud.google.com/bigquery/docs/error-messages>. The
//! word decides; where there is none, or one nobody knows, the HTTP status does.

use anyhow::anyhow;
use gcp_bigquery_client::error::{BQError, NestedResponseError};
use gcp_bigquery_client::model::error_proto::ErrorProto;

use crate::google::failure::{Effect, Outcome};
use crate::ports::PortError;

/// How much of a message an error shows, in characters.
const SHOWN_CHARS: usize = 2_000;

/// Words in the messages about transactions and statements that lost against another one; the reason is
/// `invalidQuery` then, as for a mistake.
const CONFLICTS: [&str; 2] = ["concurrent update", "concurrent transaction"];

/// One complaint, however it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    reason: String,
    message: String,
    /// HTTP status; none where the call went well and what it reports did not.
    status: Option<i64>,
}

impl Complaint {
    /// The first complaint in a list that a response or a job came with.
    pub(super) fn first(errors: &[ErrorProto]) -> Option<Self> {
        let error = errors.first()?;
        Some(Self {
            reason: error.reason.clone().unwrap_or_default(),
            message: error.message.clone().unwrap_or_default(),
            status: None,
        })
    }

    /// The complaint in an answer to a refused call.
    fn of_response(error: &NestedResponseError) -> Self {
        let reason = error.errors.first().and_then(|first| first.get("reason"));
        Self { reason: reason.cloned().unwrap_or_default(), message: error.message.clone(), status: Some(error.code) }
    }

    /// What became of the call.
    pub(super) fn outcome(&self, effect: Effect) -> Outcome {
        let perhaps = perhaps(effect);
        let message = self.message.to_lowercase();
        if CONFLICTS.iter().any(|words| message.contains(words)) {
            return Outcome::Not;
        }
        match self.reason.as_str() {
            // Refused before anything was done, or failed as a whole: jobs are atomic.
            "quotaExceeded"
            | "rateLimitExceeded"
            | "jobRateLimitExceeded"
            | "jobBackendError"
            | "jobInternalError"
            | "resourceInUse"
            | "tableUnavailable"
            | "blocked"
            | "stopped" => Outcome::Not,
            "backendError" | "internalError" | "timeout" => perhaps,
            "accessDenied" | "billingNotEnabled" | "notFound" => Outcome::NotSetUp,
            "attributeError"
            | "badRequest"
            | "billingTierLimitExceeded"
            | "duplicate"
            | "invalid"
            | "invalidQuery"
            | "invalidUser"
            | "notImplemented"
            | "parseError"
            | "required"
            | "resourcesExceeded"
            | "responseTooLarge" => Outcome::Never,
            _ => self.status.map_or(perhaps, |status| of_status(status, perhaps)),
        }
    }

    /// The same complaint with what else was said.
    #[must_use]
    pub(super) fn with(mut self, other: Option<Self>) -> Self {
        if let Some(other) = other.filter(|other| !self.message.contains(&other.message)) {
            self.message = format!("{}: {}", self.message, other.message);
        }
        self
    }

    /// Whether the message has these words.
    pub(super) fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }

    /// The port's error.
    pub(super) fn into_error(self, attempted: impl Into<String>, effect: Effect) -> PortError {
        self.outcome(effect).error(attempted, anyhow!("{self}"))
    }

    /// Whether what the call named is not there.
    pub(super) fn is_not_found(&self) -> bool {
        self.reason == "notFound" || (self.reason.is_empty() && self.status == Some(404))
    }

    /// Whether what the call would create is there already.
    pub(super) fn is_duplicate(&self) -> bool {
        self.reason == "duplicate" || (self.reason.is_empty() && self.status == Some(409))
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message: String = self.message.chars().take(SHOWN_CHARS).collect();
        let reason = if self.reason.is_empty() { "no reason" } else { self.reason.as_str() };
        match self.status {
            Some(status) => write!(f, "{message} ({reason}, HTTP {status})"),
            None => write!(f, "{message} ({reason})"),
        }
    }
}

/// What the service complained of; the client's other errors are none of the service's.
pub(super) fn complaint(error: &BQError) -> Option<Complaint> {
    match error {
        BQError::ResponseError { error } => Some(Complaint::of_response(&error.error)),
        _ => None,
    }
}

/// The port's error for a client's.
pub(super) fn port_error(attempted: impl Into<String>, effect: Effect, error: BQError) -> PortError {
    if let Some(complaint) = complaint(&error) {
        return complaint.into_error(attempted, effect);
    }
    outcome_of_client(&error, effect).error(attempted, error)
}

/// What became of a call that came without the service's answer, or with one that could not be read.
fn outcome_of_client(error: &BQError, effect: Effect) -> Outcome {
    match error {
        BQError::RequestError(error) if error.is_builder() => Outcome::Never,
        BQError::RequestError(error) if error.is_connect() => Outcome::Not,
        // An answer that is not the service's own, as of a proxy that is overloaded, has a status only
        // where the client looked at it.
        BQError::RequestError(error) => {
            let status = error.status().map(|status| i64::from(status.as_u16()));
            status.map_or(perhaps(effect), |status| of_status(status, perhaps(effect)))
        }
        // No token, no call. What lasts about credentials is found when the warehouse is opened.
        BQError::InvalidServiceAccountKey(_)
        | BQError::InvalidServiceAccountAuthenticator(_)
        | BQError::InvalidInstalledFlowAuthenticator(_)
        | BQError::InvalidApplicationDefaultCredentialsAuthenticator(_)
        | BQError::InvalidAuthorizedUserAuthenticator(_)
        | BQError::AuthError(_)
        | BQError::YupAuthError(_)
        | BQError::NoToken => Outcome::Not,
        _ => perhaps(effect),
    }
}

const fn perhaps(effect: Effect) -> Outcome {
    match effect {
        Effect::None => Outcome::Not,
        Effect::Write => Outcome::Perhaps,
    }
}

fn of_status(status: i64, perhaps: Outcome) -> Outcome {
    match status {
        401 | 407 | 429 => Outcome::Not,
        408 => perhaps,
        403 | 404 => Outcome::NotSetUp,
        400..=499 => Outcome::Never,
        _ => perhaps,
    }
}

#[cfg(test)]
mod tests;
