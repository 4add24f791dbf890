//! Settling one delivery.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_gax::error::rpc::Code;
use google_cloud_pubsub::error::AckError;
use google_cloud_pubsub::subscriber::handler::Handler;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::super::failure::{Effect, outcome};
use crate::ports::{PortError, PortResult, Settle};

/// Longest a delivery is kept before it is given back with a delay; as the embedded broker has it.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// What the receiver is told when a delivery with an ordering key is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) given_back: bool,
}

/// The turn of a message among those of its key; it is over when this is told so.
#[derive(Debug, Clone)]
pub(super) struct KeyTurn {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) over: UnboundedSender<Settled>,
}

/// Settles one delivery of a stream. However it ends, its key's turn ends: dropped before it is settled,
/// or while it is being settled, the message comes again.
#[derive(Debug)]
pub(super) struct PubsubSettle {
    handler: Mutex<Option<Handler>>,
    turn: Mutex<Option<KeyTurn>>,
    /// The receiver is gone: nothing is held back any more.
    closing: CancellationToken,
    attempted: Arc<str>,
}

impl PubsubSettle {
    pub(super) fn new(
        handler: Handler,
        turn: Option<KeyTurn>,
        closing: CancellationToken,
        attempted: Arc<str>,
    ) -> Self {
        Self { handler: Mutex::new(Some(handler)), turn: Mutex::new(turn), closing, attempted }
    }

    fn take(&self) -> Option<Handler> {
        self.handler.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn take_turn(&self) -> Option<KeyTurn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn error(&self, error: AckError) -> PortError {
        let attempted = format!("acknowledge a message: {}", self.attempted);
        match error {
            AckError::Rpc { ref source, .. } => outcome(source, Effect::Write).error(attempted, error),
            _ => PortError::may_have_happened(attempted, error),
        }
    }
}

/// Nobody acknowledged it, and it comes again: the client knows, or the service does, which then
/// calls the delivery's id invalid.
fn lease_was_lost(error: &AckError) -> bool {
    match error {
        AckError::LeaseExpired | AckError::ShutdownBeforeAck => true,
        AckError::Rpc { source, .. } => source.status().is_some_and(|status| status.code == Code::FailedPrecondition),
        _ => false,
    }
}

impl KeyTurn {
    fn end(self, given_back: bool) {
        let Self { key, id, over } = self;
        // A receiver that is gone hands out no next one.
        over.send(Settled { key, id, given_back }).ok();
    }
}

/// Gives a message back, and its key's turn on. In this order: the turn's end counts from it.
fn give_back(handler: Handler, turn: Option<KeyTurn>) {
    handler.nack();
    if let Some(turn) = turn {
        turn.end(true);
    }
}

#[async_trait]
impl Settle for PubsubSettle {
    async fn ack(&self) -> PortResult<bool> {
        let acknowledged = match self.take() {
            None => return Ok(false),
            Some(Handler::ExactlyOnce(handler)) => match handler.confirmed_ack().await {
                Ok(()) => Ok(true),
                Err(error) if lease_was_lost(&error) => Ok(false),
                Err(error) => {
                    tracing::warn!(subscription = &*self.attempted, %error, "acknowledgement not confirmed");
                    Err(self.error(error))
                }
            },
            Some(handler) => {
                handler.ack();
                Ok(true)
            }
        };
        if let Some(turn) = self.take_turn() {
            // What was not acknowledged comes again, with all that follow it.
            turn.end(!matches!(acknowledged, Ok(true)));
        }
        acknowledged
    }

    /// Pub/Sub knows no delay: the message is kept, and its lease extended, until the delay is over.
    /// It counts as outstanding for so long, which slows the receiver down while something is away.
    async fn nack(&self, delay: Duration) -> PortResult<()> {
        let Some(handler) = self.take() else { return Ok(()) };
        let turn = self.take_turn();
        if delay.is_zero() {
            give_back(handler, turn);
            return Ok(());
        }
        let closing = self.closing.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay.min(LONGEST_DELAY)) => {}
                () = closing.cancelled() => {}
            }
            give_back(handler, turn);
        });
        Ok(())
    }

    /// The client extends leases by itself; they are lost only where it says so with the
    /// acknowledgement.
    async fn extend(&self) -> PortResult<bool> {
        Ok(self.handler.lock().unwrap_or_else(PoisonError::into_inner).is_some())
    }

    fn abandon(&self) {
        if let Some(handler) = self.take() {
            give_back(handler, self.take_turn());
        }
    }
}

impl Drop for PubsubSettle {
    fn drop(&mut self) {
        self.abandon();
        // The handler went with an acknowledgement that was broken off: whether it was heard is not known.
        if let Some(turn) = self.take_turn() {
            turn.end(true);
        }
    }
}
