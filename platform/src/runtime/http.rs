//! Health, readiness and metrics over HTTP.

use std::net::SocketAddr;
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
use crate::ports::PortResult;

/// How long a port may take to answer before the process counts as not ready.
const PING: Duration = Duration::from_secs(2);
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

/// Serves `GET /healthz` (are the consumer loops alive), `/readyz` (do the ports answer and are
/// messages taken; not while draining) and `/metrics`. The bound address is logged.
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
    let seen = Seen { monitor: monitor.clone(), ports: ports.clone(), shutdown: shutdown.clone() };
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
    ports: Ports,
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
    let warehouse = async {
        match &seen.ports.warehouse {
            Some(warehouse) => warehouse.ping().await,
            None => Ok(()),
        }
    };
    let (broker, objects, warehouse) = tokio::join!(
        unanswered("broker", seen.ports.broker.ping()),
        unanswered("objects", seen.ports.objects.ping()),
        unanswered("warehouse", warehouse),
    );
    missing.extend([broker, objects, warehouse].into_iter().flatten());
    answer(missing)
}

async fn metrics(State(seen): State<Seen>) -> Response {
    match seen.monitor.metrics().text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response(),
    }
}

/// Why a port does not count as answering.
async fn unanswered(port: &str, ping: impl Future<Output = PortResult<()>>) -> Option<String> {
    match tokio::time::timeout(PING, ping).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{port}: {error}")),
        Err(_) => Some(format!("{port}: no answer within {PING:?}")),
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
