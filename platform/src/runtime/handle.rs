//! Handlers: what a stage does with one message.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemas::{Message, Subscription, Timestamp};

use crate::ports::{Incoming, PortError};

/// What a handler may know of a message besides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageContext {
    /// Id the broker gave it.
    pub message_id: String,
    /// When it was published.
    pub published_at: Timestamp,
    /// How often it was delivered, this time included; from 1.
    pub delivery_attempt: u32,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// Why a message was not handled, by what the runtime does about it.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Something is down: given back with backoff.
    #[error("outage: {0:#}")]
    Outage(anyhow::Error),
    /// It will never succeed: a dead letter with the reason.
    #[error("poison: {0:#}")]
    Poison(anyhow::Error),
    /// Another replica has done it: acknowledged.
    #[error("already done elsewhere: {0}")]
    LostOwnership(String),
}

impl From<PortError> for HandleError {
    fn from(error: PortError) -> Self {
        if error.is_outage() { Self::Outage(error.into()) } else { Self::Poison(error.into()) }
    }
}

/// Handles messages of one type: decide, write under a deterministic id, publish. The runtime
/// decodes before and settles after; a handler neither acknowledges nor gives back.
#[async_trait]
pub trait Handle<M: Send + 'static>: Send + Sync + 'static {
    /// Does everything the message asks for, or nothing that doing it again would double.
    async fn handle(&self, message: M, context: &MessageContext) -> Result<(), HandleError>;
}

/// What can be made of a delivered message.
pub trait Receive: Sized + Send + 'static {
    /// Decodes it; an error is poison.
    fn receive(incoming: &Incoming) -> anyhow::Result<Self>;
}

impl<M: Message> Receive for M {
    fn receive(incoming: &Incoming) -> anyhow::Result<Self> {
        Ok(Self::decode(&incoming.payload, &incoming.attributes)?)
    }
}

/// A message as it came, for topics that are not ours and for dead letters.
impl Receive for Incoming {
    fn receive(incoming: &Incoming) -> anyhow::Result<Self> {
        Ok(incoming.clone())
    }
}

/// A subscription and what handles it.
#[derive(Clone)]
pub struct Consumer {
    /// The subscription.
    pub subscription: Subscription,
    /// Decodes and handles one message.
    pub handle: Arc<dyn HandleIncoming>,
}

impl Consumer {
    /// Ties a handler to a subscription.
    pub fn new<M: Receive>(subscription: Subscription, handler: Arc<impl Handle<M>>) -> Self {
        Self { subscription, handle: Arc::new(Typed { handler, message: std::marker::PhantomData }) }
    }
}

/// A handler whose message type was erased.
#[async_trait]
pub trait HandleIncoming: Send + Sync {
    /// Decodes and handles.
    async fn handle_incoming(&self, incoming: &Incoming) -> Result<(), HandleError>;
}

struct Typed<H, M> {
    handler: Arc<H>,
    message: std::marker::PhantomData<fn(M)>,
}

#[async_trait]
impl<M: Receive, H: Handle<M>> HandleIncoming for Typed<H, M> {
    async fn handle_incoming(&self, incoming: &Incoming) -> Result<(), HandleError> {
        let message = M::receive(incoming).map_err(HandleError::Poison)?;
        let context = MessageContext {
            message_id: incoming.message_id.clone(),
            published_at: incoming.published_at,
            delivery_attempt: incoming.delivery_attempt,
            attributes: incoming.attributes.clone(),
        };
        self.handler.handle(message, &context).await
    }
}

/// A stage: its name and what it consumes.
#[derive(Clone)]
pub struct Stage {
    /// Its name, such as `loader`.
    pub name: &'static str,
    /// What it consumes.
    pub consumers: Vec<Consumer>,
}
