//! What a process is told whose messages are pushed to it.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::super::config_error::ConfigError;
use super::super::documented::{Documented as _, FieldDoc};
use super::super::period::Period;
use super::admission::Admission;
use super::key_cache::Pace;
use crate::nearest::did_you_mean;
use crate::ports::{Clock, SystemClock};

/// The greatest clock skew: beyond it an expired token would live on noticeably.
const GREATEST_SKEW: Duration = Duration::from_secs(300);
/// The shortest deadline: below it not even a publish fits.
const SHORTEST_DEADLINE: Duration = Duration::from_secs(1);
/// The longest deadline, that of Pub/Sub's acknowledgements.
const LONGEST_DEADLINE: Duration = Duration::from_secs(600);

crate::settings! {
    /// What a process is told besides, where messages are pushed to it.
    pub struct PushSettings {
        /// Who may push: `oidc`, who brings a token of Google as said below; `none`, everybody, which needs `PUBSUB_EMULATOR_HOST`.
        push_auth: PushAuth = "oidc", "word", "none believes whoever reaches the port, so it is for emulators only";
        /// Audiences of the tokens, as the subscriptions' push configurations say them. Must be set with `oidc`.
        push_audience: Vec<String> = "", "AUDIENCE,…", "several, while one replaces another; each is believed";
        /// Service accounts whose tokens are admitted. Must be set with `oidc`.
        push_service_account: Vec<String> = "", "E-MAIL,…", "several, while one replaces another; each is believed";
        /// Issuers of the tokens.
        push_issuers: Vec<String> = "https://accounts.google.com,accounts.google.com", "ISSUER,…", "others than Google's are for tests";
        /// Where the keys are that tokens are signed with (a JWKS).
        push_jwks_url: String = "https://www.googleapis.com/oauth2/v3/certs", "https URL", "another than Google's is for tests; plain http needs PUBSUB_EMULATOR_HOST";
        /// How far the issuer's clock may be from ours, at most 5 min.
        push_clock_skew: Period = "30s", "period", "longer survives worse clocks and believes expired tokens longer";
        /// How long a request may take before it is answered with a failure, 1 s to 10 min; less than the subscription's acknowledgement deadline and the platform's request time-out.
        push_deadline: Period = "9m 30s", "period", "shorter notices hanging work earlier; work that needs longer never ends";
    }
}

/// Who may push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushAuth {
    /// Who brings a token of the right issuer, audience and service account.
    Oidc,
    /// Everybody who reaches the port.
    Nobody,
}

impl FromStr for PushAuth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "oidc" => Ok(Self::Oidc),
            "none" => Ok(Self::Nobody),
            _ => Err(format!("{text:?} is no way to authenticate{}", did_you_mean(text, ["oidc", "none"]))),
        }
    }
}

deserialize_from_text!(PushAuth);

/// How messages are pushed to a process: [`PushSettings`] that were checked.
#[derive(Debug, Clone)]
pub struct PushDelivery {
    /// How tokens are checked; none where everybody is believed.
    pub(super) door: Option<Door>,
    /// How long a request may take.
    pub(super) deadline: Duration,
    /// What tells whether a token is valid now: the machine's time, whatever the pipeline's acts are
    /// dated by.
    pub(super) clock: Arc<dyn Clock>,
}

impl PushDelivery {
    /// The same with tokens judged by another clock.
    #[must_use]
    pub fn judged_by(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }
}

/// What a token is checked against.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) jwks_url: Url,
    pub(super) pace: Pace,
    pub(super) admission: Admission,
}

impl PushSettings {
    /// The settings, if an endpoint can be served by them: with `oidc` everything a token is held
    /// against must be said, and without authentication, or with keys over plain http, Pub/Sub must
    /// be an emulator's (`emulated`).
    ///
    /// # Errors
    /// The first setting that is missing or out of its bounds.
    pub fn checked(self, emulated: bool) -> Result<PushDelivery, ConfigError> {
        let deadline = self.push_deadline.duration();
        if !(SHORTEST_DEADLINE..=LONGEST_DEADLINE).contains(&deadline) {
            return wrong(
                "push_deadline",
                format!("{deadline:?} is not within {SHORTEST_DEADLINE:?} to {LONGEST_DEADLINE:?}"),
            );
        }
        let door = match self.push_auth {
            PushAuth::Nobody if emulated => None,
            PushAuth::Nobody => {
                let reason = "none would let everybody push (expected: oidc; none only with PUBSUB_EMULATOR_HOST set)";
                return wrong("push_auth", reason);
            }
            PushAuth::Oidc => Some(self.door(emulated)?),
        };
        Ok(PushDelivery { door, deadline, clock: Arc::new(SystemClock) })
    }

