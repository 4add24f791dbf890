use std::sync::LazyLock;

use axum::http::HeaderValue;
use serde_json::json;

use super::super::keys::Keys;
use super::*;
use crate::testkit::oidc::{Signer, encoded, key_set};

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("k"));

const HEADER: &str = r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#;
const CLAIMS: &str = r#"{"iss":"i","aud":"a","email":"e","email_verified":true,"exp":2,"iat":1}"#;

fn refused(text: &str) -> &'static str {
    let key = Keys::parse(key_set([&*SIGNER]).as_bytes()).unwrap().get("k").unwrap();
    match Token::read(text).and_then(|token| token.claims(&key)) {
        Err(Refusal::Unauthenticated(reason)) => reason,
        other => panic!("{text}: {other:?}"),
    }
}

fn signed(header: &str, claims: &str) -> String {
    SIGNER.token_with(header, claims)
}

#[test]
fn a_token_tells_its_claims_to_who_has_its_key() {
    let key = Keys::parse(key_set([&*SIGNER]).as_bytes()).unwrap().get("k").unwrap();
    let text = signed(HEADER, CLAIMS);
    let token = Token::read(&text).unwrap();
    assert_eq!(token.key_id(), "k");
    assert_eq!(token.claims(&key).unwrap(), serde_json::from_str(CLAIMS).unwrap());
}

#[test]
fn a_header_that_says_something_else_is_refused_however_it_was_signed() {
    for (header, reason) in [
        (r#"{"alg":"none","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"None","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"HS256","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"ES256","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"RS512","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"PS256","kid":"k"}"#, "algorithm"),
        (r#"{"alg":"rs256","kid":"k"}"#, "algorithm"),
        (r#"{"alg":["RS256"],"kid":"k"}"#, "malformed"),
        (r#"{"kid":"k"}"#, "malformed"),
        (r#"{"alg":"RS256","alg":"none","kid":"k"}"#, "malformed"),
        (r#"{"alg":"RS256","kid":"k","kid":"l"}"#, "malformed"),
        (r#"{"alg":"RS256"}"#, "no-key-id"),
        (r#"{"alg":"RS256","kid":""}"#, "no-key-id"),
        (r#"{"alg":"RS256","kid":7}"#, "malformed"),
        (r#"{"alg":"RS256","kid":"k","crit":["exp"]}"#, "header"),
        (r#"{"alg":"RS256","kid":"k","typ":"at+jwt"}"#, "header"),
        ("[]", "malformed"),
        ("", "malformed"),
    ] {
        assert_eq!(refused(&signed(header, CLAIMS)), reason, "{header}");
    }
}

#[test]
fn a_key_in_the_header_is_not_the_key() {
    let other = Signer::new("k");
    let header = json!({"alg": "RS256", "kid": "k", "jwk": other.jwk(), "jku": "https://evil.example.com"});
    assert_eq!(refused(&other.token_with(&header.to_string(), CLAIMS)), "signature");
}

#[test]
fn what_is_no_token_is_refused() {
    let good = signed(HEADER, CLAIMS);
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    for (text, reason) in [
        (String::new(), "malformed"),
        ("a".to_owned(), "malformed"),
        ("..".to_owned(), "malformed"),
        (format!("{header}.{claims}"), "malformed"),
        (format!("{header}.{claims}."), "signature"),
        (format!("{header}.{claims}.{signature}="), "malformed"),
        (format!("{header}.{claims}.{signature} "), "malformed"),
        (format!("{good}.{signature}"), "signature"),
        (format!("{header}.{claims}.SIGNATURE_REMOVED_BY_GOOGLE"), "signature"),
        (format!("{header}.{}.{signature}", encoded(CLAIMS.replace('2', "3"))), "signature"),
        (format!("{header}.!.{signature}"), "signature"),
        (format!("ä{good}"), "malformed"),
        ("a".repeat(LONGEST_TOKEN + 1), "too-long"),
    ] {
        assert_eq!(refused(&text), reason, "{text}");
    }
}

#[test]
fn genuine_claims_of_another_shape_are_refused() {
    for claims in [
        r#"{"aud":"a","email":"e","email_verified":true,"exp":2,"iat":1}"#,
        r#"{"iss":"i","email":"e","email_verified":true,"exp":2,"iat":1}"#,
        r#"{"iss":"i","aud":"a","email_verified":true,"exp":2,"iat":1}"#,
        r#"{"iss":"i","aud":"a","email":"e","exp":2,"iat":1}"#,
        r#"{"iss":"i","aud":"a","email":"e","email_verified":true,"iat":1}"#,
        r#"{"iss":"i","aud":"a","email":"e","email_verified":true,"exp":2}"#,
        r#"{"iss":"i","aud":["a"],"email":"e","email_verified":true,"exp":2,"iat":1}"#,
        r#"{"iss":"i","aud":"a","email":"e","email_verified":"true","exp":2,"iat":1}"#,
        r#"{"iss":"i","aud":"a","email":"e","email_verified":true,"exp":"2","iat":1}"#,
        r#"{"iss":"i","aud":"a","email":"e","email_verified":true,"exp":1e400,"iat":1}"#,
        r#"{"iss":"i","aud":"a","aud":"b","email":"e","email_verified":true,"exp":2,"iat":1}"#,
        "null",
        "",
    ] {
        assert_eq!(refused(&signed(HEADER, claims)), "claims", "{claims}");
    }
}

#[test]
fn a_request_has_one_token_and_its_scheme_is_bearer() {
    let headers = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    };
    assert_eq!(bearer(&headers(&["Bearer a.b.c"])), Ok("a.b.c"));
    assert_eq!(bearer(&headers(&["bearer a.b.c"])), Ok("a.b.c"));
    for (values, reason) in [
        (&[] as &[&str], "no-token"),
        (&["Bearer a", "Bearer a"], "several-tokens"),
        (&["Basic a"], "scheme"),
        (&["Bearer"], "scheme"),
        (&["a.b.c"], "scheme"),
        (&[""], "scheme"),
        (&["Bearer ä"], "malformed"),
    ] {
        assert_eq!(bearer(&headers(values)), Err(Refusal::Unauthenticated(reason)), "{values:?}");
    }
}
