//! Wrong configuration, named by its variable.

/// A setting that is missing or cannot be read. The process exits with 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct ConfigError {
    /// The environment variable.
    pub variable: String,
    /// What is wrong with it, and what was expected.
    pub reason: String,
}

impl ConfigError {
    /// A setting that is wrong for a reason.
    pub fn new(variable: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self { variable: variable.into(), reason: reason.to_string() }
    }
}
