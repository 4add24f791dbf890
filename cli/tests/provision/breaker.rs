//! A proxy before the administration of Pub/Sub that holds one call for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use tokio::sync::Notify;

/// Largest request that is passed on.
const MOST_BYTES: usize = 1 << 20;

/// When the call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the server has seen it.
    Before,
    /// After the server has done it.
    After,
}

/// The proxy.
pub(crate) struct Breaker {
    to: String,
    client: reqwest::Client,
    /// Which of the calls that change something, from 0.
    nth: usize,
    moment: Moment,
    seen: AtomicUsize,
    held: Notify,
}

impl Breaker {
    /// Serves on a free port; ends with the test's runtime.
    pub(crate) async fn start(to: String, nth: usize, moment: Moment) -> (Arc<Self>, String) {
        let (seen, held) = (AtomicUsize::new(0), Notify::new());
        let breaker = Arc::new(Self { to, client: reqwest::Client::new(), nth, moment, seen, held });
        let app = Router::new().fallback(pass).with_state(Arc::clone(&breaker));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        (breaker, address)
    }

    /// Returns once the call is held.
    pub(crate) async fn held(&self) {
        self.held.notified().await;
    }

    async fn forward(&self, method: Method, path: &str, body: axum::body::Bytes) -> Response {
        let request = self.client.request(method, format!("{}{path}", self.to));
        let request = request.header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        let response = Response::builder().status(answer.status()).header("content-type", "application/json");
        response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
    }
}

async fn pass(State(breaker): State<Arc<Breaker>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let body = to_bytes(body, MOST_BYTES).await.unwrap();
    let is_held = parts.method != Method::GET && breaker.seen.fetch_add(1, Ordering::SeqCst) == breaker.nth;
    if is_held && breaker.moment == Moment::Before {
        breaker.held.notify_one();
        std::future::pending::<()>().await;
    }
    let response = breaker.forward(parts.method, &path, body).await;
    if is_held {
        breaker.held.notify_one();
        std::future::pending::<()>().await;
    }
    response
}
