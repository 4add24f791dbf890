//! Which clock a process goes by.

use std::str::FromStr;
use std::sync::Arc;

use schemas::Timestamp;

use crate::nearest::did_you_mean;
use crate::ports::{Clock, FixedClock, SystemClock};

/// `system`, or `fixed:TIME` for runs that can be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockSetting {
    /// The machine's clock.
    System,
    /// A clock that stands still.
    Fixed(Timestamp),
}

impl ClockSetting {
    /// The clock.
    pub fn clock(self) -> Arc<dyn Clock> {
        match self {
            Self::System => Arc::new(SystemClock),
            Self::Fixed(at) => Arc::new(FixedClock(at)),
        }
    }
}

impl FromStr for ClockSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "system" => Ok(Self::System),
            Some(("fixed", at)) => Timestamp::parse(at).map(Self::Fixed).map_err(|error| error.to_string()),
            _ => {
                let word = text.split(':').next().unwrap_or_default();
                let hint = did_you_mean(word, ["system", "fixed"]);
                Err(format!("{word:?} is no clock{hint} (expected system or fixed:TIME)"))
            }
        }
    }
}

deserialize_from_text!(ClockSetting);
