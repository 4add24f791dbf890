//! How many messages a second the embedded broker carries: published (durable), delivered and
//! acknowledged one by one, on the disk that holds the target folder.
#![allow(missing_docs)] // The macros make undocumented functions.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed measurement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt as _;
use podledger_platform::embedded::{BrokerSettings, SqliteBroker};
use podledger_platform::ports::{Broker, Flow, Outgoing};
use schemas::{Subscription, Topic};

/// Messages carried per measured iteration; few in a debug build, which only sees that it runs.
const MESSAGES: usize = if cfg!(debug_assertions) { 300 } else { 10_000 };
/// Size of a payload, in bytes: about that of a batch message.
const PAYLOAD_BYTES: usize = 300;
/// Publish calls in flight, and unsettled deliveries.
const IN_FLIGHT: usize = 256;

const PLAIN: Subscription = Subscription::new(Topic::RawBatches, "normalizer");
const ORDERED: Subscription = Subscription::new(Topic::ReplicaChanges, "loader");

fn message(n: usize) -> Outgoing {
    let ordering_key = Some(format!("prod-uk/payments/api-{}", n % 1_000));
    Outgoing { payload: vec![7; PAYLOAD_BYTES], ordering_key, ..Outgoing::default() }
}

/// Publishes in calls of `per_call` messages while a consumer receives and acknowledges them all.
async fn carry(broker: &Arc<SqliteBroker>, subscription: Subscription, per_call: usize) -> Duration {
    let started = Instant::now();
    let publisher = Arc::clone(broker);
    let publishing = tokio::spawn(async move {
        futures::stream::iter((0..MESSAGES).step_by(per_call))
            .for_each_concurrent(IN_FLIGHT, |first| {
                let (publisher, last) = (Arc::clone(&publisher), (first + per_call).min(MESSAGES));
                async move {
                    publisher.publish(subscription.topic, (first..last).map(message).collect()).await.unwrap();
                }
            })
            .await;
    });
    let flow = Flow { max_outstanding: IN_FLIGHT, lease: Duration::from_secs(60) };
    let mut receiver = broker.subscribe(subscription, flow).await.unwrap();
    let mut acks = tokio::task::JoinSet::new();
    for _ in 0..MESSAGES {
        let delivery = receiver.next().await.unwrap();
        acks.spawn(async move { assert!(delivery.ack().await.unwrap()) });
        while let Some(outcome) = acks.try_join_next() {
            outcome.unwrap();
        }
    }
    acks.join_all().await; // panics where one did
    publishing.await.unwrap();
    assert_eq!(broker.pending().await.unwrap(), 0);
    started.elapsed()
}

fn broker(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut group = criterion.benchmark_group("broker");
    group.sample_size(10).throughput(Throughput::Elements(MESSAGES as u64));
    let cases = [("one-by-one", PLAIN, 1), ("batches-of-100", PLAIN, 100), ("ordered-one-by-one", ORDERED, 1)];
    for (name, subscription, per_call) in cases {
        let file = folder.path().join(format!("{name}.db"));
        let broker = Arc::new(SqliteBroker::open(file, BrokerSettings::default()).unwrap());
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                runtime.block_on(async {
                    let mut total = Duration::ZERO;
                    for _ in 0..iterations {
                        total += carry(&broker, subscription, per_call).await;
                    }
                    total
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, broker);
criterion_main!(benches);
