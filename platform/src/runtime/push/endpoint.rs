//! One subscription's endpoint: who sent it, is there room, what is it, and then as with a pulled one.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use schemas::Subscription;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::metrics::Counters;
use super::super::settle::Work;
use super::super::shutdown::Shutdown;
use super::answer::{Answer, settlement};
use super::envelope::{self, LARGEST_BODY};
use super::refusal::Refusal;
use super::verifier::Verifier;
use crate::ports::Delivery;

/// How long a body may take to come: a slow sender must not hold the place of a message.
const READING: Duration = Duration::from_secs(30);

/// What one endpoint works with.
pub(super) struct Endpoint {
    pub(super) stage: &'static str,
    pub(super) subscription: Subscription,
    pub(super) work: Arc<Work>,
    /// None believes everybody.
    pub(super) verifier: Option<Arc<Verifier>>,
    /// One for each message that may be in hand.
    pub(super) permits: Arc<Semaphore>,
    /// How long a request may take.
    pub(super) deadline: Duration,
    pub(super) shutdown: Shutdown,
    /// Everything that a drain waits for.
    pub(super) in_hand: TaskTracker,
    pub(super) drain_over: CancellationToken,
    pub(super) refused: Counters,
}

/// `POST /push/<subscription>`: 204 when the message is settled for good, 503 when it is to come
/// again, and what [`Refusal`] says when it reached no handler.
pub(super) async fn push(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    match endpoint.receive(request).await {
        Ok(Answer::Acknowledged) => StatusCode::NO_CONTENT.into_response(),
        Ok(Answer::GivenBack) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(refusal) => {
            let (subscription, reason) = (endpoint.subscription.name(), refusal.reason());
            let labels = [("stage", endpoint.stage), ("subscription", subscription.as_str()), ("reason", reason)];
            endpoint.refused.add(&labels, 1);
            tracing::warn!(subscription, reason, detail = refusal.detail(), "pushed request refused");
            refusal.into_response()
        }
    }
}

impl Endpoint {
    /// Takes a request as far as an answer. What is looked at costs more from step to step, so that
    /// nothing is read for who may not come in, or finds no room.
    async fn receive(&self, request: Request) -> Result<Answer, Refusal> {
        let cut = Instant::now() + self.deadline;
        // First this, then the question: a drain that begins in between waits for it.
        let in_hand = self.in_hand.token();
        if self.shutdown.is_requested() {
            return Err(Refusal::Draining);
        }
        if let Some(verifier) = &self.verifier {
            verifier.admit(request.headers()).await?;
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let (head, body) = request.into_parts();
        let body = tokio::select! {
            biased;
            () = self.drain_over.cancelled() => return Err(Refusal::Draining),
            body = whole(&head.headers, body, cut) => body?,
        };
        let message = envelope::read(self.subscription, &head.headers, &body)?;
        drop(body);
        let (settle, settled) = settlement();
        let (work, delivery) = (Arc::clone(&self.work), Delivery::new(message, settle));
        // On its own: who hangs up breaks nothing off that a repetition would only begin again.
        tokio::spawn(async move {
            work.on_until(delivery, Some(cut)).await;
            drop((permit, in_hand));
        });
        // Work that is gone without a word has panicked.
        Ok(settled.await.unwrap_or(Answer::GivenBack))
    }
}

/// The body, if it is one that a message can have and comes in time.
async fn whole(headers: &axum::http::HeaderMap, body: axum::body::Body, cut: Instant) -> Result<Bytes, Refusal> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > LARGEST_BODY as u64) {
        return Err(Refusal::TooLarge);
    }
    let read = Limited::new(body, LARGEST_BODY).collect();
    match timeout_at(cut.min(Instant::now() + READING), read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(error)) => Err(Refusal::NoMessage(format!("its body broke off: {error}"))),
        Err(_) => Err(Refusal::TooSlow),
    }
}
