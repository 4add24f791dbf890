//! Whom a genuine token lets in.

use std::time::Duration;

use schemas::Timestamp;
use serde::Deserialize;

use super::refusal::Refusal;

/// What a token of Google says, of which nothing may be missing but `nbf`. An audience in a list is
/// refused: Google writes one.
/// <https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Claims {
    /// Who issued it.
    iss: String,
    /// For whom it is.
    aud: String,
    /// Who brings it.
    email: String,
    /// Whether the issuer knows that to be so.
    email_verified: bool,
    /// Until when it holds, in seconds since the epoch.
    exp: i64,
    /// When it was issued, likewise.
    iat: i64,
    /// From when on it holds, likewise.
    nbf: Option<i64>,
}

/// What claims are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Admission {
    pub(super) issuers: Vec<String>,
    pub(super) audiences: Vec<String>,
    pub(super) service_accounts: Vec<String>,
    /// How far the issuer's clock may be from ours.
    pub(super) skew: Duration,
}

impl Admission {
    /// Whether these claims let in at that time. Who is unknown is asked to say who he is (401); who
    /// is known, but not admitted, is told so (403).
    pub(super) fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), Refusal> {
        if !self.issuers.contains(&claims.iss) {
            return Err(Refusal::Unauthenticated("issuer"));
        }
        if !self.audiences.contains(&claims.aud) {
            return Err(Refusal::Unauthenticated("audience"));
        }
        // Times beyond the calendar are clamped to its ends, where they mean the same.
        if Timestamp::from_seconds(claims.exp).plus(self.skew) <= now || claims.exp <= claims.iat {
            return Err(Refusal::Unauthenticated("expired"));
        }
        let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
        if Timestamp::from_seconds(begins).minus(self.skew) > now {
            return Err(Refusal::Unauthenticated("not-yet-valid"));
        }
        if !claims.email_verified {
            return Err(Refusal::Forbidden("unverified-email"));
        }
        if !self.service_accounts.contains(&claims.email) {
            return Err(Refusal::Forbidden("service-account"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_790_000_000;
    const SKEW: i64 = 30;

    fn admission() -> Admission {
        Admission {
            issuers: vec!["https://accounts.google.com".to_owned(), "accounts.google.com".to_owned()],
            audiences: vec!["us".to_owned()],
            service_accounts: vec!["pusher@example.com".to_owned()],
            skew: Duration::from_secs(SKEW.unsigned_abs()),
        }
    }

    fn checked(changes: Value) -> Result<(), Refusal> {
        let mut claims = json!({
            "iss": "accounts.google.com", "aud": "us", "email": "pusher@example.com", "email_verified": true,
            "iat": NOW, "exp": NOW + 3600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        admission().check(&serde_json::from_value(claims).unwrap(), Timestamp::from_seconds(NOW))
    }

    #[test]
    fn both_forms_of_googles_name_are_googles() {
        for issuer in ["accounts.google.com", "https://accounts.google.com"] {
            assert_eq!(checked(json!({"iss": issuer})), Ok(()));
        }
        for issuer in ["http://accounts.google.com", "https://accounts.google.com/", "accounts.google.com.evil", ""] {
            assert_eq!(checked(json!({"iss": issuer})), Err(Refusal::Unauthenticated("issuer")), "{issuer}");
        }
    }

    #[test]
    fn a_clock_may_be_off_by_the_skew_and_no_second_more() {
        let expired = Err(Refusal::Unauthenticated("expired"));
        assert_eq!(checked(json!({"iat": NOW - 3600, "exp": NOW - SKEW + 1})), Ok(()));
        assert_eq!(checked(json!({"iat": NOW - 3600, "exp": NOW - SKEW})), expired);
        let early = Err(Refusal::Unauthenticated("not-yet-valid"));
        for begins in ["iat", "nbf"] {
            assert_eq!(checked(json!({begins: NOW + SKEW})), Ok(()), "{begins}");
            assert_eq!(checked(json!({begins: NOW + SKEW + 1})), early, "{begins}");
        }
    }

    #[test]
    fn times_that_no_calendar_has_are_refused_and_overflow_nothing() {
        let expired = Err(Refusal::Unauthenticated("expired"));
        assert_eq!(checked(json!({"exp": i64::MIN})), expired);
        assert_eq!(checked(json!({"iat": i64::MAX, "exp": i64::MAX})), expired);
        let early = Err(Refusal::Unauthenticated("not-yet-valid"));
        assert_eq!(checked(json!({"nbf": i64::MAX})), early);
        assert_eq!(checked(json!({"iat": i64::MIN, "nbf": i64::MIN})), Ok(()));
    }

    #[test]
    fn who_is_known_but_not_admitted_is_forbidden() {
        assert_eq!(checked(json!({"email_verified": false})), Err(Refusal::Forbidden("unverified-email")));
        for email in ["other@example.com", "Pusher@example.com", "pusher@example.com ", ""] {
            assert_eq!(checked(json!({"email": email})), Err(Refusal::Forbidden("service-account")), "{email:?}");
        }
        assert_eq!(checked(json!({"aud": "others"})), Err(Refusal::Unauthenticated("audience")));
    }
}
