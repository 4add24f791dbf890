//! The snapshotter: the real binary lists a server that speaks the API's wire format over loopback
//! (in this process, so that neither its memory nor its time counts) into compressed parts on disk.

use std::path::Path;
use std::time::{Duration, Instant};

use platform::embedded::{BrokerSettings, DirObjects, SqliteBroker};
use platform::ports::{Broker, Flow, Kind, Objects};
use platform::testkit::cluster::{ApiServer, Served, Source};
use podledger_tests::binaries::{self, PATIENCE, Process};
use schemas::manifest::Manifest;
use schemas::{Message as _, Purpose, RawBatch, SnapshotRequest, Subscription, Topic};

use crate::table::{Figure, Target, median};
use crate::{Effort, cluster, machine};

/// Different pods the server hands out, over and over, so that making them is not what is measured.
/// Together they are larger than what gzip looks back at, many times over.
const DIFFERENT_PODS: u64 = 2_000;
/// Size of a pod of the target, in bytes, and how far the made-up ones may be from it on average.
const POD_BYTES: usize = 6_500;
const POD_BYTES_OFF: usize = 300;
const MANIFEST_BYTES: u64 = 64 << 20;
const ANNOUNCED: Subscription = Subscription::new(Topic::RawBatches, "normalizer");

/// One snapshot by a fresh process.
struct Measured {
    pods_per_second: f64,
    /// Of the snapshotter.
    cpu_seconds: f64,
    peak_megabytes: f64,
}

pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (few, many) = effort.choose((10_000, 200_000), (200, 1_000));
    let runs = |runs: usize, pods: u64| (0..runs).map(|_| runtime.block_on(snapshot(pods))).collect::<Vec<_>>();
    let (small, large) = (runs(effort.choose(5, 1), few), runs(effort.choose(3, 1), many));
    let of = |measured: &[Measured], value: fn(&Measured) -> f64| measured.iter().map(value).collect::<Vec<_>>();
    let cpu = median(&of(&large, |one| one.cpu_seconds));
    let of_cpu = many as f64 / cpu;
    vec![
        Figure::new(
            "snapshotter, 6.5 KB pods over loopback",
            "pods/s",
            Target::AtLeast(60_000.0),
            of(&large, |one| one.pods_per_second),
        )
        .noting(format!("{cpu:.1} s for {many} pods: {of_cpu:.0} a second of it")),
        Figure::new(
            format!("… resident at most, {few} pods"),
            "MB",
            Target::AtMost(64.0),
            of(&small, |one| one.peak_megabytes),
        ),
        Figure::new(
            format!("… resident at most, {many} pods"),
            "MB",
            Target::AtMost(64.0),
            of(&large, |one| one.peak_megabytes),
        ),
    ]
}

async fn snapshot(pods: u64) -> Measured {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let different = cluster::listed_pods(DIFFERENT_PODS.min(pods));
    let size = different.iter().map(bytes::Bytes::len).sum::<usize>() / different.len();
    assert!(size.abs_diff(POD_BYTES) <= POD_BYTES_OFF, "pods have {size} bytes, expected about {POD_BYTES}");
    let object = move |index: u64| different[usize::try_from(index).unwrap() % different.len()].clone();
    let server = ApiServer::start(Served::default().with(Kind::Pods, Source::generated(pods, object))).await;
    let mut process = start(folder.path(), &server.url());
    let broker = SqliteBroker::open(folder.path().join("broker.db"), BrokerSettings::default()).unwrap();
    let request = SnapshotRequest {
        request_id: "figures".to_owned(),
        cluster: "bench".to_owned(),
        kinds: Vec::new(),
        requested_at: 0,
        requested_by: "figures".to_owned(),
        purpose: Purpose::Manual,
    };
    let flow = Flow { max_outstanding: 1, lease: Duration::from_secs(60) };
    let mut receiver = broker.subscribe(ANNOUNCED, flow).await.unwrap();

    let (cpu, started) = (machine::cpu_of(process.id()), Instant::now());
    (&broker as &dyn Broker).publish_messages(&[request]).await.unwrap();
    let announced = tokio::time::timeout(PATIENCE, receiver.next()).await;
    let elapsed = started.elapsed();
    let cpu = machine::cpu_of(process.id()) - cpu;
    assert!(process.ended().is_none(), "the snapshotter ended: {}", process.printed());
    let peak_megabytes = machine::peak_megabytes(process.id());

    let announced = announced.unwrap_or_else(|_| panic!("no snapshot in time: {}", process.printed())).unwrap();
    let batch = RawBatch::decode(&announced.message.payload, &announced.message.attributes).unwrap();
    let objects = DirObjects::open(folder.path().join("objects")).unwrap();
    let stored = (&objects as &dyn Objects).read_bytes(&batch.manifest, MANIFEST_BYTES).await.unwrap().unwrap().1;
    let manifest: Manifest = serde_json::from_slice(&stored).unwrap();
    let listed = &manifest.kinds[Kind::Pods.name()];
    assert!(listed.complete && u64::try_from(listed.object_count) == Ok(pods), "not all pods are stored: {listed:?}");
    Measured { pods_per_second: pods as f64 / elapsed.as_secs_f64(), cpu_seconds: cpu.as_secs_f64(), peak_megabytes }
}

/// Starts the binary and waits until it consumes: starting is not part of a snapshot.
fn start(folder: &Path, server: &str) -> Process {
    let kubeconfig = folder.join("kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: bench, clusters: [{{name: bench, cluster: {{server: \"{server}\"}}}}], \
         contexts: [{{name: bench, context: {{cluster: bench, user: bench}}}}], users: [{{name: bench, user: {{}}}}]}}\n"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let mut command = binaries::command("podledger-snapshotter");
    command
        .env("KUBECONFIG", &kubeconfig)
        .env("PODLEDGER_BROKER", format!("sqlite:{}", folder.join("broker.db").display()))
        .env("PODLEDGER_OBJECTS", format!("file:{}", folder.join("objects").display()))
        .env("PODLEDGER_CLUSTERS", "bench=kube:bench");
    let mut process = Process::start("podledger-snapshotter", command, &folder.join("log"));
    let started = Instant::now();
    while !process.printed().contains("consuming") {
        assert!(process.ended().is_none() && started.elapsed() < PATIENCE, "not consuming: {}", process.printed());
        std::thread::sleep(Duration::from_millis(5));
    }
    process
}
