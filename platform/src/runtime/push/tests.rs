use std::sync::Mutex;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder};
use schemas::{RowBatch, Subscription, Topic};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::layers::scripted::{ScriptedBroker, ScriptedObjects, doubt, outage};
use crate::ports::{Broker, Incoming, Outgoing, SystemClock};
use crate::runtime::{
    Consumer, DeliveryMode, Env, Handle, HandleError, MessageContext, TraceContext, TracedBroker, install_tls, run,
};

mod bounds;

const LOADER: Subscription = Subscription::new(Topic::RowBatches, "loader");
/// How long a test waits for a condition at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// A handler that does what the message's id says.
#[derive(Default)]
struct Obedient {
    handled: Mutex<Vec<String>>,
    started: Notify,
    released: Gate,
}

/// Lets those who wait through when a test says so.
struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

#[async_trait]
impl Handle<Incoming> for Obedient {
    async fn handle(&self, message: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        let id = message.message_id;
        self.started.notify_one();
        let result = match id.split('-').next().unwrap() {
            "outage" => Err(HandleError::Outage(anyhow::anyhow!("away"))),
            "poison" => Err(HandleError::Poison(anyhow::anyhow!("rotten"))),
            "lost" => Err(HandleError::LostOwnership("another".to_owned())),
            "panic" => panic!("handler bug"),
            "wait" => {
                self.released.0.acquire().await.unwrap().forget();
                Ok(())
            }
            _ => Ok(()),
        };
        self.handled.lock().unwrap().push(id);
        result
    }
}

/// A stage that is served, believes everybody, and has not drained yet.
struct Served {
    broker: ScriptedBroker,
    handler: Arc<Obedient>,
    monitor: Monitor,
    shutdown: Shutdown,
    address: SocketAddr,
    client: Client,
    running: JoinHandle<()>,
}

fn ports(broker: Arc<dyn Broker>) -> Ports {
    let objects = Arc::new(ScriptedObjects::default());
    Ports::new(broker, objects)
}

fn settings(pairs: &[(&str, &str)]) -> RuntimeSettings {
    let pairs = [("PODLEDGER_DELIVERY", "push")].into_iter().chain(pairs.iter().copied());
    Env::from_pairs(pairs).read::<RuntimeSettings>().unwrap().checked().unwrap()
}

async fn serve_within(deadline: Duration, subscription: Subscription, pairs: &[(&str, &str)]) -> Served {
    install_tls();
    let (broker, handler) = (ScriptedBroker::default(), Arc::new(Obedient::default()));
    let consumers = vec![Consumer::new::<Incoming>(subscription, handler.clone())];
    let stage = Stage { name: "loader", consumers };
    let (monitor, shutdown) = (Monitor::default(), Shutdown::new());
    let delivery = PushDelivery { door: None, deadline, clock: Arc::new(SystemClock) };
    let (ports, settings) = (ports(Arc::new(broker.clone())), settings(pairs));
    let server = serve_push(stage, &ports, &settings, &delivery, &monitor, &shutdown).await.unwrap();
    let address = server.address();
    let running = tokio::spawn(server.run());
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    Served { broker, handler, monitor, shutdown, address, client, running }
}

async fn serve(pairs: &[(&str, &str)]) -> Served {
    serve_within(PATIENCE, LOADER, pairs).await
}

fn envelope(id: &str) -> String {
    json!({"message": {"messageId": id, "data": ""}, "subscription": "projects/p/subscriptions/row-batches--loader"})
        .to_string()
}

impl Served {
    fn post(&self, body: String) -> RequestBuilder {
        self.client.post(format!("http://{}/push/{LOADER}", self.address)).body(body)
    }

    /// The status that a message is answered with.
    async fn push(&self, id: &str) -> u16 {
        self.post(envelope(id)).send().await.unwrap().status().as_u16()
    }

    /// A message on its way, when it is in its handler.
    async fn pushing(&self, id: &str) -> JoinHandle<u16> {
        let request = self.post(envelope(id));
        let pushing = tokio::spawn(async move { request.send().await.unwrap().status().as_u16() });
        self.handler.started.notified().await;
        pushing
    }

