//! A webhook that remembers what it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use crate::binaries::PATIENCE;

/// How often the calls are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Idempotency key.
    pub key: String,
    /// Signature header.
    pub signature: String,
    /// Time-stamp header.
    pub timestamp: String,
    /// Body as sent.
    pub raw: Bytes,
    /// Body as JSON.
    pub body: serde_json::Value,
    /// Whether it was answered with success.
    pub accepted: bool,
}

impl Call {
    /// A field of the violation, as text; empty where it is not a text.
    pub fn field(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

/// A server on loopback; it ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct Webhook {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// What the server knows.
#[derive(Clone)]
struct Served {
    calls: Arc<Mutex<Vec<Call>>>,
    refuse_every: Option<usize>,
}

impl Webhook {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        Self::serve(None).await
    }

    /// Starts one that answers every n-th call with 503.
    pub async fn unreliable(refuse_every: usize) -> Self {
        Self::serve(Some(refuse_every)).await
    }

    async fn serve(refuse_every: Option<usize>) -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Served { calls: calls.clone(), refuse_every };
        let router = Router::new().route("/hook", post(receive)).with_state(served);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, calls }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it was told so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Waits for a call that fits.
    pub async fn until(&self, what: &str, fits: impl Fn(&Call) -> bool) -> Call {
        let started = Instant::now();
        loop {
            if let Some(call) = self.calls().into_iter().find(&fits) {
                return call;
            }
            assert!(started.elapsed() < PATIENCE, "never told that {what}: {:#?}", self.calls());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

async fn receive(State(served): State<Served>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut calls = served.calls.lock().unwrap();
    let accepted = served.refuse_every.is_none_or(|every| calls.len() % every != every - 1);
    calls.push(Call {
        key: header("idempotency-key"),
        signature: header("x-podledger-signature"),
        timestamp: header("x-podledger-timestamp"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        raw: body,
        accepted,
    });
    if accepted { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}
