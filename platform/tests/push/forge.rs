//! Tokens that must let nobody in, from a seed.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use podledger_platform::testkit::oidc::{Signer, encoded};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// The time by which tokens are judged, in seconds since the epoch.
pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const AUDIENCE: &str = "https://loader.example.com/push";
pub(crate) const PUSHER: &str = "pusher@project.iam.gserviceaccount.com";

/// What may be wrong with a token.
pub(crate) const CLASSES: [&str; 29] = [
    "wrong audience",
    "wrong issuer",
    "another key under the published id",
    "a key id that is not published",
    "a key id that is a trick",
    "no key id",
    "algorithm none",
    "HS256 with the public key",
    "ES256 with a key of its own",
    "RS256 signature under another algorithm's name",
    "expired",
    "not yet valid",
    "a claim is missing",
    "a claim is of another type",
    "a claim stands there twice",
    "another service account",
    "unverified e-mail",
    "changed claims",
    "changed signature",
    "no signature",
    "a key in the header",
    "a critical extension",
    "too many parts",
    "huge",
    "malformed base64",
    "malformed JSON",
    "two tokens",
    "wrong scheme",
    "no token where it belongs",
];

/// A request that must be refused, and how.
pub(crate) struct Forged {
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) status: u16,
}

impl std::fmt::Display for Forged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.headers.iter().try_for_each(|(name, value)| write!(f, "{name}: {} ", String::from_utf8_lossy(value)))
    }
}

/// Forges tokens of a real issuer's.
pub(crate) struct Forge<'a> {
    signer: &'a Signer,
    other: Signer,
    elliptic: EcdsaKeyPair,
    dice: ChaCha8Rng,
}

