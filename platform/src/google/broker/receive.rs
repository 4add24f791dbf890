//! A receiver on a stream of Pub/Sub.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_pubsub::subscriber::MessageStream;
use schemas::Subscription;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::pump::{Fetched, Pump};
use super::settle::{KeyTurn, PubsubSettle, Settled};
use crate::ports::{Delivery, PortError, PortResult, Receiver};

/// What a receiver is opened with.
pub(super) struct Opening {
    pub(super) subscription: Subscription,
    /// Whether the subscription orders.
    pub(super) orders: bool,
    /// See [`super::PubsubSettings::look_after`].
    pub(super) look_after: Duration,
    /// Counts receivers that were dropped until everything they had to send is sent.
    pub(super) closing: TaskTracker,
    /// What is attempted, for errors.
    pub(super) attempted: String,
}

/// Receives from one subscription. Dropping it gives back what it has fetched and not handed out;
/// what it has handed out can still be settled.
pub(super) struct PubsubReceiver {
    /// Holds no more than the flow allows: the service sends no more.
    fetched: UnboundedReceiver<Result<Fetched, PortError>>,
    settled: UnboundedSender<Settled>,
    /// Told when this is dropped: nothing is held back any more.
    closing: CancellationToken,
    closers: TaskTracker,
    /// Takes the token that is held until everything is sent; none once it was taken.
    close: Option<oneshot::Sender<TaskTrackerToken>>,
    attempted: Arc<str>,
}

impl Opening {
    /// Starts to receive from the stream.
    pub(super) fn receive(self, stream: MessageStream) -> PubsubReceiver {
        let Self { subscription, orders, look_after, closing: closers, attempted } = self;
        let (fetched_in, fetched) = unbounded_channel();
        let (settled, settled_out) = unbounded_channel();
        let (close, closed) = oneshot::channel();
        let told: Arc<str> = attempted.as_str().into();
        let pump = Pump { subscription, orders, attempted, fetched: fetched_in, settled: settled_out };
        tokio::spawn(pump.run(stream, look_after, closed));
        let closing = CancellationToken::new();
        PubsubReceiver { fetched, settled, closing, closers, close: Some(close), attempted: told }
    }
}

impl Drop for PubsubReceiver {
    fn drop(&mut self) {
        self.closing.cancel();
        if let Some(close) = self.close.take() {
            // From here on a flush waits. A pump that is gone has sent everything.
            close.send(self.closers.token()).ok();
        }
    }
}

#[async_trait]
impl Receiver for PubsubReceiver {
    async fn next(&mut self) -> PortResult<Delivery> {
        let Some(fetched) = self.fetched.recv().await else {
            let reason = anyhow::anyhow!("the stream ended before, with an error that was told");
            return Err(PortError::did_not_happen(&*self.attempted, reason));
        };
        let Fetched { message, handler, key } = fetched?;
        let id = message.message_id.clone();
        let turn = key.map(|key| KeyTurn { key, id, over: self.settled.clone() });
        let settle = PubsubSettle::new(handler, turn, self.closing.clone(), Arc::clone(&self.attempted));
        Ok(Delivery::new(message, Box::new(settle)))
    }
}
