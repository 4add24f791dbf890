//! Push delivery: an endpoint per subscription, for platforms that start a process when a request
//! comes (Cloud Run).
//!
//! `POST /push/<subscription>` takes one message, wrapped or unwrapped, and answers 2xx when it has
//! the same durable effects as a pulled one: from its decoding on it takes the same path
//! ([`Work`]), with the request's answer as its settlement. Poison is a dead letter of ours and then
//! 2xx; an outage is 503, so that Pub/Sub sends it again after its own backoff. Everything else that
//! reaches no handler is a [`refusal::Refusal`].

mod admission;
mod answer;
mod endpoint;
mod envelope;
mod key_cache;
mod keys;
mod refusal;
mod settings;
mod token;
mod verifier;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::consume::GIVING_BACK;
use super::handle::Stage;
use super::health::{BEAT, Monitor, Pulse};
use super::http::{HttpServer, serve};
use super::ports::Ports;
use super::settings::RuntimeSettings;
use super::settle::Work;
use super::shutdown::Shutdown;
use endpoint::{Endpoint, push};
use verifier::Verifier;

pub use settings::{PushAuth, PushDelivery, PushSettings};

/// A stage whose messages are pushed to it. Serves from the moment it is made; [`PushServer::run`]
/// waits for the shutdown and drains.
pub struct PushServer {
    stage: &'static str,
    server: HttpServer,
    in_hand: TaskTracker,
    drain_over: CancellationToken,
    drain: Duration,
    shutdown: Shutdown,
    pulses: Vec<Pulse>,
}

/// Serves a stage's endpoints, one per subscription at `POST /push/<subscription>`, beside health,
/// readiness and metrics, at the settings' HTTP address.
///
/// A request is answered
/// - 204 when its message is settled for good: handled, handled by somebody else, or made a dead
///   letter,
/// - 503 when the message is to come again: an outage, a panic, the deadline or the drain met it,
/// - 401 and 403 without a token that lets in, 503 while the keys to check it cannot be read,
/// - 429 beyond [`RuntimeSettings::max_outstanding`] messages in hand, with nothing read of it,
/// - 400, 408 and 413 when its body is no message, too slow, or larger than a message can be.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn serve_push(
    stage: Stage,
    ports: &Ports,
    settings: &RuntimeSettings,
    delivery: &PushDelivery,
    monitor: &Monitor,
    shutdown: &Shutdown,
) -> anyhow::Result<PushServer> {
    let verifier = match &delivery.door {
        Some(door) => Some(Arc::new(Verifier::new(door, Arc::clone(&delivery.clock))?)),
        None => {
            tracing::warn!("pushed messages are believed whoever sends them");
            None
        }
    };
    let (in_hand, drain_over) = (TaskTracker::new(), CancellationToken::new());
    let (mut router, mut pulses) = (Router::new(), Vec::new());
    for consumer in &stage.consumers {
        let subscription = consumer.subscription;
        let broker = Arc::clone(&ports.broker);
        let work = Work::new(stage.name, consumer, broker, settings, drain_over.clone(), monitor);
        let endpoint = Endpoint {
            stage: stage.name,
            subscription,
            work: Arc::new(work),
            verifier: verifier.clone(),
            permits: Arc::new(Semaphore::new(settings.max_outstanding)),
            deadline: delivery.deadline,
            shutdown: shutdown.clone(),
            in_hand: in_hand.clone(),
            drain_over: drain_over.clone(),
            refused: monitor.metrics().counters("podledger_push_refused", "Requests that reached no handler."),
        };
        let routes = Router::new().route(&format!("/push/{subscription}"), post(push)).with_state(Arc::new(endpoint));
        router = router.merge(routes);
        pulses.push(monitor.add_loop(format!("{}/{subscription}", stage.name)));
    }
    let server = serve(settings.http, monitor, ports, shutdown, router).await?;
    pulses.iter().for_each(Pulse::receiving);
    tracing::info!(stage = stage.name, endpoints = pulses.len(), "taking pushed messages");
    let (drain, shutdown) = (settings.drain.duration(), shutdown.clone());
    Ok(PushServer { stage: stage.name, server, in_hand, drain_over, drain, shutdown, pulses })
}

impl PushServer {
    /// Where it listens, with the port it was given.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Waits until the shutdown is asked for and what is in hand is answered: new requests get 503
    /// from then on, what outlasts the drain is given back.
    pub async fn run(self) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.requested() => break,
                _ = beat.tick() => self.pulses.iter().for_each(Pulse::beat),
            }
        }
        self.in_hand.close();
        if !self.in_hand.is_empty() {
            tracing::info!(stage = self.stage, in_hand = self.in_hand.len(), "draining");
        }
        if tokio::time::timeout(self.drain, self.in_hand.wait()).await.is_err() {
            self.drain_over.cancel();
            if tokio::time::timeout(GIVING_BACK, self.in_hand.wait()).await.is_err() {
                tracing::error!(stage = self.stage, left = self.in_hand.len(), "requests left without an answer");
            }
        }
        self.pulses.iter().for_each(Pulse::stopped);
        self.server.close().await;
        tracing::info!(stage = self.stage, "stopped");
    }
}

#[cfg(test)]
mod tests;
