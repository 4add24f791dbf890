//! Publishing, bounded in memory and in time.
//!
//! The client's publisher has no back-pressure: whatever it is given, it keeps until it is sent. So
//! every call first takes its bytes from a budget, and gives them back when the service has
//! answered, also where the caller no longer waits. Messages without a key share one publisher per
//! topic, which batches over calls. A call with keys has a publisher of its own: the client makes a
//! task per key that it never ends, and pauses a key whose message failed until somebody resumes
//! it; both end with the publisher (docs/decisions/0030-a-publisher-per-keyed-call.md).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use google_cloud_pubsub::builder::publisher::PublisherPartialBuilder;
use google_cloud_pubsub::client::{BasePublisher, Publisher};
use google_cloud_pubsub::error::PublishError;
use google_cloud_pubsub::model::Message;
use schemas::Topic;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::super::failure::{Effect, Outcome, outcome};
use super::PubsubSettings;
use crate::ports::{Outgoing, PortError, PortResult};

/// Most bytes of one request, everything in it counted.
/// <https://cloud.google.com/pubsub/quotas#resource_limits>
const REQUEST_BYTES: usize = 10_000_000;
/// What a message's fields, and a request's, take at most beside their contents, each: tags and
/// lengths of the protocol buffer encoding.
const FIELD_BYTES: usize = 12;
/// Messages of one request.
const BATCH_MESSAGES: u32 = 500;
/// Payload of one request, in bytes, unless a single message has more.
const BATCH_BYTES: u32 = 1_000_000;
/// How long a message waits for others to share its request.
const BATCH_WAIT: Duration = Duration::from_millis(3);
/// What one permit of the budget stands for, in bytes.
const PERMIT_BYTES: usize = 1024;
/// How much longer than an attempt's own limit is waited for its end.
const GRACE: Duration = Duration::from_secs(2);

/// Publishes to all topics of a project.
#[derive(Debug)]
pub(super) struct Publishers {
    base: BasePublisher,
    project: String,
    shared: Mutex<HashMap<Topic, Publisher>>,
    budget: Arc<Semaphore>,
    permits: u32,
    within: Duration,
}

/// Whose publisher a message goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Through {
    /// One that batches over calls: another's bad message fails its whole batch.
    Shared,
    /// One of this call alone.
    Own,
}

/// What became of each message of a call, in order.
type Results = Vec<Result<String, PublishError>>;

impl Publishers {
    pub(super) fn new(base: BasePublisher, project: &str, settings: &PubsubSettings) -> Self {
        let permits = u32::try_from(settings.publishing_bytes / PERMIT_BYTES).unwrap_or(u32::MAX);
        // More would be refused by the semaphore; 2^29 KiB are enough.
        let permits = permits.clamp(1, u32::MAX >> 3);
        Self {
            base,
            project: project.to_owned(),
            shared: Mutex::default(),
            budget: Arc::new(Semaphore::new(permits as usize)),
            permits,
            within: settings.call_within,
        }
    }

    /// Publishes messages that are within the bounds; their ids in the same order.
    pub(super) async fn publish(
        &self,
        topic: Topic,
        messages: Vec<Outgoing>,
        attempted: String,
    ) -> PortResult<Vec<String>> {
        let Ok(budget) = timeout(self.within, self.take(&messages)).await else {
            let reason = anyhow::anyhow!("what is being published already takes all the memory for it");
            return Err(PortError::did_not_happen(attempted, reason));
        };
        let messages: Vec<Message> = messages.into_iter().map(on_the_wire).collect();
        let through = match messages.iter().any(|message| !message.ordering_key.is_empty()) {
            true => Through::Own,
            false => Through::Shared,
        };
        let own = self.own_publisher(topic);
        let publisher = if through == Through::Own { own.clone().build() } else { self.shared_publisher(topic) };
        // A task of its own: the budget is held until the service has answered, also where the
        // caller stops waiting.
        let work = tokio::spawn(async move {
            let results = send(publisher, &messages).await;
            let results = if through == Through::Shared { again_alone(own, &messages, results).await } else { results };
            drop(budget);
            results
        });
        match timeout(self.within * 2 + GRACE, work).await {
            Ok(Ok(results)) => combine(results, attempted),
            Ok(Err(ended)) => Err(PortError::may_have_happened(attempted, ended)),
            Err(late) => Err(PortError::may_have_happened(attempted, late)),
        }
    }

