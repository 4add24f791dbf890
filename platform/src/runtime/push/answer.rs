//! Settling a pushed message: by the answer to its request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::ports::{PortResult, Settle};

/// What a request is answered about its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is done and need not come again.
    Acknowledged,
    /// It is to come again.
    GivenBack,
}

/// The two ends of one settlement: the delivery's, and the request's, who waits for it.
pub(super) fn settlement() -> (Box<dyn Settle>, oneshot::Receiver<Answer>) {
    let (sender, receiver) = oneshot::channel();
    (Box::new(ByAnswer(Mutex::new(Some(sender)))), receiver)
}

/// The delivery's end. The lease is the request itself: it is lost when the sender has hung up.
struct ByAnswer(Mutex<Option<oneshot::Sender<Answer>>>);

impl ByAnswer {
    /// Answers, unless that was done; whether somebody was there to hear it.
    fn answer(&self, answer: Answer) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        sender.is_some_and(|sender| sender.send(answer).is_ok())
    }
}

#[async_trait]
impl Settle for ByAnswer {
    async fn ack(&self) -> PortResult<bool> {
        Ok(self.answer(Answer::Acknowledged))
    }

    /// The delay is the subscription's own. An answer that nobody hears gives back as well.
    async fn nack(&self, _delay: Duration) -> PortResult<()> {
        self.abandon();
        Ok(())
    }

    async fn extend(&self) -> PortResult<bool> {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(sender.as_ref().is_some_and(|sender| !sender.is_closed()))
    }

    fn abandon(&self) {
        if !self.answer(Answer::GivenBack) {
            tracing::debug!("given back to a request that has ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_settlement_is_the_answer() {
        let (settle, settled) = settlement();
        assert!(settle.extend().await.unwrap());
        assert!(settle.ack().await.unwrap());
        settle.nack(Duration::ZERO).await.unwrap();
        assert!(!settle.ack().await.unwrap());
        assert_eq!(settled.await, Ok(Answer::Acknowledged));
    }

    #[tokio::test]
    async fn a_request_that_was_hung_up_is_a_lost_lease() {
        let (settle, settled) = settlement();
        drop(settled);
        assert!(!settle.extend().await.unwrap());
        assert!(!settle.ack().await.unwrap());
    }

    #[tokio::test]
    async fn a_delivery_that_is_dropped_is_given_back() {
        let (settle, settled) = settlement();
        settle.abandon();
        assert_eq!(settled.await, Ok(Answer::GivenBack));
    }
}
