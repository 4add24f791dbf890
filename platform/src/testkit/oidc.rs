//! An issuer of tokens: keys, tokens signed with them, and a server that publishes the keys.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Where a modulus of 2,048 bits lies in a public key as PKCS #1 writes it: a sequence's head (4
/// bytes), then an integer's head (4) and its leading zero (1).
const MODULUS: std::ops::Range<usize> = 9..265;
/// The exponent that keys are made with: 65,537.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// A key with its id.
pub struct Signer {
    /// The id under which it is published.
    pub key_id: String,
    pair: KeyPair,
}

impl Signer {
    /// A new key of 2,048 bits.
    pub fn new(key_id: &str) -> Self {
        Self { key_id: key_id.to_owned(), pair: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    /// A token with these claims, as Google signs them.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": "RS256", "kid": self.key_id, "typ": "JWT"}).to_string(), &claims.to_string())
    }

    /// A token whose header and claims are these texts, whatever they are, signed with this key.
    pub fn token_with(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        format!("{signed}.{}", encoded(self.signature(signed.as_bytes())))
    }

    /// The signature of a message by RS256.
    pub fn signature(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    /// Its public part as PKCS #1 writes it (DER).
    pub fn public_der(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Its public part as it is published.
    pub fn jwk(&self) -> Value {
        let n = encoded(&self.public_der()[MODULUS]);
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.key_id, "n": n, "e": encoded(EXPONENT)})
    }
}

/// Base64 as in tokens.
pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Several keys as they are published together.
pub fn key_set<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> String {
    json!({"keys": signers.into_iter().map(Signer::jwk).collect::<Vec<_>>()}).to_string()
}

/// What a server of keys answers.
#[derive(Debug, Clone)]
pub enum Serves {
    /// This text, with status 200.
    Text(String),
    /// This status, with no text.
    Status(u16),
    /// Nothing, for ever.
    Nothing,
}

/// Publishes keys on loopback; ends when it is dropped.
pub struct KeyServer {
    address: SocketAddr,
    state: Arc<Published>,
    task: JoinHandle<()>,
}

struct Published {
    serves: Mutex<Serves>,
    reads: AtomicUsize,
}

impl KeyServer {
    /// A server on a free port.
    pub async fn start(serves: Serves) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Published { serves: Mutex::new(serves), reads: AtomicUsize::new(0) });
        let router = Router::new().route("/certs", get(certs)).with_state(Arc::clone(&state));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state, task }
    }

    /// Where the keys are.
    pub fn url(&self) -> String {
        format!("http://{}/certs", self.address)
    }

    /// Serves something else from now on.
    pub fn serve(&self, serves: Serves) {
        *self.state.serves.lock().unwrap() = serves;
    }

    /// How often the keys were asked for.
    pub fn reads(&self) -> usize {
        self.state.reads.load(Ordering::SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn certs(State(state): State<Arc<Published>>) -> Response {
    state.reads.fetch_add(1, Ordering::SeqCst);
    let serves = state.serves.lock().unwrap().clone();
    match serves {
        Serves::Text(text) => text.into_response(),
        Serves::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Serves::Nothing => std::future::pending().await,
    }
}
