//! Health, readiness and metrics over HTTP.

mod readiness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::health::Monitor;
use super::ports::Ports;
use super::shutdown::Shutdown;
use readiness::Readiness;

/// How long open requests may take once the server stops.
const CLOSING: Duration = Duration::from_secs(2);
/// What Prometheus is told the metrics are.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A running server; it goes on while a process drains, and ends with [`HttpServer::close`].
pub struct HttpServer {
    /// Where it listens, with the port it was given.
    pub address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

/// Serves `GET /healthz` (are the consumer loops alive), `/readyz` (do the ports answer, of which it
/// is sure for half a minute, and are messages taken; not while draining) and `/metrics`. The bound address is logged.
pub async fn serve_http(
    address: SocketAddr,
    monitor: &Monitor,
    ports: &Ports,
    shutdown: &Shutdown,
) -> anyhow::Result<HttpServer> {
    serve(address, monitor, ports, shutdown, Router::new()).await
}

/// [`serve_http`], with more routes beside.
pub(super) async fn serve(
    address: SocketAddr,
    monitor: &Monitor,
    ports: &Ports,
    shutdown: &Shutdown,
    more: Router,
) -> anyhow::Result<HttpServer> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))?;
    let address = listener.local_addr().context("read the address listened on")?;
    let readiness = Arc::new(Readiness::of(ports.clone()));
    let seen = Seen { monitor: monitor.clone(), readiness, shutdown: shutdown.clone() };
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(seen)
        .merge(more);
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let server = axum::serve(listener, router).with_graceful_shutdown(stopped);
    let task = tokio::spawn(async move { server.await });
    tracing::info!(%address, "serving health and metrics");
    Ok(HttpServer { address, stop, task })
}

impl HttpServer {
    /// Stops serving; open requests get a moment.
    pub async fn close(mut self) {
        self.stop.cancel();
        match tokio::time::timeout(CLOSING, &mut self.task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "http server failed"),
            Ok(Err(error)) => tracing::warn!(%error, "http server panicked"),
            Err(_) => self.task.abort(),
        }
    }
}

/// What the answers are made of.
#[derive(Clone)]
struct Seen {
    monitor: Monitor,
    readiness: Arc<Readiness>,
    shutdown: Shutdown,
}

async fn healthz(State(seen): State<Seen>) -> Response {
    let dead = seen.monitor.dead_loops();
    answer(dead.into_iter().map(|name| format!("consumer {name}: dead")).collect())
}

async fn readyz(State(seen): State<Seen>) -> Response {
    let mut missing = Vec::new();
    if seen.shutdown.is_requested() {
        missing.push("draining".to_owned());
    }
    missing.extend(seen.monitor.loops_not_receiving().into_iter().map(|name| format!("consumer {name}: connecting")));
    missing.extend(seen.readiness.unanswered().await);
    answer(missing)
}

async fn metrics(State(seen): State<Seen>) -> Response {
    match seen.monitor.metrics().text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response(),
    }
}

fn answer(missing: Vec<String>) -> Response {
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response()
}

#[cfg(test)]
mod tests;
