//! From a request for a snapshot to the call of the webhook: `podledger up` runs on, Deployments of
//! its dump go over their limits one by one, and each time a snapshot is asked for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use platform::embedded::{BrokerSettings, SqliteBroker};
use platform::ports::Broker;
use podledger_tests::binaries::{self, PATIENCE, Process};
use schemas::{Purpose, SnapshotRequest};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cluster::{self, PODS};
use crate::table::{Figure, Target, percentile};
use crate::{Effort, machine};

/// Pods above every limit.
const TOO_MANY: u64 = PODS + 3;
const CLUSTER: &str = "bench";

/// When a call came, and what it said.
type Call = (Instant, Value);

pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    let (changes, workloads) = effort.choose((200, 250), (2, 10));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (waits, cpu) = runtime.block_on(told(changes, workloads));
    let what = |share| format!("change seen to webhook called, {share} ({workloads} workloads)");
    let cpu = format!("{:.0} ms a snapshot, all stages", cpu.as_secs_f64() * 1e3 / changes as f64);
    let samples = waits.clone();
    vec![
        Figure::new(what("p50"), "s", Target::None, samples).noting(cpu),
        Figure::new(what("p99"), "s", Target::AtMost(2.0), vec![percentile(&waits, 99)]),
    ]
}

/// Waits of each change for its call, in seconds, and the processor time of all.
async fn told(changes: u64, workloads: u64) -> (Vec<f64>, Duration) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (dump, data) = (folder.path().join("dump"), folder.path().join("data"));
    cluster::write_dump(&dump, workloads);
    cluster::write_declarations(&folder.path().join("ped"), workloads);
    let (url, mut calls) = webhook().await;
    let mut process = start(folder.path(), &url);
    until(&mut process, || data.join("broker.db").exists()).await;
    until(&mut process, || data.join("warehouse.db").exists()).await;
    let broker = SqliteBroker::open(data.join("broker.db"), BrokerSettings::default()).unwrap();
    idle(&broker, &process, workloads).await;
    while calls.try_recv().is_ok() {} // who was over the limit from the start
    let (mut waits, before) = (Vec::new(), machine::cpu_of(process.id()));
    for change in 0..changes {
        cluster::write_deployments(&dump, workloads, |workload| if workload.0 <= change { TOO_MANY } else { PODS });
        let request = SnapshotRequest {
            request_id: format!("change-{change}"),
            cluster: CLUSTER.to_owned(),
            kinds: Vec::new(),
            requested_at: 0,
            requested_by: "figures".to_owned(),
            purpose: Purpose::Manual,
        };
        let started = Instant::now();
        (&broker as &dyn Broker).publish_messages(&[request]).await.unwrap();
        let about = cluster::Workload(change).name();
        let called = loop {
            let call = tokio::time::timeout(PATIENCE, calls.recv()).await;
            let (called, body) = call.unwrap_or_else(|_| panic!("nobody was told: {}", process.printed())).unwrap();
            if body["deployment_name"] == about.as_str() && body["alert_type"] == "over-limit" {
                // Some are over their limit from the start: for them the change makes it worse.
                assert!(["opened", "worsened"].iter().any(|state| body["state"] == *state), "{body}");
                break called;
            }
        };
        waits.push((called - started).as_secs_f64());
        idle(&broker, &process, workloads).await;
    }
    let cpu = machine::cpu_of(process.id()) - before;
    assert!(process.stop().success(), "up did not end well");
    (waits, cpu)
}

fn start(folder: &Path, url: &str) -> Process {
    let mut command = binaries::command("podledger");
    command.args(["up", "--every", "1h", "--cluster", CLUSTER]);
    for (option, name) in [("--dump", "dump"), ("--ped", "ped"), ("--data", "data")] {
        command.arg(option).arg(folder.join(name));
    }
    command.env("PODLEDGER_WEBHOOK_URL", url);
    Process::start("podledger up", command, &folder.join("log"))
}

/// Waits for a condition.
async fn until(process: &mut Process, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(process.ended().is_none() && started.elapsed() < PATIENCE, "not in time: {}", process.printed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until every declaration and at least one snapshot was handled and nothing is on its way.
async fn idle(broker: &SqliteBroker, process: &Process, declared: u64) {
    let started = Instant::now();
    loop {
        let counts = broker.counts().await.unwrap().unwrap();
        let handled: BTreeMap<&str, u64> =
            counts.iter().map(|count| (count.subscription.as_str(), count.acked)).collect();
        let judged = handled["row-batches--evaluator"] > 0 && handled["limit-declarations--loader"] >= declared;
        if judged && counts.iter().all(|count| count.unacked == 0) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "never idle: {}", process.printed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A webhook that says when it was called.
async fn webhook() -> (String, UnboundedReceiver<Call>) {
    async fn called(State(calls): State<UnboundedSender<Call>>, body: axum::body::Bytes) {
        // Nobody listens any more when the measuring is done.
        drop(calls.send((Instant::now(), serde_json::from_slice(&body).unwrap_or_default())));
    }
    let (calls, received) = unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(called)).with_state(calls);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, received)
}
