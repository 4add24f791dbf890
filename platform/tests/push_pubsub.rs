//! Push from end to end: what is published at Pub/Sub's stand-in reaches the handler by push, with a
//! token that the stand-in signed, and is acknowledged when its effects are durable.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

#[path = "push_pubsub/process.rs"]
mod process;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use podledger_platform::embedded::DirObjects;
use podledger_platform::google::{PubsubBroker, PubsubEmulator, PubsubSettings};
use podledger_platform::ports::{Broker, Flow, Incoming, Outgoing};
use podledger_platform::runtime::{
    Consumer, Env, Handle, HandleError, MessageContext, Monitor, Ports, PushSettings, RuntimeSettings, Shutdown, Stage,
    install_tls, serve_push,
};
use podledger_platform::testkit::pubsub::{Provision, PushTarget, provision, push_to, unacknowledged};
use podledger_platform::testkit::servers::{Built, Server};
use schemas::{Subscription, Topic};
use tokio::task::JoinHandle;

pub(crate) const PROJECT: &str = "pushed";
pub(crate) const AUDIENCE: &str = "https://loader.example.com";
pub(crate) const PUSHER: &str = "pusher@project.iam.gserviceaccount.com";
const PLAIN: Subscription = Subscription::new(Topic::RowBatches, "loader");
const ORDERED: Subscription = Subscription::new(Topic::Violations, "loader");
const DEAD: Subscription = Subscription::new(Topic::DeadLetters, "loader");
/// How long a test waits for a condition at most.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Notes what comes, and fails as often as a message's attribute `outages` says, or for good where
/// there is an attribute `poison`.
#[derive(Default)]
struct Notes {
    came: Mutex<Vec<Incoming>>,
    done: Mutex<Vec<Incoming>>,
}

#[async_trait]
impl Handle<Incoming> for Notes {
    async fn handle(&self, message: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        self.came.lock().unwrap().push(message.clone());
        let outages = message.attributes.get("outages").map_or(0, |outages| outages.parse().unwrap());
        if message.delivery_attempt <= outages {
            return Err(HandleError::Outage(anyhow::anyhow!("attempt {}", message.delivery_attempt)));
        }
        if message.attributes.contains_key("poison") {
            return Err(HandleError::Poison(anyhow::anyhow!("rotten")));
        }
        self.done.lock().unwrap().push(message);
        Ok(())
    }
}

