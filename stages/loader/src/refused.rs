//! A failure that several handlers are told.

use std::sync::Arc;

use anyhow::anyhow;
use platform::ports::{PortError, Remedy};
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
            Refused::Outage(error) => Self::Outage(match error.downcast_ref() {
                // What somebody has to set up is told as that, not as something that will pass.
                Some(PortError::NeverWill { attempted, source, remedy: Remedy::Setup }) => {
                    PortError::not_set_up(attempted, anyhow!("{source:#}")).into()
                }
                _ => anyhow!("{error:#}"),
            }),
            Refused::Poison(error) => Self::Poison(anyhow!("{error:#}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_up_is_told_as_that_and_an_outage_as_one() {
        let told = |error: PortError| match HandleError::from(Refused::from(error)) {
            HandleError::Outage(error) => {
                (error.to_string(), error.downcast_ref().is_some_and(PortError::is_not_set_up))
            }
            other => panic!("{other}"),
        };
        let (text, not_set_up) = told(PortError::not_set_up("load gke_pods", anyhow!("no permission")));
        assert!(not_set_up && text.matches("no permission").count() == 1, "{text}");
        let (text, not_set_up) = told(PortError::did_not_happen("load gke_pods", anyhow!("away")));
        assert!(!not_set_up && text.contains("away"), "{text}");
    }
}
