//! From the client's stream to the receiver, with each ordering key's messages in turn.
//!
//! It takes from the stream whatever there is: the service bounds that, since it sends no more than
//! the flow allows to be outstanding. So nothing stays in the client's own buffer, where dropping
//! it would leave it to its lease.

use std::time::Duration;

use futures::future::FutureExt as _;
use futures::stream::{BoxStream, StreamExt as _};
use google_cloud_pubsub::Result as ClientResult;
use google_cloud_pubsub::model::Message;
use google_cloud_pubsub::subscriber::MessageStream;
use google_cloud_pubsub::subscriber::handler::Handler;
use schemas::Subscription;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::super::failure::{Effect, port_error};
use super::arrived::incoming;
use super::settle::Settled;
use super::turns::Turns;
use crate::ports::{Incoming, PortError};

/// A message and the way to settle it. Dropping it gives it back.
pub(super) struct Fetched {
    pub(super) message: Incoming,
    pub(super) handler: Handler,
    /// Its ordering key, where the subscription orders.
    pub(super) key: Option<String>,
}

pub(super) struct Pump {
    pub(super) subscription: Subscription,
    pub(super) orders: bool,
    pub(super) attempted: String,
    pub(super) fetched: UnboundedSender<Result<Fetched, PortError>>,
    pub(super) settled: UnboundedReceiver<Settled>,
}

impl Pump {
    /// Runs until the receiver goes or the stream ends. In the end what is fetched and not handed out
    /// is given back, and what is handed out waited for until it is settled and that is sent; for so
    /// long the token stays that comes when the receiver goes.
    pub(super) async fn run(
        mut self,
        stream: MessageStream,
        look_after: Duration,
        mut closed: oneshot::Receiver<TaskTrackerToken>,
    ) {
        let sending = stream.shutdown_token();
        let mut messages = looked_after(stream, look_after);
        let mut turns = Turns::new();
        let mut token = None;
        loop {
            let expiry = turns.next_expiry();
            let expired = async {
                match expiry {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                came = &mut closed => {
                    token = came.ok();
                    break;
                }
                Some(settled) = self.settled.recv() => self.on_settled(&mut turns, settled),
                () = expired => turns.expire(std::time::Instant::now()),
                message = messages.next() => match message {
                    Some(Ok((message, handler))) => self.on_message(&mut turns, message, handler),
                    Some(Err(error)) => {
                        self.end(port_error(self.attempted.clone(), Effect::None, error));
                        break;
                    }
                    None => {
                        let reason = anyhow::anyhow!("the service ended the stream");
                        self.end(PortError::did_not_happen(self.attempted.clone(), reason));
                        break;
                    }
                },
            }
        }
        // What came meanwhile would be lost to everybody until its lease ends.
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            drop(message);
        }
        drop((messages, turns, self));
        sending.shutdown().await;
        // A token that came meanwhile is still in its channel.
        drop((token, closed));
    }

    fn on_message(&self, turns: &mut Turns<Fetched>, message: Message, handler: Handler) {
        let message = incoming(self.subscription, message, handler.delivery_attempt());
        let key = message.ordering_key.clone().filter(|_| self.orders);
        let id = message.message_id.clone();
        let fetched = Fetched { message, handler, key: key.clone() };
        let ready = match &key {
            Some(key) => turns.arrived(key, &id, fetched),
            None => Some(fetched),
        };
        self.hand_out(ready);
    }

    fn on_settled(&self, turns: &mut Turns<Fetched>, settled: Settled) {
        if settled.given_back {
            turns.given_back(&settled.key, &settled.id, std::time::Instant::now());
        } else {
            self.hand_out(turns.acknowledged(&settled.key));
        }
    }

    /// To a receiver that is gone nothing is handed out: the message is dropped, and so given back.
    fn hand_out(&self, ready: Option<Fetched>) {
        if let Some(ready) = ready {
            self.fetched.send(Ok(ready)).ok();
        }
    }

    fn end(&self, error: PortError) {
        self.fetched.send(Err(error)).ok();
    }
}

/// The stream's messages. After each such time without one the client is asked anew, which costs
/// nothing where the stream is open, and where it is not begins its backing off anew.
fn looked_after(stream: MessageStream, look_after: Duration) -> BoxStream<'static, ClientResult<(Message, Handler)>> {
    let messages = futures::stream::unfold(stream, move |mut stream| async move {
        loop {
            if let Ok(message) = tokio::time::timeout(look_after, stream.next()).await {
                return Some((message?, stream));
            }
        }
    });
    messages.boxed()
}
