//! The subscription to the audit log.

use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use platform::ports::{Broker, Incoming};
use platform::runtime::{Handle, HandleError, MessageContext};

use super::{AuditContext, Outcome, decode_message};

/// One audit entry in, its changes out. An entry that cannot be read is poison; one that changed
/// nothing is done.
pub struct AuditHandler {
    broker: Arc<dyn Broker>,
    context: AuditContext,
}

impl AuditHandler {
    /// A handler that publishes to that broker.
    pub fn new(broker: Arc<dyn Broker>, context: AuditContext) -> Self {
        Self { broker, context }
    }
}

#[async_trait]
impl Handle<Incoming> for AuditHandler {
    async fn handle(&self, message: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        let mut changes = Vec::new();
        let mut rejected = None;
        for decoded in decode_message(&message.payload, &self.context) {
            match decoded.changes {
                Ok(made) => changes.extend(made),
                Err(Outcome::Skip(reason)) => {
                    tracing::debug!(message_id = message.message_id, %reason, "audit entry is no change");
                }
                Err(Outcome::Reject(reason)) => {
                    let place = decoded.position.map_or(String::new(), |position| format!("item {position}: "));
                    rejected.get_or_insert(anyhow!("{place}{reason}"));
                }
            }
        }
        // The neighbours of an entry that cannot be read are published before it is given up.
        self.broker.publish_messages(&changes).await?;
        rejected.map_or(Ok(()), |reason| Err(HandleError::Poison(reason)))
    }
}
