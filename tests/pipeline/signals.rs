//! Every binary gets ready, and ends with 0 when asked to, leaving nothing to its leases.

use podledger_tests::binaries::Process;
use podledger_tests::data_dir::DataDir;
use podledger_tests::probe::{get, until_ready};
use podledger_tests::queues::Queues;
use schemas::Topic;

use crate::example::{CLUSTER, example};

/// A lease that outlasts any patience: what a process still held when it ended would never be done.
const LEASE: &str = "10m";
/// Messages that the process has in hand, or not, when it is asked to stop.
const MESSAGES: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn the_snapshotter_drains_on_sigterm() {
    drains("snapshotter", Topic::SnapshotRequests).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_normalizer_drains_on_sigterm() {
    drains("normalizer", Topic::RawBatches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loader_drains_on_sigterm() {
    drains("loader", Topic::RowBatches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evaluator_drains_on_sigterm() {
    drains("evaluator", Topic::RowBatches).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_notifier_drains_on_sigterm() {
    drains("notifier", Topic::Violations).await;
}

/// Gets ready, takes messages, is asked to stop while it has some, and starts again: everything is
/// done long before a lease could have ended.
async fn drains(stage: &'static str, topic: Topic) {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::create(folder.path());
    let start = |name: &str| {
        let mut command = data.stage(stage);
        command.env("PODLEDGER_LEASE", LEASE).env("PODLEDGER_MAX_OUTSTANDING", "20");
        command.env("PODLEDGER_CLUSTERS", format!("{CLUSTER}=dump:{}", example("cluster").display()));
        Process::start(name, command, &data.log(name))
    };
    let subscription = format!("{topic}--{stage}");
    let mine = |name: &str| name == subscription;
    let mut first = start(stage);
    let address = until_ready(&mut first);
    assert_eq!(get(address, "/healthz").unwrap().0, 200);
    assert!(get(address, "/metrics").unwrap().1.contains("# EOF"));

    let queues = Queues::of(&data);
    let poison: Vec<Vec<u8>> = (0..MESSAGES).map(|number| format!("no message {number}").into_bytes()).collect();
    queues.publish_bytes(topic, &poison).await;
    queues.until_fewer_wait(MESSAGES, mine).await;
    let log = data.log(stage);
    let status = first.stop();
    assert_eq!(status.code(), Some(0), "{}", std::fs::read_to_string(log).unwrap());

    let mut second = start("second");
    until_ready(&mut second); // before that nobody listens to signals
    queues.until_idle(mine).await;
    assert_eq!(second.stop().code(), Some(0));
    let counts = queues.counts().await;
    let count = counts.iter().find(|count| count.subscription == subscription).unwrap();
    assert_eq!((count.published, count.acked), (MESSAGES, MESSAGES), "{count:?}");
}
