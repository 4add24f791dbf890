//! Handlers of messages that are rows already.

use async_trait::async_trait;
use platform::runtime::{Handle, HandleError, MessageContext};
use schemas::{Message, Row};

use crate::upserts::Upserts;

/// Writes one event to its table, under its id: once, however often it comes.
pub(crate) struct EventLog<R: Row>(pub(crate) Upserts<R>);

#[async_trait]
impl<R: Row + Message> Handle<R> for EventLog<R> {
    async fn handle(&self, event: R, _: &MessageContext) -> Result<(), HandleError> {
        Ok(self.0.upsert(vec![event]).await?)
    }
}
