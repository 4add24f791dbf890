use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::testkit::oidc::{Signer, encoded, key_set};

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("k"));

fn changed(changes: Value) -> Value {
    let mut jwk = SIGNER.jwk();
    for (name, value) in changes.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn parsed(keys: &[Value]) -> Result<Keys, String> {
    Keys::parse(json!({"keys": keys}).to_string().as_bytes())
}

#[test]
fn a_published_key_verifies_what_its_holder_signed_and_nothing_else() {
    let key = Keys::parse(key_set([&*SIGNER]).as_bytes()).unwrap().get("k").unwrap();
    let signature = SIGNER.signature(b"message");
    assert!(key.signed(b"message", &signature));
    assert!(!key.signed(b"Message", &signature));
    assert!(!key.signed(b"message", &Signer::new("k").signature(b"message")));
    assert!(!key.signed(b"message", &[]));
}

#[test]
fn zeros_in_front_and_padding_behind_change_no_key() {
    let n = URL_SAFE_NO_PAD.decode(SIGNER.jwk()["n"].as_str().unwrap()).unwrap();
    let keys = parsed(&[changed(json!({"n": encoded([&[0], n.as_slice()].concat()), "e": "AQAB="}))]).unwrap();
    assert!(keys.get("k").unwrap().signed(b"m", &SIGNER.signature(b"m")));
}

#[test]
fn a_key_that_does_not_serve_leaves_the_others_alone() {
    for other in [
        changed(json!({"kid": "other", "kty": "EC"})),
        changed(json!({"kid": "other", "kty": "oct"})),
        changed(json!({"kid": "other", "alg": "RS512"})),
        changed(json!({"kid": "other", "use": "enc"})),
        changed(json!({"kid": "other", "n": "AQAB"})),
        changed(json!({"kid": "other", "n": encoded([255; 1025])})),
        changed(json!({"kid": "other", "n": encoded([0; 300])})),
        changed(json!({"kid": "other", "n": "!"})),
        changed(json!({"kid": "other", "n": null})),
        changed(json!({"kid": "other", "e": ""})),
        changed(json!({"kid": "other", "e": encoded([1; 5])})),
        changed(json!({"kid": ""})),
        changed(json!({"kid": null})),
        json!({}),
        json!(7),
    ] {
        let keys = parsed(&[other.clone(), SIGNER.jwk()]).unwrap();
        assert_eq!((keys.count(), keys.get("other").is_none()), (1, true), "{other}");
        assert!(parsed(std::slice::from_ref(&other)).is_err(), "{other}");
    }
}

#[test]
fn what_is_no_set_of_keys_is_an_error() {
    for text in ["", "{}", "[]", "null", "<html>", r#"{"keys":{}}"#, r#"{"keys":[]}"#, &"[".repeat(100_000)] {
        assert!(Keys::parse(text.as_bytes()).is_err(), "{text:.20}");
    }
    assert!(parsed(&vec![SIGNER.jwk(); MOST_KEYS + 1]).unwrap_err().contains("101 keys"));
}
