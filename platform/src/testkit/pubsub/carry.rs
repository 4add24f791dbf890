//! Messages carried from publisher to acknowledgement: by a worker as every stage is one, and by
//! Google's client alone, which is what the adapter and the runtime are measured against.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt as _;
use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::client::{BasePublisher, Subscriber};
use google_cloud_pubsub::model::Message;
use schemas::{Subscription, Topic};

use super::{Provision, provision, unacknowledged};
use crate::embedded::DirObjects;
use crate::google::{PubsubBroker, PubsubEmulator, PubsubSettings};
use crate::ports::{Broker, Incoming, Outgoing};
use crate::runtime::{
    Consumer, Env, Handle, HandleError, MessageContext, Ports, RuntimeSettings, Shutdown, Stage, run,
};
use crate::testkit::servers::Server;

/// What messages are carried through; it does not order.
const SUBSCRIPTION: Subscription = Subscription::new(Topic::RawBatches, "normalizer");
/// Publish calls of one message each that are waited for at once.
const IN_FLIGHT: usize = 1_000;
/// Deliveries after which a message becomes a dead letter; none comes near.
const ATTEMPTS: i32 = 100;

/// What is carried.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many messages.
    pub messages: usize,
    /// Size of each one's payload, in bytes.
    pub payload_bytes: usize,
    /// Deliveries that may be unsettled at once, `PODLEDGER_MAX_OUTSTANDING`.
    pub outstanding: usize,
}

/// Counts what it is given, and asks the worker to stop after the last.
struct Counts {
    left: AtomicUsize,
    shutdown: Shutdown,
}

#[async_trait]
impl Handle<Incoming> for Counts {
    async fn handle(&self, _: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        // More often than that only if a message came twice; then the worker stops already.
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shutdown.trigger();
        }
        Ok(())
    }
}

/// Publishes through the adapter while one worker takes the messages, has them handled and
/// acknowledges them; how long it takes until the last acknowledgement has arrived. The project must
/// be new.
///
/// # Panics
/// Where a message is left.
pub async fn with_a_worker(server: &Server, project: &str, load: Load) -> Duration {
    provision(&server.url("rest"), project, Provision { max_delivery_attempts: ATTEMPTS, exactly_once: false }).await;
    let emulator = PubsubEmulator { data: server.url("grpc"), admin: server.url("rest") };
    let settings = PubsubSettings { emulator: Some(emulator), ..PubsubSettings::default() };
    let broker: Arc<dyn Broker> = Arc::new(PubsubBroker::open(project, settings).await.expect("it opens"));
    let (folder, shutdown) = (tempfile::tempdir().expect("a folder can be made"), Shutdown::new());
    let ports = Ports::new(Arc::clone(&broker), Arc::new(DirObjects::open(folder.path()).expect("it opens")));
    let handler = Counts { left: AtomicUsize::new(load.messages), shutdown: shutdown.clone() };
    let consumers = vec![Consumer::new::<Incoming>(SUBSCRIPTION, Arc::new(handler))];
    let outstanding = load.outstanding.to_string();
    let env = Env::from_pairs([("PODLEDGER_MAX_OUTSTANDING", outstanding.as_str())]);
    let settings: RuntimeSettings = env.read().expect("the settings are right");
    let started = Instant::now();
    let working = run(Stage { name: "normalizer", consumers }, &ports, &settings, shutdown);
    let publishing = futures::stream::iter(0..load.messages).for_each_concurrent(IN_FLIGHT, |_| async {
        let message = Outgoing { payload: vec![7; load.payload_bytes], ..Outgoing::default() };
        broker.publish(SUBSCRIPTION.topic, vec![message]).await.expect("it is published");
    });
    let (worked, ()) = futures::join!(working, publishing);
    let elapsed = started.elapsed();
    worked.expect("the worker stops when it is asked to");
    assert_eq!(unacknowledged(&server.url("rest"), project, SUBSCRIPTION).await, 0, "messages are left");
    elapsed
}

/// The same with nothing but Google's client, as it is by default but for what may be outstanding.
///
/// # Panics
/// Where a message is left.
pub async fn with_the_client_alone(server: &Server, project: &str, load: Load) -> Duration {
    provision(&server.url("rest"), project, Provision { max_delivery_attempts: ATTEMPTS, exactly_once: false }).await;
    let anonymous = || anonymous::Builder::new().build();
    let base = BasePublisher::builder().with_endpoint(server.url("grpc")).with_credentials(anonymous());
    let base = base.build().await.expect("it opens");
    let subscriber = Subscriber::builder().with_endpoint(server.url("grpc")).with_credentials(anonymous());
    let subscriber = subscriber.build().await.expect("it opens");
    let publisher = base.publisher(format!("projects/{project}/topics/{}", SUBSCRIPTION.topic)).build();
    let mut stream = subscriber
        .subscribe(format!("projects/{project}/subscriptions/{SUBSCRIPTION}"))
        .set_max_outstanding_messages(i64::try_from(load.outstanding).expect("it is a small number"))
        .build();
    let started = Instant::now();
    let publishing = futures::stream::iter(0..load.messages).for_each_concurrent(IN_FLIGHT, |_| async {
        let message = Message::new().set_data(vec![7; load.payload_bytes]);
        publisher.publish(message).await.expect("it is published");
    });
    let receiving = async {
        for _ in 0..load.messages {
            let (_, handler) = stream.next().await.expect("the stream is open").expect("a message comes");
            handler.ack();
        }
        stream.shutdown_token().shutdown().await;
    };
    futures::join!(publishing, receiving);
    let elapsed = started.elapsed();
    assert_eq!(unacknowledged(&server.url("rest"), project, SUBSCRIPTION).await, 0, "messages are left");
    elapsed
}