struct Pushed {
    server: Server,
    broker: Arc<dyn Broker>,
    notes: Arc<Notes>,
    monitor: Monitor,
    shutdown: Shutdown,
    url: String,
    running: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

/// A stage with two subscriptions, one of them ordered, that are pushed to it.
async fn start(wrapped: bool) -> Option<Pushed> {
    install_tls();
    let server = Built::find("pubsub")?.start(&[]);
    let admin = server.url("rest");
    provision(&admin, PROJECT, Provision { max_delivery_attempts: 10, exactly_once: false }).await;
    let emulator = Some(PubsubEmulator { data: server.url("grpc"), admin: admin.clone() });
    let broker: Arc<dyn Broker> =
        Arc::new(PubsubBroker::open(PROJECT, PubsubSettings { emulator, ..PubsubSettings::default() }).await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::new(Arc::clone(&broker), Arc::new(DirObjects::open(folder.path()).unwrap()));
    let certs = format!("{admin}/oauth2/v3/certs");
    let env = Env::from_pairs([
        ("PODLEDGER_DELIVERY", "push"),
        ("PODLEDGER_PUSH_AUDIENCE", AUDIENCE),
        ("PODLEDGER_PUSH_SERVICE_ACCOUNT", PUSHER),
        ("PODLEDGER_PUSH_JWKS_URL", certs.as_str()),
    ]);
    let settings = env.read::<RuntimeSettings>().unwrap().checked().unwrap();
    let delivery = env.read::<PushSettings>().unwrap().checked(true).unwrap();
    let notes = Arc::new(Notes::default());
    let consumers = [PLAIN, ORDERED].map(|subscription| Consumer::new::<Incoming>(subscription, notes.clone()));
    let stage = Stage { name: "loader", consumers: consumers.into() };
    let (monitor, shutdown) = (Monitor::default(), Shutdown::new());
    let push = serve_push(stage, &ports, &settings, &delivery, &monitor, &shutdown).await.unwrap();
    let url = format!("http://{}/push", push.address());
    let running = tokio::spawn(push.run());
    let pushed = Pushed { server, broker, notes, monitor, shutdown, url, running, _folder: folder };
    for subscription in [PLAIN, ORDERED] {
        pushed.point(subscription, AUDIENCE, wrapped).await;
    }
    Some(pushed)
}

impl Pushed {
    async fn point(&self, subscription: Subscription, audience: &str, wrapped: bool) {
        let url = format!("{}/{subscription}", self.url);
        let target = PushTarget { url: &url, audience, service_account: PUSHER, wrapped };
        push_to(&self.server.url("rest"), PROJECT, subscription, Some(target)).await;
    }

    /// Waits until nothing of a subscription is left to acknowledge.
    async fn until_acknowledged(&self, subscription: Subscription) {
        let admin = self.server.url("rest");
        let done = async { while unacknowledged(&admin, PROJECT, subscription).await > 0 {} };
        let waited = tokio::time::timeout(PATIENCE, done).await;
        assert!(waited.is_ok(), "messages left: {}", self.monitor.metrics().text().unwrap());
    }

    fn done(&self) -> Vec<Incoming> {
        self.notes.done.lock().unwrap().clone()
    }

    async fn stop(self) {
        self.shutdown.trigger();
        tokio::time::timeout(PATIENCE, self.running).await.expect("it stops").unwrap();
    }
}

fn message(text: &str, attributes: &[(&str, &str)]) -> Outgoing {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Outgoing { payload: text.as_bytes().to_vec(), attributes, ordering_key: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_the_handler_as_it_was_published() {
    for wrapped in [true, false] {
        let Some(pushed) = start(wrapped).await else { return };
        let every_byte: Vec<u8> = (0..=255).collect();
        let published = Outgoing {
            payload: every_byte.repeat(1000),
            attributes: message("", &[("podledger_schema", "RowBatch"), ("other", "two words, one \"name\"")])
                .attributes,
            ordering_key: Some("prod-uk/payments/orders".to_owned()),
        };
        let ids = pushed.broker.publish(ORDERED.topic, vec![published.clone()]).await.unwrap();
        pushed.until_acknowledged(ORDERED).await;
        let came = pushed.done();
        assert_eq!(came.len(), 1, "wrapped: {wrapped}");
        assert_eq!(came[0].payload, published.payload);
        assert_eq!(came[0].attributes, published.attributes);
        assert_eq!(came[0].ordering_key, published.ordering_key);
        assert_eq!((&came[0].message_id, came[0].delivery_attempt), (&ids[0], 1));
        assert!(came[0].published_at.since(schemas::Timestamp::from_seconds(1_700_000_000)) > Duration::ZERO);
        pushed.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_makes_the_message_come_again_until_it_is_over() {
    let Some(pushed) = start(true).await else { return };
    pushed.broker.publish(PLAIN.topic, vec![message("work", &[("outages", "3")])]).await.unwrap();
    pushed.until_acknowledged(PLAIN).await;
    let attempts: Vec<u32> = pushed.notes.came.lock().unwrap().iter().map(|came| came.delivery_attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert_eq!(pushed.done().len(), 1);
    let text = pushed.monitor.metrics().text().unwrap();
    let labels = r#"stage="loader",subscription="row-batches--loader",outcome="#;
    for line in [format!("{labels}\"nacked\"}} 3"), format!("{labels}\"acked\"}} 1")] {
        assert!(text.contains(&line), "{line}: {text}");
    }
    pushed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_key_stay_in_order_through_failures() {
    const KEYS: usize = 5;
    const EACH: usize = 20;
    let Some(pushed) = start(true).await else { return };
    let outgoing: Vec<Outgoing> = (0..KEYS * EACH)
        .map(|n| {
            let outages = if n % 7 == 0 { "1" } else { "0" };
            let ordering_key = Some(format!("key-{}", n % KEYS));
            Outgoing { ordering_key, ..message(&format!("{}", n / KEYS), &[("outages", outages)]) }
        })
        .collect();
    pushed.broker.publish(ORDERED.topic, outgoing).await.unwrap();
    pushed.until_acknowledged(ORDERED).await;
    let done = pushed.done();
    for key in 0..KEYS {
        let of_key = done.iter().filter(|message| message.ordering_key == Some(format!("key-{key}")));
        let texts: Vec<String> = of_key.map(|message| String::from_utf8(message.payload.clone()).unwrap()).collect();
        assert_eq!(texts, (0..EACH).map(|n| n.to_string()).collect::<Vec<_>>(), "key {key}");
    }
    pushed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_becomes_a_dead_letter_and_is_acknowledged() {
    let Some(pushed) = start(true).await else { return };
    let poison = message("rotten", &[("poison", "yes"), ("own", "kept")]);
    let ids = pushed.broker.publish(PLAIN.topic, vec![poison]).await.unwrap();
    pushed.until_acknowledged(PLAIN).await;
    let flow = Flow { max_outstanding: 10, lease: Duration::from_secs(10) };
    let mut receiver = pushed.broker.subscribe(DEAD, flow).await.unwrap();
    let letter = tokio::time::timeout(PATIENCE, receiver.next()).await.expect("it comes").unwrap();
    assert_eq!(letter.message.payload, b"rotten");
    for (name, value) in [
        ("own", "kept"),
        ("podledger_subscription", "row-batches--loader"),
        ("podledger_message_id", ids[0].as_str()),
        ("podledger_reason", "rotten"),
    ] {
        assert_eq!(letter.message.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(letter.ack().await.unwrap());
    assert_eq!(pushed.notes.came.lock().unwrap().len(), 1, "poison is tried once");
    pushed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_somebody_else_lets_in_nothing_until_it_is_mended() {
    let Some(pushed) = start(true).await else { return };
    pushed.point(PLAIN, "https://others.example.com", true).await;
    pushed.broker.publish(PLAIN.topic, vec![message("work", &[])]).await.unwrap();
    let refused = async {
        let line =
            r#"podledger_push_refused_total{stage="loader",subscription="row-batches--loader",reason="audience"}"#;
        while !pushed.monitor.metrics().text().unwrap().contains(line) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("it is refused");
    assert!(pushed.notes.came.lock().unwrap().is_empty());
    pushed.point(PLAIN, AUDIENCE, true).await;
    pushed.until_acknowledged(PLAIN).await;
    assert_eq!(pushed.done().len(), 1);
    pushed.stop().await;
}
