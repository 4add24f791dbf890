//! A failure that several handlers are told.

use std::sync::Arc;

use anyhow::anyhow;
use platform::ports::PortError;
use platform::runtime::HandleError;

/// Why a write did not succeed, for each of those who waited for it.
#[derive(Debug, Clone)]
pub(crate) enum Refused {
    /// Something is down.
    Outage(Arc<anyhow::Error>),
    /// It will never succeed.
    Poison(Arc<anyhow::Error>),
}

impl Refused {
    pub(crate) fn outage(error: impl Into<anyhow::Error>) -> Self {
        Self::Outage(Arc::new(error.into()))
    }

    pub(crate) fn poison(error: impl Into<anyhow::Error>) -> Self {
        Self::Poison(Arc::new(error.into()))
    }
}

impl From<PortError> for Refused {
    fn from(error: PortError) -> Self {
        if error.is_outage() { Self::outage(error) } else { Self::poison(error) }
    }
}

impl From<Refused> for HandleError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Outage(error) => Self::Outage(anyhow!("{error:#}")),
            Refused::Poison(error) => Self::Poison(anyhow!("{error:#}")),
        }
    }
}
