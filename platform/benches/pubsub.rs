//! How many messages a second one worker carries through Pub/Sub, from publisher to acknowledgement,
//! with Google's client alone beside it, on the stand-in of `tests/servers`. Without the stand-in it
//! says so and measures nothing.
#![allow(missing_docs)] // The macros make undocumented functions.
#![allow(clippy::unwrap_used)] // A failed call is a failed measurement.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use podledger_platform::runtime::install_tls;
use podledger_platform::testkit::pubsub::{Load, with_a_worker, with_the_client_alone};
use podledger_platform::testkit::servers::Built;

/// Messages carried per measured iteration; few in a debug build, which only sees that it runs.
const MESSAGES: usize = if cfg!(debug_assertions) { 300 } else { 20_000 };
/// Size of a payload, in bytes: about that of a batch message.
const PAYLOAD_BYTES: usize = 300;

fn pubsub(criterion: &mut Criterion) {
    let Some(server) = Built::find("pubsub").map(|pubsub| pubsub.start(&[])) else { return };
    install_tls();
    let (runtime, projects) = (tokio::runtime::Runtime::new().unwrap(), AtomicU32::new(0));
    let mut group = criterion.benchmark_group("pubsub");
    group.sample_size(10).throughput(Throughput::Elements(MESSAGES as u64));
    for (name, outstanding, adapter) in
        [("worker-100", 100, true), ("worker-1000", 1_000, true), ("client-alone-1000", 1_000, false)]
    {
        let load = Load { messages: MESSAGES, payload_bytes: PAYLOAD_BYTES, outstanding };
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                runtime.block_on(async {
                    let mut total = Duration::ZERO;
                    for _ in 0..iterations {
                        let project = format!("project-{}", projects.fetch_add(1, Ordering::Relaxed));
                        total += match adapter {
                            true => with_a_worker(&server, &project, load).await,
                            false => with_the_client_alone(&server, &project, load).await,
                        };
                    }
                    total
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pubsub);
criterion_main!(benches);
