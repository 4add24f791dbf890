//! Failures of ports, by the question that matters: did it happen?

/// What a failed call means for who called.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It did not happen: trying again is safe.
    #[error("{attempted}: did not happen: {source:#}")]
    DidNotHappen {
        /// What was attempted, on what.
        attempted: String,
        /// Why it failed.
        source: anyhow::Error,
    },
    /// It may have happened: try again only under the same id or key.
    #[error("{attempted}: may have happened: {source:#}")]
    MayHaveHappened {
        /// What was attempted, on what.
        attempted: String,
        /// Why it failed.
        source: anyhow::Error,
    },
    /// It will never succeed as asked: a bad request, something missing, something denied.
    #[error("{attempted}: will not succeed: {source:#}")]
    NeverWill {
        /// What was attempted, on what.
        attempted: String,
        /// Why it failed.
        source: anyhow::Error,
    },
}

/// Result of a port's call.
pub type PortResult<T> = Result<T, PortError>;

impl PortError {
    /// A failure after which trying again is safe.
    pub fn did_not_happen(attempted: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self::DidNotHappen { attempted: attempted.into(), source: source.into() }
    }

    /// A failure after which only the same call, under the same id, is safe.
    pub fn may_have_happened(attempted: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self::MayHaveHappened { attempted: attempted.into(), source: source.into() }
    }

    /// A failure that no repetition mends.
    pub fn never_will(attempted: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self::NeverWill { attempted: attempted.into(), source: source.into() }
    }

    /// Whether trying again can help.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::DidNotHappen { .. } | Self::MayHaveHappened { .. })
    }
}
