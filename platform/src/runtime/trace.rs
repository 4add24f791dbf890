//! Trace context: which work belongs together, across messages (W3C Trace Context, level 1).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemas::{Subscription, Topic};

use crate::ports::{Backlog, Broker, Flow, MAX_ATTRIBUTES, Outgoing, PortResult, Receiver, SeekTo, SubscriptionCounts};

/// The attribute that carries it.
const TRACEPARENT: &str = "traceparent";
/// Length of a version 00 `traceparent`.
const TRACEPARENT_LENGTH: usize = 55;
/// The flag "sampled", set on traces that start here.
const SAMPLED: u8 = 1;

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// A span of its own within the trace the message came with, or within a new one.
    pub fn for_message(attributes: &BTreeMap<String, String>) -> Self {
        let parent = attributes.get(TRACEPARENT).and_then(|text| Self::parse(text));
        let trace_id = parent.map_or_else(rand::random, |parent| parent.trace_id);
        Self { trace_id, span_id: rand::random(), flags: parent.map_or(SAMPLED, |parent| parent.flags) }
    }

    /// Reads a `traceparent`; `None` when it is not a valid one. Later versions are read by the
    /// fields that version 00 has.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.split_at_checked(TRACEPARENT_LENGTH)?;
        let mut parts = head.split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let follows = if version == "00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
        if version == "ff" || !follows || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let [_version] = bytes::<1>(version)?;
        let [flags] = bytes::<1>(flags)?;
        let context = Self { trace_id: bytes(trace_id)?, span_id: bytes(span_id)?, flags };
        let valid = context.trace_id != [0; 16] && context.span_id != [0; 8];
        valid.then_some(context)
    }

    /// The trace's id, 32 hex digits.
    pub fn trace_id(&self) -> String {
        hex::encode(self.trace_id)
    }

    /// The span's id, 16 hex digits.
    pub fn span_id(&self) -> String {
        hex::encode(self.span_id)
    }

    /// As a message carries it on.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id(), self.span_id(), self.flags & SAMPLED)
    }

    /// Does work in this context: what it publishes belongs to the trace. Tasks that the work
    /// spawns do not.
    pub(super) async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }
}

/// The context of the message being handled here, if one is.
pub fn current_trace() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok()
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

/// A broker that adds the current trace to what is published.
pub struct TracedBroker {
    inner: Arc<dyn Broker>,
}

impl TracedBroker {
    /// Traces over a broker.
    pub fn new(inner: Arc<dyn Broker>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl Broker for TracedBroker {
    async fn publish(&self, topic: Topic, mut messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        if let Some(trace) = current_trace() {
            // Where a message has as many attributes as it may, it goes without: a trace is no reason to
            // refuse one.
            let has_room = |message: &&mut Outgoing| message.attributes.len() < MAX_ATTRIBUTES;
            for message in messages.iter_mut().filter(has_room) {
                message.attributes.entry(TRACEPARENT.to_owned()).or_insert_with(|| trace.traceparent());
            }
        }
        self.inner.publish(topic, messages).await
    }

    async fn subscribe(&self, subscription: Subscription, flow: Flow) -> PortResult<Box<dyn Receiver>> {
        self.inner.subscribe(subscription, flow).await
    }

    async fn seek(&self, subscription: Subscription, to: SeekTo) -> PortResult<()> {
        self.inner.seek(subscription, to).await
    }

    async fn backlog(&self, subscription: Subscription) -> PortResult<Backlog> {
        self.inner.backlog(subscription).await
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        self.inner.counts().await
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }

    fn knows_backlog(&self) -> bool {
        self.inner.knows_backlog()
    }

    async fn flush(&self) -> PortResult<()> {
        self.inner.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::scripted::ScriptedBroker;
    use crate::ports::bounds;

    #[tokio::test]
    async fn a_message_without_room_for_a_trace_is_published_without_one() {
        let broker = ScriptedBroker::default();
        let traced = TracedBroker::new(Arc::new(broker.clone()));
        let of = |count: usize| Outgoing {
            attributes: (0..count).map(|number| (format!("a{number}"), String::new())).collect(),
            ..Outgoing::default()
        };
        let messages = vec![of(MAX_ATTRIBUTES), of(MAX_ATTRIBUTES - 1)];
        let publishing = traced.publish(Topic::DeadLetters, messages);
        TraceContext::for_message(&BTreeMap::new()).scope(publishing).await.unwrap();
        let published = broker.published();
        for (_, message) in &published {
            assert_eq!(bounds::check(message), Ok(()));
        }
        let traces: Vec<bool> = published.iter().map(|(_, one)| one.attributes.contains_key(TRACEPARENT)).collect();
        assert_eq!(traces, [false, true]);
    }

    #[test]
    fn a_message_continues_its_trace_under_a_span_of_its_own() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let attributes = BTreeMap::from([(TRACEPARENT.to_owned(), text.to_owned())]);
        let context = TraceContext::for_message(&attributes);
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_ne!(context.span_id(), "b7ad6b7169203331");
        assert_eq!(TraceContext::parse(&context.traceparent()), Some(context));
    }

    #[test]
    fn without_a_valid_trace_a_new_one_starts() {
        for bad in [
            "",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333ä-01",
            &"0".repeat(10_000),
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
            let attributes = BTreeMap::from([(TRACEPARENT.to_owned(), bad.to_owned())]);
            let one = TraceContext::for_message(&attributes);
            assert_ne!(one.trace_id(), TraceContext::for_message(&attributes).trace_id());
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert!(TraceContext::parse(later).is_some());
    }
}