    async fn status(&self, path: &str) -> u16 {
        self.client.get(format!("http://{}{path}", self.address)).send().await.unwrap().status().as_u16()
    }

    /// Sends these bytes as they are and reads the answer's status; none where there is no answer.
    async fn raw(&self, bytes: &[u8]) -> Option<u16> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = [0; 12];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer or an end");
        read.ok()?;
        std::str::from_utf8(&answer).unwrap().strip_prefix("HTTP/1.1 ")?.parse().ok()
    }

    fn handled(&self) -> Vec<String> {
        self.handler.handled.lock().unwrap().clone()
    }

    /// Waits until the metrics have that line.
    async fn until_metric(&self, line: &str) {
        let shown = async {
            while !self.monitor.metrics().text().unwrap().lines().any(|found| found == line) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, shown).await;
        assert!(waited.is_ok(), "no {line} in {}", self.monitor.metrics().text().unwrap());
    }

    async fn until_outcome(&self, outcome: &str) {
        let labels = format!(r#"stage="loader",subscription="row-batches--loader",outcome="{outcome}""#);
        self.until_metric(&format!("podledger_messages_total{{{labels}}} 1")).await;
    }

    async fn until_refused(&self, reason: &str, times: usize) {
        let labels = format!(r#"stage="loader",subscription="row-batches--loader",reason="{reason}""#);
        self.until_metric(&format!("podledger_push_refused_total{{{labels}}} {times}")).await;
    }

    async fn stop(self) -> ScriptedBroker {
        self.shutdown.trigger();
        tokio::time::timeout(PATIENCE, self.running).await.expect("it stops").unwrap();
        self.broker
    }
}

#[tokio::test]
async fn every_outcome_is_answered_as_promised() {
    for (id, status, outcome) in [
        ("ok", 204, "acked"),
        ("lost", 204, "lost-ownership"),
        ("poison", 204, "dead-lettered"),
        ("outage", 503, "nacked"),
        ("panic", 503, "panicked"),
    ] {
        let served = serve(&[]).await;
        assert_eq!(served.push(id).await, status, "{id}");
        served.until_outcome(outcome).await;
        let published = served.stop().await.published();
        assert_eq!(published.len(), usize::from(id == "poison"), "{id}");
        assert!(published.iter().all(|(topic, _)| *topic == Topic::DeadLetters));
    }
}

#[tokio::test]
async fn poison_is_kept_at_pubsub_when_its_dead_letter_cannot_be_published() {
    for error in [outage(), doubt()] {
        let served = serve(&[]).await;
        served.broker.fail_publish([error]);
        assert_eq!(served.push("poison").await, 503);
        assert_eq!(served.push("poison").await, 204, "and its repetition is the dead letter");
        let (_, letter) = served.stop().await.published().remove(0);
        assert_eq!(letter.attributes["podledger_message_id"], "poison");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_a_dead_letter_like_a_pulled_one() {
    struct Never;
    #[async_trait]
    impl Handle<RowBatch> for Never {
        async fn handle(&self, _: RowBatch, _: &MessageContext) -> Result<(), HandleError> {
            panic!("garbage was handled")
        }
    }
    install_tls();
    let broker = ScriptedBroker::default();
    let stage = Stage { name: "loader", consumers: vec![Consumer::new::<RowBatch>(LOADER, Arc::new(Never))] };
    let (ports, delivery) = (
        ports(Arc::new(broker.clone())),
        PushDelivery { door: None, deadline: PATIENCE, clock: Arc::new(SystemClock) },
    );
    let shutdown = Shutdown::new();
    let server = serve_push(stage, &ports, &settings(&[]), &delivery, &Monitor::default(), &shutdown).await.unwrap();
    let body = json!({"message": {"messageId": "1", "data": "AAEC/w==", "attributes": {"a": "b"}}}).to_string();
    let request = Client::new().post(format!("http://{}/push/{LOADER}", server.address())).body(body);
    assert_eq!(request.send().await.unwrap().status(), 204);
    let (topic, letter) = broker.published().remove(0);
    assert_eq!((topic, letter.payload), (Topic::DeadLetters, vec![0, 1, 2, 255]));
    assert_eq!(letter.attributes["a"], "b");
    assert!(letter.attributes["podledger_reason"].contains("not a RowBatch"));
}

#[tokio::test]
async fn a_dead_letter_that_is_poison_is_kept_at_pubsub() {
    let served = serve_within(PATIENCE, Subscription::new(Topic::DeadLetters, "loader"), &[]).await;
    let url = format!("http://{}/push/dead-letters--loader", served.address);
    let body = json!({"message": {"messageId": "poison"}}).to_string();
    assert_eq!(served.client.post(url).body(body).send().await.unwrap().status(), 503);
    assert!(served.stop().await.published().is_empty());
}

#[tokio::test]
async fn what_is_no_message_is_a_bad_request_and_no_dead_letter() {
    let served = serve(&[]).await;
    for body in ["", "{}", "[", "{\"message\":{\"messageId\":\"1\",\"data\":\"?\"}}"] {
        assert_eq!(served.post(body.to_owned()).send().await.unwrap().status(), 400, "{body}");
    }
    served.until_refused("no-message", 4).await;
    assert!(served.handled().is_empty());
    assert!(served.stop().await.published().is_empty());
}

#[tokio::test]
async fn only_posts_to_a_subscription_of_the_stage_are_taken() {
    let served = serve(&[]).await;
    assert_eq!(served.status(&format!("/push/{LOADER}")).await, 405);
    for path in ["/push", "/push/", "/push/row-batches--evaluator", "/push/row-batches--loader/", "/"] {
        let url = format!("http://{}{path}", served.address);
        assert_eq!(served.client.post(url).body(envelope("ok")).send().await.unwrap().status(), 404, "{path}");
    }
    assert!(served.handled().is_empty());
}

#[tokio::test]
async fn what_a_handler_publishes_belongs_to_the_trace_of_its_message() {
    struct Publishes(Arc<dyn Broker>);
    #[async_trait]
    impl Handle<Incoming> for Publishes {
        async fn handle(&self, _: Incoming, _: &MessageContext) -> Result<(), HandleError> {
            self.0.publish(Topic::Violations, vec![Outgoing::default()]).await?;
            Ok(())
        }
    }
    install_tls();
    let broker = ScriptedBroker::default();
    let traced: Arc<dyn Broker> = Arc::new(TracedBroker::new(Arc::new(broker.clone())));
    let consumer = Consumer::new::<Incoming>(LOADER, Arc::new(Publishes(Arc::clone(&traced))));
    let stage = Stage { name: "loader", consumers: vec![consumer] };
    let delivery = PushDelivery { door: None, deadline: PATIENCE, clock: Arc::new(SystemClock) };
    let (ports, monitor, shutdown) = (ports(traced), Monitor::default(), Shutdown::new());
    let server = serve_push(stage, &ports, &settings(&[]), &delivery, &monitor, &shutdown).await.unwrap();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = json!({"message": {"messageId": "1", "attributes": {"traceparent": parent}}}).to_string();
    let request = Client::new().post(format!("http://{}/push/{LOADER}", server.address())).body(body);
    assert_eq!(request.send().await.unwrap().status(), 204);
    let carried = TraceContext::parse(&broker.published()[0].1.attributes["traceparent"]).unwrap();
    assert_eq!(carried.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(carried.span_id(), "b7ad6b7169203331");
}

#[tokio::test]
async fn a_loop_that_pulls_is_not_run_where_push_was_asked_for() {
    let ports = ports(Arc::new(ScriptedBroker::default()));
    let stage = Stage { name: "loader", consumers: Vec::new() };
    let settings = settings(&[]);
    assert_eq!(settings.delivery, DeliveryMode::Push);
    let error = run(stage, &ports, &settings, Shutdown::new()).await.unwrap_err();
    assert!(error.to_string().starts_with("PODLEDGER_DELIVERY: "), "{error}");
}

#[test]
fn push_from_a_broker_that_pushes_nothing_is_a_wrong_setting() {
    let pairs = [("PODLEDGER_DELIVERY", "push"), ("PODLEDGER_BROKER", "sqlite:broker.db")];
    let error = Env::from_pairs(pairs).read::<RuntimeSettings>().unwrap().checked().unwrap_err();
    assert_eq!(error.variable, "PODLEDGER_DELIVERY");
}
