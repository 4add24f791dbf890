//! A webhook that remembers what it was told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

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
}

/// A server on loopback; it ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct Webhook {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Webhook {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(receive)).with_state(calls.clone());
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
}

async fn receive(State(calls): State<Arc<Mutex<Vec<Call>>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let call = Call {
        key: header("idempotency-key"),
        signature: header("x-podledger-signature"),
        timestamp: header("x-podledger-timestamp"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        raw: body,
    };
    calls.lock().unwrap().push(call);
    StatusCode::NO_CONTENT
}
