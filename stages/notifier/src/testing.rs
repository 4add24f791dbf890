//! Values and ports for this crate's tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use platform::ports::{
    Backlog, Broker, ByteStream, Clock, Created, Flow, Generation, ObjectMeta, Objects, Outgoing, PortError,
    PortResult, Receiver, Replaced, SeekTo, StoredObject, SubscriptionCounts,
};
use platform::runtime::Ports;
use schemas::{
    AlertState, Cause, Json, Message as _, Notification, Rule, Severity, Subscription, Timestamp, Topic, Violation,
};

/// 2026-10-01 12:00 UTC.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_seconds(1_790_856_000)
}

/// `payments/orders-api` opened at noon.
pub(crate) fn violation(event: &str) -> Violation {
    Violation {
        event_id: event.into(),
        episode_id: "episode-1".into(),
        timestamp: noon(),
        alert_type: Rule::OverLimit,
        severity: Severity::Critical,
        state: AlertState::Opened,
        cause: Cause::ScaledByHand,
        message: "payments/orders-api on prod-uk runs 6 pods, 2 over its limit of 4".to_owned(),
        cluster: "prod-uk".into(),
        namespace: Some("payments".to_owned()),
        deployment_name: Some("orders-api".to_owned()),
        uid: Some("uid-1".to_owned()),
        api_id: None,
        team_id: Some("payments".to_owned()),
        observed: Some(6),
        limit_value: Some(4),
        desired: Some(6),
        ceiling: None,
        surge_allowance: Some(0),
        actor: Some("alice@example.com".to_owned()),
        snapshot_id: Some("snapshot-1".into()),
        started_at: noon(),
        ended_at: None,
        evidence: Json::parse(r#"{"cause_row":7}"#).unwrap(),
    }
}

/// A clock that is set by hand.
#[derive(Debug)]
pub(crate) struct SetClock(Mutex<Timestamp>);

impl SetClock {
    pub(crate) fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Objects and broker in memory; the n-th write of an object may fail.
pub(crate) struct Memory {
    objects: Mutex<BTreeMap<String, (u64, Bytes)>>,
    writes: Mutex<u64>,
    lost_writes: Mutex<Vec<u64>>,
    published: Mutex<Vec<Notification>>,
    pub(crate) clock: Arc<SetClock>,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            objects: Mutex::default(),
            writes: Mutex::default(),
            lost_writes: Mutex::default(),
            published: Mutex::default(),
            clock: Arc::new(SetClock(Mutex::new(noon()))),
        })
    }

    pub(crate) fn ports(self: &Arc<Self>) -> Ports {
        Ports {
            broker: Arc::clone(self) as Arc<dyn Broker>,
            objects: Arc::clone(self) as Arc<dyn Objects>,
            warehouse: None,
            clusters: BTreeMap::new(),
            documents: BTreeMap::new(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        }
    }

    /// Lets the n-th write of an object from now on not happen, from 1.
    pub(crate) fn lose_write(&self, nth: u64) {
        let write = *self.writes.lock().unwrap() + nth;
        self.lost_writes.lock().unwrap().push(write);
    }

    pub(crate) fn published(&self) -> Vec<Notification> {
        self.published.lock().unwrap().clone()
    }

    pub(crate) fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let mut writes = self.writes.lock().unwrap();
        *writes += 1;
        self.objects.lock().unwrap().insert(key.to_owned(), (*writes, bytes.into()));
    }

    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        self.objects.lock().unwrap().get(key).map(|(_, bytes)| bytes.clone())
    }
}

#[async_trait]
impl Objects for Memory {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        let bytes: Vec<Bytes> = body.try_collect().await.map_err(|error| PortError::did_not_happen(key, error))?;
        self.put(key, bytes.concat());
        Ok(Created::Existed)
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        let generation = {
            let mut writes = self.writes.lock().unwrap();
            *writes += 1;
            *writes
        };
        if self.lost_writes.lock().unwrap().contains(&generation) {
            return Err(PortError::did_not_happen(key, anyhow!("fault")));
        }
        let mut objects = self.objects.lock().unwrap();
        if objects.get(key).map(|(generation, _)| Generation(*generation)) != expected {
            return Ok(Replaced::LostRace);
        }
        objects.insert(key.to_owned(), (generation, body));
        Ok(Replaced::Done(Generation(generation)))
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        let found = self.objects.lock().unwrap().get(key).cloned();
        Ok(found.map(|(generation, bytes)| StoredObject {
            generation: Generation(generation),
            size: bytes.len() as u64,
            body: Box::pin(futures::stream::once(async move { Ok(bytes) })),
        }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        let objects = self.objects.lock().unwrap();
        let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(found
            .map(|(key, (generation, bytes))| ObjectMeta {
                key: key.clone(),
                size: bytes.len() as u64,
                generation: Generation(*generation),
            })
            .collect())
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Broker for Memory {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        assert_eq!(topic, Topic::Notifications, "the notifier publishes notifications only");
        let decode = |message: &Outgoing| Notification::decode(&message.payload, &message.attributes).unwrap();
        self.published.lock().unwrap().extend(messages.iter().map(decode));
        Ok(messages.iter().map(|_| "id".to_owned()).collect())
    }

    async fn subscribe(&self, _subscription: Subscription, _flow: Flow) -> PortResult<Box<dyn Receiver>> {
        Err(PortError::never_will("subscribe", anyhow!("these tests call the handler")))
    }

    async fn seek(&self, _subscription: Subscription, _to: SeekTo) -> PortResult<()> {
        Ok(())
    }

    async fn backlog(&self, _subscription: Subscription) -> PortResult<Backlog> {
        Ok(Backlog::default())
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        Ok(None)
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

/// Calls that a receiver got.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status, headers, body.
    With(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Nothing, for ever.
    Hang,
    /// An endless body.
    Endless(u16),
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::With(status, Vec::new(), Vec::new())
    }
}

/// A real HTTP server on loopback that answers as told and remembers what it got. The last answer
/// is repeated.
pub(crate) struct Server {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answers: Vec<Answer>) -> Self {
        use axum::response::IntoResponse as _;
        install_crypto();
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let seen = Arc::clone(&calls);
        let answer = move |headers: axum::http::HeaderMap, body: Bytes| {
            let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
            let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
            let mut calls = seen.lock().unwrap();
            let answer = answers[calls.len().min(answers.len() - 1)].clone();
            calls.push(Call { headers, body });
            async move {
                match answer {
                    Answer::Hang => std::future::pending().await,
                    Answer::With(status, headers, body) => {
                        let mut response = (axum::http::StatusCode::from_u16(status).unwrap(), body).into_response();
                        for (name, value) in headers {
                            response.headers_mut().insert(name, value.parse().unwrap());
                        }
                        response
                    }
                    Answer::Endless(status) => {
                        let piece = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 8_192]));
                        let body = axum::body::Body::from_stream(futures::stream::repeat_with(piece));
                        (axum::http::StatusCode::from_u16(status).unwrap(), body).into_response()
                    }
                }
            }
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/hook?token=s3cret", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(answer);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, calls, task }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The process's TLS provider: main installs it, tests too.
pub(crate) fn install_crypto() {
    // An error says that it is installed already, by another test of this process.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
}