    /// Waits for the messages' share of the budget; the whole of it for what is larger.
    async fn take(&self, messages: &[Outgoing]) -> Option<OwnedSemaphorePermit> {
        let bytes: usize = messages.iter().map(encoded_bytes).sum();
        let permits = u32::try_from(bytes / PERMIT_BYTES + 1).unwrap_or(u32::MAX).min(self.permits);
        // Never closed, so never none.
        Arc::clone(&self.budget).acquire_many_owned(permits).await.ok()
    }

    /// What a publisher of one call is built from; one that is built has a task of its own.
    fn own_publisher(&self, topic: Topic) -> PublisherPartialBuilder {
        self.base
            .publisher(format!("projects/{}/topics/{topic}", self.project))
            .set_message_count_threshold(BATCH_MESSAGES)
            .set_byte_threshold(BATCH_BYTES)
            .set_delay_threshold(BATCH_WAIT)
    }

    fn shared_publisher(&self, topic: Topic) -> Publisher {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.entry(topic).or_insert_with(|| self.own_publisher(topic).build()).clone()
    }
}

/// Gives all messages to the publisher, and waits for all answers.
async fn send(publisher: Publisher, messages: &[Message]) -> Results {
    let pending: Vec<_> = messages.iter().map(|message| publisher.publish(message.clone())).collect();
    drop(publisher); // one of our own sends at once then
    join_all(pending).await
}

/// Sends those again that were refused for good in a batch with others': alone, it shows whose
/// fault it was.
async fn again_alone(own: PublisherPartialBuilder, messages: &[Message], mut results: Results) -> Results {
    let refused = |result: &Result<String, PublishError>| matches!(result, Err(PublishError::Rpc(error)) if outcome(error, Effect::Write) == Outcome::Never);
    let indices: Vec<usize> = (0..results.len()).filter(|index| results.get(*index).is_some_and(refused)).collect();
    if indices.is_empty() {
        return results;
    }
    let alone: Vec<Message> = indices.iter().filter_map(|index| messages.get(*index).cloned()).collect();
    for (index, result) in indices.into_iter().zip(send(own.build(), &alone).await) {
        if let Some(slot) = results.get_mut(index) {
            *slot = result;
        }
    }
    results
}

/// All ids, or what the call as a whole came to: where some messages are published and others are
/// not, it may have happened.
fn combine(results: Results, attempted: String) -> PortResult<Vec<String>> {
    let total = results.len();
    let (mut ids, mut worst) = (Vec::with_capacity(total), None::<(u8, Outcome, PublishError)>);
    for result in results {
        let error = match result {
            Ok(id) => {
                ids.push(id);
                continue;
            }
            Err(error) => error,
        };
        let (gravity, came_to) = gravity(&error);
        if worst.as_ref().is_none_or(|(gravest, ..)| gravity > *gravest) {
            worst = Some((gravity, came_to, error));
        }
    }
    match worst {
        None => Ok(ids),
        Some((_, came_to, error)) if ids.is_empty() => Err(came_to.error(attempted, error)),
        Some((.., error)) => {
            let some = format!("{} of {total} messages were published", ids.len());
            Err(PortError::may_have_happened(attempted, anyhow::Error::new(error).context(some)))
        }
    }
}

/// What a message's failure came to, and how grave that is for its call: the more can still become of
/// the call, the graver.
fn gravity(error: &PublishError) -> (u8, Outcome) {
    let came_to = match error {
        PublishError::Rpc(error) => outcome(error, Effect::Write),
        // Held back after one before it failed, which is in the list too.
        PublishError::OrderingKeyPaused => return (0, Outcome::Not),
        _ => Outcome::Perhaps,
    };
    let gravity = match came_to {
        Outcome::Never => 1,
        Outcome::NotSetUp => 2,
        Outcome::Not => 3,
        Outcome::Perhaps => 4,
    };
    (gravity, came_to)
}

