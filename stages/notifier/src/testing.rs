//! Values and ports for this crate's tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use platform::ports::{Broker, Clock};
use platform::runtime::Ports;
use platform::testkit::memory::{Affected, Effects, MemoryBroker, MemoryObjects};
use schemas::{AlertState, Cause, Json, Notification, Rule, Severity, Timestamp, Topic, Violation};

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

/// What a notifier has: objects and broker in memory, and a clock.
pub(crate) struct Memory {
    pub(crate) objects: Arc<MemoryObjects>,
    pub(crate) broker: Arc<MemoryBroker>,
    /// Writes of objects.
    pub(crate) writes: Arc<Effects>,
    pub(crate) clock: Arc<SetClock>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            objects: Arc::default(),
            broker: Arc::default(),
            writes: Effects::sound(),
            clock: Arc::new(SetClock(Mutex::new(noon()))),
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        Ports {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ..Ports::new(
                Arc::clone(&self.broker) as Arc<dyn Broker>,
                Arc::new(Affected::new(&self.objects, &self.writes)),
            )
        }
    }

    pub(crate) fn published(&self) -> Vec<Notification> {
        assert!(self.broker.messages().iter().all(|(topic, _)| *topic == Topic::Notifications));
        self.broker.published()
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
