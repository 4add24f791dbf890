//! A receiver on a stream of Pub/Sub.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use google_cloud_pubsub::subscriber::MessageStream;
use schemas::Subscription;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::pump::{Fetched, Pump};
use super::settle::{KeyTurn, PubsubSettle, Settled};
use crate::ports::{Delivery, PortError, PortResult, Receiver};

/// Receives from one subscription. Dropping it gives back what it has fetched and not handed out;
/// what it has handed out can still be settled.
pub(super) struct PubsubReceiver {
    /// Holds no more than the flow allows: the service sends no more.
    fetched: UnboundedReceiver<Result<Fetched, PortError>>,
    settled: UnboundedSender<Settled>,
    closing: CancellationToken,
    attempted: Arc<str>,
    _closes: DropGuard,
}

impl PubsubReceiver {
    pub(super) fn new(
        stream: MessageStream,
        subscription: Subscription,
        orders: bool,
        look_after: Duration,
        attempted: String,
    ) -> Self {
        let (fetched_in, fetched) = unbounded_channel();
        let (settled, settled_out) = unbounded_channel();
        let closing = CancellationToken::new();
        let pump = Pump {
            subscription,
            orders,
            attempted: attempted.clone(),
            fetched: fetched_in,
            settled: settled_out,
            closing: closing.clone(),
        };
        tokio::spawn(pump.run(stream, look_after));
        Self { fetched, settled, attempted: attempted.into(), _closes: closing.clone().drop_guard(), closing }
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