fn on_the_wire(message: Outgoing) -> Message {
    Message::new()
        .set_data(message.payload)
        .set_attributes(message.attributes)
        .set_ordering_key(message.ordering_key.unwrap_or_default())
}

/// Bytes a message takes in a request, or a few more.
fn encoded_bytes(message: &Outgoing) -> usize {
    let attributes: usize =
        message.attributes.iter().map(|(name, value)| name.len() + value.len() + 3 * FIELD_BYTES).sum();
    message.payload.len() + attributes + message.ordering_key.as_deref().map_or(0, str::len) + 3 * FIELD_BYTES
}

/// Says if a message is too large for a request: the service counts everything in it, so the
/// largest payload is a little less than 10 MB.
pub(super) fn check_size(topic: Topic, message: &Outgoing) -> Result<(), String> {
    // A project's name in the topic's has 30 characters at most; its number is shorter.
    let request = encoded_bytes(message) + topic.name().len() + 64 + FIELD_BYTES;
    if request > REQUEST_BYTES {
        return Err(format!("its request has {request} bytes, more than the {REQUEST_BYTES} allowed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use google_cloud_gax::error::Error;
    use google_cloud_gax::error::rpc::{Code, Status};

    use super::*;

    fn rpc(code: Code) -> Result<String, PublishError> {
        Err(PublishError::Rpc(Arc::new(Error::service(Status::default().set_code(code)))))
    }

    fn id() -> Result<String, PublishError> {
        Ok("1".to_owned())
    }

    fn paused() -> Result<String, PublishError> {
        Err(PublishError::OrderingKeyPaused)
    }

    fn came_to(results: Results) -> &'static str {
        match combine(results, "publish".to_owned()) {
            Ok(_) => "published",
            Err(PortError::DidNotHappen { .. }) => "not",
            Err(PortError::MayHaveHappened { .. }) => "perhaps",
            Err(error) if error.is_not_set_up() => "not set up",
            Err(PortError::NeverWill { .. }) => "never",
        }
    }

    #[test]
    fn a_call_comes_to_the_gravest_of_what_its_messages_came_to() {
        use Code::{InvalidArgument, PermissionDenied, ResourceExhausted, Unavailable};
        assert_eq!(came_to(vec![id(), id()]), "published");
        assert_eq!(came_to(vec![rpc(InvalidArgument), paused()]), "never");
        assert_eq!(came_to(vec![paused(), rpc(InvalidArgument)]), "never");
        assert_eq!(came_to(vec![rpc(ResourceExhausted), paused()]), "not");
        assert_eq!(came_to(vec![rpc(InvalidArgument), rpc(ResourceExhausted)]), "not");
        assert_eq!(came_to(vec![rpc(PermissionDenied), paused()]), "not set up");
        assert_eq!(came_to(vec![rpc(InvalidArgument), rpc(PermissionDenied)]), "not set up");
        assert_eq!(came_to(vec![rpc(InvalidArgument), rpc(Unavailable)]), "perhaps");
        assert_eq!(came_to(vec![rpc(Unavailable), paused()]), "perhaps");
        assert_eq!(came_to(vec![id(), rpc(InvalidArgument)]), "perhaps", "one is published");
    }

    #[test]
    fn what_fits_a_request_with_everything_around_it_is_within_bounds() {
        let of = |bytes| Outgoing { payload: vec![0; bytes], ..Outgoing::default() };
        assert!(check_size(Topic::RawBatches, &of(REQUEST_BYTES - 200)).is_ok());
        let reason = check_size(Topic::RawBatches, &of(REQUEST_BYTES)).unwrap_err();
        assert!(reason.contains("10000000"), "{reason}");
    }
}
