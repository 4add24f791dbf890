//! Failures of ports, by the question that matters: did it happen?

/// What a failed call means for who called.
///
/// Its text tells everything, causes included, so that a log that shows the text alone loses nothing.
/// Therefore it gives nobody a source: whoever prints a chain would tell each cause twice.
#[derive(Debug)]
pub enum PortError {
    /// It did not happen: trying again is safe.
    DidNotHappen {
        /// What was attempted, on what.
        attempted: String,
        /// Why it failed.
        source: anyhow::Error,
    },
    /// It may have happened: try again only under the same id or key.
    MayHaveHappened {
        /// What was attempted, on what.
        attempted: String,
        /// Why it failed.
        source: anyhow::Error,
    },
    /// It will never succeed as asked: a bad request, something missing, something denied.
    NeverWill {
        /// What was attempted, on what.
        attempted: String,
        /// Why it failed.
        source: anyhow::Error,
        /// What would have to change.
        remedy: Remedy,
    },
}

/// What has to change before a call that will never succeed as asked can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The request itself: nothing else mends it.
    Request,
    /// What it needs: somebody has to grant a permission, or to make a topic or a bucket. The same
    /// request succeeds then.
    Setup,
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request => Ok(()),
            Self::Setup => f.write_str(" before what it needs is set up or granted"),
        }
    }
}

impl std::fmt::Display for PortError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DidNotHappen { attempted, source } => write!(f, "{attempted}: did not happen: {source:#}"),
            Self::MayHaveHappened { attempted, source } => write!(f, "{attempted}: may have happened: {source:#}"),
            Self::NeverWill { attempted, source, remedy } => {
                write!(f, "{attempted}: will not succeed{remedy}: {source:#}")
            }
        }
    }
}

impl std::error::Error for PortError {}

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

    /// A failure that no repetition mends: the request is at fault.
    pub fn never_will(attempted: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self::NeverWill { attempted: attempted.into(), source: source.into(), remedy: Remedy::Request }
    }

    /// A failure that only somebody mends: a permission is missing, or a topic or bucket is.
    pub fn not_set_up(attempted: impl Into<String>, source: impl Into<anyhow::Error>) -> Self {
        Self::NeverWill { attempted: attempted.into(), source: source.into(), remedy: Remedy::Setup }
    }

    /// Whether the request is not at fault: the same one can succeed once what is down is back, or
    /// what is missing is set up. A message that met such a failure is kept, never a dead letter
    /// (docs/decisions/0037-a-denied-call-is-an-outage.md).
    pub const fn is_outage(&self) -> bool {
        !matches!(self, Self::NeverWill { remedy: Remedy::Request, .. })
    }

    /// Whether somebody has to set something up before the same call can succeed.
    pub const fn is_not_set_up(&self) -> bool {
        matches!(self, Self::NeverWill { remedy: Remedy::Setup, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{ClusterError, DocumentsError, Kind};

    #[test]
    fn however_it_is_printed_each_cause_is_told_once() {
        let cause = || anyhow::Error::new(std::io::Error::other("broken pipe")).context("send the request");
        for error in [
            PortError::did_not_happen("read object k", cause()),
            PortError::may_have_happened("read object k", cause()),
            PortError::never_will("read object k", cause()),
            PortError::not_set_up("read object k", cause()),
        ] {
            let alone = error.to_string();
            let nested = anyhow::Error::new(PortError::did_not_happen("load t", error)).context("handle m");
            told_once(&[alone, format!("{nested:#}")], &["read object k", "send the request", "broken pipe"]);
        }
        let unavailable = ClusterError::Unavailable { kind: Kind::Pods, source: cause() };
        let documents = DocumentsError::Unavailable { source: cause() };
        for error in [anyhow::Error::new(unavailable), anyhow::Error::new(documents)] {
            let texts = [error.to_string(), format!("{:#}", error.context("snapshot s"))];
            told_once(&texts, &["list of", "send the request", "broken pipe"]);
        }
    }

    fn told_once(texts: &[String], parts: &[&str]) {
        for (text, part) in texts.iter().flat_map(|text| parts.iter().map(move |part| (text, part))) {
            assert_eq!(text.matches(part).count(), 1, "{part:?} is not once in {text:?}");
        }
    }
}