impl<'a> Forge<'a> {
    pub(crate) fn new(signer: &'a Signer, seed: u64) -> Self {
        Self {
            signer,
            other: Signer::new(&signer.key_id),
            elliptic: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            dice: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A token that lets in.
    pub(crate) fn genuine(&mut self) -> String {
        self.signer.token(&self.claims())
    }

    pub(crate) fn forge(&mut self, class: &str) -> Forged {
        let status = if ["another service account", "unverified e-mail"].contains(&class) { 403 } else { 401 };
        let headers = match class {
            "two tokens" => {
                let one = bearer(&self.genuine());
                let two = if self.dice.random() { one.clone() } else { bearer(&self.genuine()) };
                vec![("authorization", one), ("authorization", two)]
            }
            "wrong scheme" => {
                let scheme = self.one_of(&["Basic ", "Token ", "JWT ", "", "Bearer: ", "BearerX ", "Bearer\t"]);
                vec![("authorization", format!("{scheme}{}", self.genuine()).into_bytes())]
            }
            "no token where it belongs" => {
                let name =
                    self.one_of(&["cookie", "x-goog-iap-jwt-assertion", "x-authorization", "proxy-authorization"]);
                vec![(name, bearer(&self.genuine()))]
            }
            _ => vec![("authorization", bearer(&self.token(class)))],
        };
        Forged { headers, status }
    }

    fn token(&mut self, class: &str) -> String {
        let claims = self.claims();
        match class {
            "wrong audience" => {
                let audience = self.one_of(&[
                    "",
                    "https://loader.example.com",
                    "https://loader.example.com/push/",
                    "https://LOADER.example.com/push",
                    "https://loader.example.com/pushed",
                    "https://evil.example.com/push",
                ]);
                self.signer.token(&with(claims, "aud", json!(audience)))
            }
            "wrong issuer" => {
                let issuer = self.one_of(&["", "https://accounts.google.com/", "http://accounts.google.com", "evil"]);
                self.signer.token(&with(claims, "iss", json!(issuer)))
            }
            "another key under the published id" => self.other.token(&claims),
            "a key id that is not published" => {
                let id: u64 = self.dice.random();
                self.signed_as(&json!({"alg": "RS256", "kid": format!("{id:x}"), "typ": "JWT"}), &claims)
            }
            "a key id that is a trick" => {
                let tricks =
                    ["../../../../dev/null", "published\u{0}", "Published", "published' OR '1'='1", "http://e/", "*"];
                let id = self.one_of(&tricks);
                self.signed_as(&json!({"alg": "RS256", "kid": id, "typ": "JWT"}), &claims)
            }
            "no key id" => {
                let header = self.one_of(&[
                    r#"{"alg":"RS256"}"#,
                    r#"{"alg":"RS256","kid":null}"#,
                    r#"{"alg":"RS256","kid":""}"#,
                ]);
                self.signer.token_with(header, &claims.to_string())
            }
            "algorithm none" => {
                let name = self.one_of(&["none", "None", "NONE", "nOnE", ""]);
                let header = json!({"alg": name, "kid": self.signer.key_id}).to_string();
                let signed = format!("{}.{}", encoded(header), encoded(claims.to_string()));
                let signature =
                    if self.dice.random() { String::new() } else { encoded(self.signer.signature(signed.as_bytes())) };
                format!("{signed}.{signature}")
            }
            "HS256 with the public key" => self.hmac(&claims),
            "ES256 with a key of its own" => {
                let header = json!({"alg": "ES256", "kid": self.signer.key_id, "typ": "JWT"}).to_string();
                let signed = format!("{}.{}", encoded(header), encoded(claims.to_string()));
                let signature = self.elliptic.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
                format!("{signed}.{}", encoded(signature))
            }
            "RS256 signature under another algorithm's name" => {
                let name = self.one_of(&["RS384", "RS512", "PS256", "EdDSA", "rs256", "RS256 "]);
                self.signed_as(&json!({"alg": name, "kid": self.signer.key_id}), &claims)
            }
            "expired" => {
                let ago = self.dice.random_range(3600 + 31..1_000_000_000);
                self.signer.token(&self.claims_of(NOW - ago))
            }
            "not yet valid" => {
                let ahead = self.dice.random_range(31..1_000_000_000);
                if self.dice.random() {
                    self.signer.token(&self.claims_of(NOW + ahead))
                } else {
                    self.signer.token(&with(claims, "nbf", json!(NOW + ahead)))
                }
            }
            "another service account" => {
                let email = self.one_of(&[
                    "other@project.iam.gserviceaccount.com",
                    "",
                    "PUSHER@project.iam.gserviceaccount.com",
                ]);
                self.signer.token(&with(claims, "email", json!(email)))
            }
            "unverified e-mail" => self.signer.token(&with(claims, "email_verified", json!(false))),
            "a claim is missing" | "a claim is of another type" | "a claim stands there twice" => {
                self.misshapen(class, claims)
            }
            "a key in the header" => {
                let header = json!({"alg": "RS256", "kid": self.signer.key_id, "jwk": self.other.jwk(),
                    "jku": "https://evil.example.com/certs", "x5u": "https://evil.example.com/cert"});
                self.other.token_with(&header.to_string(), &claims.to_string())
            }
            "a critical extension" => self
                .signed_as(&json!({"alg": "RS256", "kid": self.signer.key_id, "crit": ["b64"], "b64": false}), &claims),
            "huge" => {
                let bytes = self.dice.random_range(8 << 10..64 << 10);
                self.signer.token(&with(claims, "padding", json!("x".repeat(bytes))))
            }
            _ => self.damaged(class),
        }
    }

    /// Signed with HMAC, for verifiers that take the published key for the secret.
    fn hmac(&mut self, claims: &Value) -> String {
        let jwk = self.signer.jwk();
        let secret = match self.dice.random_range(0..4) {
            0 => self.signer.public_der().to_vec(),
            1 => jwk["n"].as_str().unwrap().as_bytes().to_vec(),
            2 => jwk.to_string().into_bytes(),
            _ => Vec::new(),
        };
        let header = json!({"alg": "HS256", "kid": self.signer.key_id, "typ": "JWT"}).to_string();
        let signed = format!("{}.{}", encoded(header), encoded(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        format!("{signed}.{}", encoded(tag))
    }

    /// Genuinely signed claims of a shape that says nothing for sure.
    fn misshapen(&mut self, class: &str, mut claims: Value) -> String {
        let name = self.one_of(&["iss", "aud", "email", "email_verified", "exp", "iat"]);
        let header = json!({"alg": "RS256", "kid": self.signer.key_id}).to_string();
        let text = match class {
            "a claim is missing" => {
                claims.as_object_mut().unwrap().remove(name).unwrap();
                claims.to_string()
            }
            "a claim is of another type" => {
                let value = match self.dice.random_range(0..4) {
                    0 => json!([claims[name]]),
                    1 => Value::Null,
                    2 => json!({"is": claims[name]}),
                    _ => json!(1.5),
                };
                with(claims, name, value).to_string()
            }
            _ => format!("{{{name:?}:{},{}", claims[name], &claims.to_string()[1..]),
        };
        self.signer.token_with(&header, &text)
    }

    /// A genuine token with something broken off or changed.
    fn damaged(&mut self, class: &str) -> String {
        let genuine = self.genuine();
        let parts: Vec<&str> = genuine.split('.').collect();
        let (header, claims, signature) = (parts[0], parts[1], parts[2]);
        match class {
            "changed claims" => {
                let changed = with(self.claims(), "sub", json!(self.dice.random::<u64>()));
                format!("{header}.{}.{signature}", encoded(changed.to_string()))
            }
            "changed signature" => {
                let at = self.dice.random_range(0..signature.len() - 1);
                let other = if &signature[at..=at] == "A" { "B" } else { "A" };
                format!("{header}.{claims}.{}{other}{}", &signature[..at], &signature[at + 1..])
            }
            "no signature" => {
                let instead = self.one_of(&["", "SIGNATURE_REMOVED_BY_GOOGLE", "AA"]);
                format!("{header}.{claims}.{instead}")
            }
            "too many parts" => match self.dice.random() {
                true => format!("{genuine}.{signature}"),
                false => format!("{header}.{claims}.{claims}.{signature}"),
            },
            "malformed base64" => {
                let broken = self.one_of(&["!", "=", " a", "+/", "%2e", "A"]);
                match self.dice.random_range(0..3) {
                    0 => format!("{header}{broken}.{claims}.{signature}"),
                    1 => format!("{header}.{claims}{broken}.{signature}"),
                    _ => format!("{header}.{claims}.{signature}{broken}"),
                }
            }
            "malformed JSON" => {
                let text = self.claims().to_string();
                let cut = self.dice.random_range(0..text.len());
                let header = json!({"alg": "RS256", "kid": self.signer.key_id}).to_string();
                match self.dice.random() {
                    true => self.signer.token_with(&header, &text[..cut]),
                    false => self.signer.token_with(&header[..self.dice.random_range(0..header.len())], &text),
                }
            }
            unknown => panic!("nobody forges {unknown:?}"),
        }
    }

    fn signed_as(&self, header: &Value, claims: &Value) -> String {
        self.signer.token_with(&header.to_string(), &claims.to_string())
    }

    fn claims(&mut self) -> Value {
        let issued = NOW - self.dice.random_range(0..3000);
        self.claims_of(issued)
    }

    fn claims_of(&self, issued: i64) -> Value {
        json!({"iss": "https://accounts.google.com", "aud": AUDIENCE, "azp": "1", "sub": "1", "email": PUSHER,
            "email_verified": true, "iat": issued, "exp": issued + 3600})
    }

    fn one_of<'b>(&mut self, choices: &[&'b str]) -> &'b str {
        choices[self.dice.random_range(0..choices.len())]
    }
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn bearer(token: &str) -> Vec<u8> {
    format!("Bearer {token}").into_bytes()
}
