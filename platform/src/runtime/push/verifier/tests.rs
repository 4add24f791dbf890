use std::time::Duration;

use axum::http::header;
use schemas::Timestamp;
use serde_json::{Value, json};

use super::super::key_cache::Pace;
use super::*;
use crate::ports::FixedClock;
use crate::runtime::install_tls;
use crate::testkit::oidc::{KeyServer, Serves, Signer, key_set};

const NOW: i64 = 1_790_000_000;
const SKEW: i64 = 30;
const LONG: Duration = Duration::from_secs(1000);

struct Checked {
    server: KeyServer,
    verifier: Verifier,
}

async fn checked(signer: &Signer, pace: Pace) -> Checked {
    install_tls();
    let server = KeyServer::start(Serves::Text(key_set([signer]))).await;
    let admission = Admission {
        issuers: vec!["accounts.google.com".to_owned()],
        audiences: vec!["us".to_owned()],
        service_accounts: vec!["pusher@example.com".to_owned()],
        skew: Duration::from_secs(SKEW.unsigned_abs()),
    };
    let door = Door { jwks_url: server.url().parse().unwrap(), pace, admission };
    let verifier = Verifier::new(&door, Arc::new(FixedClock(Timestamp::from_seconds(NOW)))).unwrap();
    Checked { server, verifier }
}

fn claims(issued: i64) -> Value {
    json!({"iss": "accounts.google.com", "aud": "us", "email": "pusher@example.com", "email_verified": true,
        "iat": issued, "exp": issued + 3600})
}

impl Checked {
    async fn admits(&self, token: &str) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        self.verifier.admit(&headers).await
    }
}

const EAGER: Pace = Pace { fresh: LONG, kept: LONG, pause: Duration::ZERO };

#[tokio::test]
async fn a_rotated_key_is_followed_without_a_request_lost() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let checked = checked(&old, EAGER).await;
    assert_eq!(checked.admits(&old.token(&claims(NOW))).await, Ok(()));
    // As Google does it: both for a while, then the new one alone.
    checked.server.serve(Serves::Text(key_set([&old, &new])));
    assert_eq!(checked.admits(&new.token(&claims(NOW))).await, Ok(()));
    assert_eq!(checked.admits(&old.token(&claims(NOW))).await, Ok(()));
    checked.server.serve(Serves::Text(key_set([&new])));
    assert_eq!(
        checked.admits(&Signer::new("invented").token(&claims(NOW))).await,
        Err(Refusal::Unauthenticated("unknown-key"))
    );
    assert_eq!(checked.admits(&new.token(&claims(NOW))).await, Ok(()));
    assert_eq!(checked.admits(&old.token(&claims(NOW))).await, Err(Refusal::Unauthenticated("unknown-key")));
}

#[tokio::test]
async fn a_new_key_under_an_old_id_is_the_old_ones_end() {
    let (old, new) = (Signer::new("k"), Signer::new("k"));
    let checked = checked(&old, Pace { fresh: Duration::ZERO, ..EAGER }).await;
    assert_eq!(checked.admits(&old.token(&claims(NOW))).await, Ok(()));
    checked.server.serve(Serves::Text(key_set([&new])));
    assert_eq!(checked.admits(&old.token(&claims(NOW))).await, Err(Refusal::Unauthenticated("signature")));
    assert_eq!(checked.admits(&new.token(&claims(NOW))).await, Ok(()));
}

#[tokio::test]
async fn an_outage_of_the_keys_refuses_nobody_who_was_known() {
    let signer = Signer::new("k");
    let checked = checked(&signer, Pace { fresh: Duration::ZERO, ..EAGER }).await;
    checked.server.serve(Serves::Status(503));
    assert_eq!(checked.admits(&signer.token(&claims(NOW))).await, Err(Refusal::KeysAway), "not known yet");
    checked.server.serve(Serves::Text(key_set([&signer])));
    assert_eq!(checked.admits(&signer.token(&claims(NOW))).await, Ok(()));
    checked.server.serve(Serves::Status(503));
    assert_eq!(checked.admits(&signer.token(&claims(NOW))).await, Ok(()));
    let forged = Signer::new("k").token(&claims(NOW));
    assert_eq!(checked.admits(&forged).await, Err(Refusal::Unauthenticated("signature")), "an outage opens no door");
}

#[tokio::test]
async fn the_clock_that_counts_is_the_one_given() {
    let signer = Signer::new("k");
    let checked = checked(&signer, EAGER).await;
    for (issued, admitted) in [
        (NOW + SKEW, Ok(())),
        (NOW + SKEW + 1, Err(Refusal::Unauthenticated("not-yet-valid"))),
        (NOW - 3600 - SKEW + 1, Ok(())),
        (NOW - 3600 - SKEW, Err(Refusal::Unauthenticated("expired"))),
    ] {
        assert_eq!(checked.admits(&signer.token(&claims(issued))).await, admitted, "{issued}");
    }
}

#[tokio::test]
async fn what_is_wrong_at_sight_asks_nobody_for_keys() {
    let signer = Signer::new("k");
    let checked = checked(&signer, EAGER).await;
    let unsigned = signer.token_with(r#"{"alg":"none","kid":"k"}"#, &claims(NOW).to_string());
    for token in [unsigned.as_str(), "a.b.c", "", &"a".repeat(100_000)] {
        assert!(checked.admits(token).await.is_err());
    }
    assert_eq!(checked.server.reads(), 0);
}
