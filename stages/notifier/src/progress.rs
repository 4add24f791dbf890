//! What is known of telling one receiver of one event: the intent, the attempts, the receipt.

use schemas::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the format that this version writes, and the newest it reads.
const FORMAT: u32 = 1;

/// One object per receiver and event, replaced by compare-and-swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) format: u32,
    /// How often sending was begun.
    pub(crate) attempts: i64,
    /// The receiver asked not to be tried before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    /// The outcome, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipt {
    pub(crate) outcome: Outcome,
    /// When the outcome was known.
    pub(crate) at: Timestamp,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Sent,
    Refused,
    Silenced,
}

impl Outcome {
    /// The word of `notification_log`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Silenced => "silenced",
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self { format: FORMAT, attempts: 0, not_before: None, receipt: None }
    }
}

impl Progress {
    /// Reads a progress; one of a newer version is an error that says so.
    pub(crate) fn parse(key: &str, bytes: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let unreadable = |error| anyhow::Error::new(error).context(format!("state {key} cannot be read"));
        let Version { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
        anyhow::ensure!(
            format <= FORMAT,
            "state {key} has format {format}, this version reads up to {FORMAT}: it was written by a newer podledger"
        );
        serde_json::from_slice(bytes).map_err(unreadable)
    }
}