    fn door(self, emulated: bool) -> Result<Door, ConfigError> {
        let skew = self.push_clock_skew.duration();
        if skew > GREATEST_SKEW {
            return wrong("push_clock_skew", format!("{skew:?} is more than {GREATEST_SKEW:?}"));
        }
        let audiences = words("push_audience", self.push_audience, "the audience of the push subscriptions' tokens")?;
        let service_accounts =
            words("push_service_account", self.push_service_account, "the e-mail of the account that pushes")?;
        if let Some(account) = service_accounts.iter().find(|account| !account.contains('@')) {
            return wrong("push_service_account", format!("{account:?} is no e-mail (expected: NAME@DOMAIN)"));
        }
        let issuers = words("push_issuers", self.push_issuers, "who signs the tokens")?;
        let jwks_url = match Url::parse(&self.push_jwks_url) {
            Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && emulated) => url,
            Ok(url) => {
                let reason = format!("{:?} keys would not be Google's for sure (expected: https URL)", url.scheme());
                return wrong("push_jwks_url", reason);
            }
            Err(error) => return wrong("push_jwks_url", format!("{:?}: {error}", self.push_jwks_url)),
        };
        let admission = Admission { issuers, audiences, service_accounts, skew };
        Ok(Door { jwks_url, pace: Pace::default(), admission })
    }
}

/// A list that says something, without the blanks around its words.
fn words(field: &str, list: Vec<String>, what: &str) -> Result<Vec<String>, ConfigError> {
    let words: Vec<String> = list.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { wrong(field, format!("not set (expected: {what})")) } else { Ok(words) }
}

fn wrong<T>(field: &str, reason: impl std::fmt::Display) -> Result<T, ConfigError> {
    let variable = PushSettings::FIELDS.iter().find(|doc| doc.name == field).map(FieldDoc::variable);
    Err(ConfigError::new(variable.unwrap_or_else(|| field.to_owned()), reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Env;

    const AUDIENCE: (&str, &str) = ("PODLEDGER_PUSH_AUDIENCE", "https://loader.example.com");
    const ACCOUNT: (&str, &str) = ("PODLEDGER_PUSH_SERVICE_ACCOUNT", "pusher@project.iam.gserviceaccount.com");

    fn checked(pairs: &[(&str, &str)], emulated: bool) -> Result<PushDelivery, ConfigError> {
        Env::from_pairs(pairs.iter().copied()).read::<PushSettings>()?.checked(emulated)
    }

    #[test]
    fn an_endpoint_is_never_open_because_something_was_not_set() {
        for (pairs, emulated, variable) in [
            (vec![], true, "PODLEDGER_PUSH_AUDIENCE"),
            (vec![ACCOUNT], false, "PODLEDGER_PUSH_AUDIENCE"),
            (vec![("PODLEDGER_PUSH_AUDIENCE", " , "), ACCOUNT], false, "PODLEDGER_PUSH_AUDIENCE"),
            (vec![AUDIENCE], false, "PODLEDGER_PUSH_SERVICE_ACCOUNT"),
            (vec![AUDIENCE, ("PODLEDGER_PUSH_SERVICE_ACCOUNT", "pusher")], false, "PODLEDGER_PUSH_SERVICE_ACCOUNT"),
            (vec![("PODLEDGER_PUSH_AUTH", "none")], false, "PODLEDGER_PUSH_AUTH"),
            (vec![("PODLEDGER_PUSH_AUTH", "nome")], true, "PODLEDGER_PUSH_AUTH"),
            (vec![AUDIENCE, ACCOUNT, ("PODLEDGER_PUSH_ISSUERS", ",")], false, "PODLEDGER_PUSH_ISSUERS"),
            (vec![AUDIENCE, ACCOUNT, ("PODLEDGER_PUSH_JWKS_URL", "http://a/b")], false, "PODLEDGER_PUSH_JWKS_URL"),
            (vec![AUDIENCE, ACCOUNT, ("PODLEDGER_PUSH_JWKS_URL", "file:///b")], true, "PODLEDGER_PUSH_JWKS_URL"),
            (vec![AUDIENCE, ACCOUNT, ("PODLEDGER_PUSH_JWKS_URL", "certs")], true, "PODLEDGER_PUSH_JWKS_URL"),
            (vec![AUDIENCE, ACCOUNT, ("PODLEDGER_PUSH_CLOCK_SKEW", "301s")], false, "PODLEDGER_PUSH_CLOCK_SKEW"),
            (vec![AUDIENCE, ACCOUNT, ("PODLEDGER_PUSH_DEADLINE", "0")], false, "PODLEDGER_PUSH_DEADLINE"),
            (vec![AUDIENCE, ACCOUNT, ("PODLEDGER_PUSH_DEADLINE", "601s")], false, "PODLEDGER_PUSH_DEADLINE"),
        ] {
            assert_eq!(checked(&pairs, emulated).unwrap_err().variable, variable, "{pairs:?}");
        }
    }

    #[test]
    fn audience_and_account_are_enough_and_googles_the_rest() {
        let door = checked(&[AUDIENCE, ACCOUNT], false).unwrap().door.unwrap();
        assert_eq!(door.admission.issuers, ["https://accounts.google.com", "accounts.google.com"]);
        assert_eq!(door.admission.audiences, [AUDIENCE.1]);
        assert_eq!(door.jwks_url.as_str(), "https://www.googleapis.com/oauth2/v3/certs");
    }

    #[test]
    fn nobody_is_checked_only_towards_an_emulator() {
        assert!(checked(&[("PODLEDGER_PUSH_AUTH", "none")], true).unwrap().door.is_none());
        let local = ("PODLEDGER_PUSH_JWKS_URL", "http://127.0.0.1:1/certs");
        assert!(checked(&[AUDIENCE, ACCOUNT, local], true).unwrap().door.is_some());
    }
}
