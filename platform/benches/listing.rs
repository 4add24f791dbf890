//! How fast lists are read: splitting alone, and draining a list over loopback.

// A benchmark that cannot run should say so and stop.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use podledger_platform::kubernetes::splitter::Splitter;
use podledger_platform::kubernetes::{KubeCluster, KubeSettings, SimCluster, SimSettings};
use podledger_platform::ports::{Cluster, Kind};
use podledger_platform::testkit::cluster::{ApiServer, Served, Source};
use schemas::Timestamp;

use futures::TryStreamExt as _;

/// Pods of the list that is drained.
const PODS: u64 = 20_000;
/// Pods of the list that is split.
const SPLIT_PODS: u64 = 2_000;
/// Bytes handed to the splitter at once, as hyper does.
const CHUNK_BYTES: usize = 64 * 1024;
/// Different pods a server hands out, over and over, so that making them is not what is measured.
const DIFFERENT_PODS: u64 = 1_000;

fn pods(count: u64) -> Vec<bytes::Bytes> {
    let cluster = SimCluster::new(1, SimSettings::default());
    (0..count).map(|position| cluster.sample_pod(position)).collect()
}

fn splitting(c: &mut Criterion) {
    let items =
        pods(SPLIT_PODS).iter().map(|pod| String::from_utf8_lossy(pod).into_owned()).collect::<Vec<_>>().join(",");
    let list =
        format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{items}]}}"#);
    let mut group = c.benchmark_group("splitting");
    group.throughput(Throughput::Bytes(list.len() as u64));
    group.bench_function("2,000 pods of 6.5 KB", |b| {
        b.iter(|| {
            let mut splitter = Splitter::default();
            let mut pieces = Vec::new();
            for chunk in list.as_bytes().chunks(CHUNK_BYTES) {
                splitter.feed(chunk, &mut pieces).expect("the list is JSON");
                black_box(&pieces);
                pieces.clear();
            }
            splitter.finish(&mut pieces).expect("the list is whole");
        });
    });
    group.finish();
}

async fn drained(cluster: &dyn Cluster, at: Timestamp) -> usize {
    let listing = cluster.list(Kind::Pods, at).await.expect("the list begins");
    listing.pages.try_fold(0, async |count, page| Ok(count + page.objects.len())).await.expect("the list ends")
}

fn draining(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let different = pods(DIFFERENT_PODS);
    let source = Source::generated(PODS, move |index| different[(index % DIFFERENT_PODS) as usize].clone());
    let server = runtime.block_on(ApiServer::start(Served::default().with(Kind::Pods, source)));
    let cluster = {
        let _inside = runtime.enter();
        KubeCluster::with_config(server.config(), KubeSettings::default()).expect("a client for loopback")
    };
    let mut group = c.benchmark_group("draining");
    group.throughput(Throughput::Elements(PODS)).sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("20,000 pods of 6.5 KB over loopback", |b| {
        b.iter(|| assert_eq!(runtime.block_on(drained(&cluster, Timestamp::MIN)) as u64, PODS));
    });
    group.finish();
}

fn simulating(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let cluster = SimCluster::new(1, SimSettings { deployments: 2_000, ..SimSettings::default() });
    let at = SimSettings::default().start;
    let count = runtime.block_on(drained(&cluster, at));
    assert!(count > 2_000, "there is something to simulate");
    let mut group = c.benchmark_group("simulating");
    group.throughput(Throughput::Elements(count as u64)).sample_size(10);
    group.bench_function("pods of 2,000 deployments", |b| {
        b.iter(|| assert_eq!(runtime.block_on(drained(&cluster, at)), count))
    });
    group.finish();
}

criterion_group!(benches, splitting, draining, simulating);
criterion_main!(benches);
