//! The embedded broker: messages published (durable), delivered and acknowledged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use platform::embedded::{BrokerSettings, SqliteBroker};
use platform::ports::{Broker, Flow, Outgoing};
use schemas::{Subscription, Topic};

use crate::Effort;
use crate::machine;
use crate::table::{Figure, Target, median};

const PLAIN: Subscription = Subscription::new(Topic::RawBatches, "normalizer");
const ORDERED: Subscription = Subscription::new(Topic::ReplicaChanges, "loader");
/// Size of a payload in bytes: about that of a batch message.
const PAYLOAD_BYTES: usize = 300;
/// Calls in flight, and unsettled deliveries.
const IN_FLIGHT: usize = 256;
/// Ordering keys in use.
const KEYS: usize = 1_000;
const TARGET: Target = Target::AtLeast(10_000.0);

struct Case {
    what: &'static str,
    subscription: Subscription,
    messages_per_call: usize,
}

const CASES: [Case; 3] = [
    Case { what: "one message a call", subscription: PLAIN, messages_per_call: 1 },
    Case { what: "100 messages a call", subscription: PLAIN, messages_per_call: 100 },
    Case { what: "ordered, one message a call", subscription: ORDERED, messages_per_call: 1 },
];

pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    let (runs, messages) = effort.choose((5, 20_000), (1, 300));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let measure = |case: &Case| {
        let (mut rates, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let broker = SqliteBroker::open(folder.path().join("broker.db"), BrokerSettings::default()).unwrap();
            let before = machine::cpu();
            let elapsed = runtime.block_on(carry(&Arc::new(broker), case, messages));
            cpu.push((machine::cpu() - before).as_secs_f64() * 1e6 / messages as f64);
            rates.push(messages as f64 / elapsed.as_secs_f64());
        }
        Figure::new(format!("embedded broker, {}", case.what), "messages/s", TARGET, rates)
            .noting(format!("{:.0} µs a message", median(&cpu)))
    };
    CASES.iter().map(measure).collect()
}

fn message(number: usize) -> Outgoing {
    let ordering_key = Some(format!("prod-uk/payments/api-{}", number % KEYS));
    Outgoing { payload: vec![7; PAYLOAD_BYTES], ordering_key, ..Outgoing::default() }
}

/// Publishes all while a consumer receives and acknowledges them one by one.
async fn carry(broker: &Arc<SqliteBroker>, case: &Case, messages: usize) -> Duration {
    let started = Instant::now();
    let (publisher, topic, per_call) = (Arc::clone(broker), case.subscription.topic, case.messages_per_call);
    let publishing = tokio::spawn(async move {
        futures::stream::iter((0..messages).step_by(per_call))
            .for_each_concurrent(IN_FLIGHT, |first| {
                let (publisher, last) = (Arc::clone(&publisher), (first + per_call).min(messages));
                async move {
                    publisher.publish(topic, (first..last).map(message).collect()).await.unwrap();
                }
            })
            .await;
    });
    let flow = Flow { max_outstanding: IN_FLIGHT, lease: Duration::from_secs(60) };
    let mut receiver = broker.subscribe(case.subscription, flow).await.unwrap();
    let mut acks = tokio::task::JoinSet::new();
    for _ in 0..messages {
        let delivery = receiver.next().await.unwrap();
        acks.spawn(async move { assert!(delivery.ack().await.unwrap(), "a lease was lost") });
        while let Some(acknowledged) = acks.try_join_next() {
            acknowledged.unwrap();
        }
    }
    acks.join_all().await; // panics where one did
    publishing.await.unwrap();
    let elapsed = started.elapsed();
    assert_eq!(broker.pending().await.unwrap(), 0, "messages are left");
    elapsed
}
