//! What the network and the service do wrong: nothing is loaded twice or lost, and the retries a stage
//! has are enough.

use std::sync::Arc;
use std::time::Duration;

use podledger_platform::layers::{RetryPolicy, RetryWarehouse};
use podledger_platform::ports::{PortError, Question, Warehouse};
use podledger_platform::testkit::proxy::{Answer, Fault, Proxy};
use podledger_platform::testkit::warehouse::parts::{file, stored};
use podledger_platform::testkit::warehouse::rows::{change, october, pod};
use schemas::Table;

use crate::loads::{job, pods_of};
use crate::world::{PLENTY, RETRIED_FOR, World, open};

/// Requests that are refused in a row.
const BURST: u64 = 3;
/// More than the head of an answer has, less than the rows read here.
const WITHIN_AN_ANSWER: u64 = 400;

/// The dataset as a stage has it, with a network in between that a test can spoil.
async fn behind_a_proxy(world: &World, dataset: &str) -> (Proxy, Arc<dyn Warehouse>) {
    let bigquery = world.servers.bigquery();
    let proxy = Proxy::start(bigquery.strip_prefix("http://").unwrap()).await;
    let policy = RetryPolicy { within: RETRIED_FOR, ..RetryPolicy::default() };
    let warehouse = RetryWarehouse::new(Arc::new(open(&proxy.url(), dataset).await), policy);
    (proxy, Arc::new(warehouse))
}

/// Loads a snapshot of two pods and writes a change, each while a fault is in force that is set anew.
async fn writes(world: &World, dataset: &str, faults: &[Fault]) -> Proxy {
    let (proxy, warehouse) = behind_a_proxy(world, dataset).await;
    let (objects, _) = world.bucket().await;
    let mut expected = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        let snapshot = format!("s{number}");
        let part = stored(objects.as_ref(), &snapshot, &[pod(&snapshot, "a"), pod(&snapshot, "b")]).await;
        proxy.set(fault.clone()).await;
        warehouse
            .load(&job(&snapshot, part), objects.as_ref())
            .await
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        proxy.set(fault.clone()).await;
        let row = change(&snapshot, october(1, 0), 3);
        let written = warehouse.upsert(Table::ReplicaChanges, file(&[row])).await;
        written.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        proxy.set(fault.clone()).await;
        expected.extend(["a", "b"].map(|name| (snapshot.clone(), name.to_owned())));
        assert_eq!(pods_of(warehouse.as_ref()).await, expected, "{fault:?}");
    }
    proxy.set(Fault::Pass).await;
    let question = Question::Rows { name: "replica_changes".to_owned(), limit: PLENTY };
    assert_eq!(warehouse.ask(&question).await.unwrap().rows.len(), faults.len(), "each change once");
    assert_eq!(world.load_jobs(dataset).await.len(), faults.len(), "one load job each, whatever was not heard");
    proxy
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_refusals_and_tokens_that_expired_are_ridden_out() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let faults = [429, 503, 500, 401].map(|status| Fault::Answer(Answer::next(BURST, status).retry_after(1)));
    let proxy = writes(&world, &dataset, &faults).await;
    assert!(proxy.counts().answered >= BURST * faults.len() as u64, "the faults struck: {:?}", proxy.counts());
}

#[tokio::test(flavor = "multi_thread")]
async fn late_slow_and_truncated_answers_lose_and_double_nothing() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let faults = [
        Fault::Delay(Duration::from_millis(50)),
        Fault::Throttle(20_000),
        Fault::Cut { after: 0, times: 2 },
        Fault::Cut { after: WITHIN_AN_ANSWER, times: 2 },
    ];
    let proxy = writes(&world, &dataset, &faults).await;
    let counts = proxy.counts();
    assert!(counts.delayed > 0 && counts.throttled > 0 && counts.cut > 3, "the faults struck: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_call_says_that_something_is_not_set_up() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let (proxy, warehouse) = behind_a_proxy(&world, &dataset).await;
    let denied = r#"{"error": {"code": 403, "message": "Access Denied", "status": "PERMISSION_DENIED",
        "errors": [{"reason": "accessDenied", "message": "Access Denied"}]}}"#;
    proxy.set(Fault::Answer(Answer { body: denied.to_owned(), ..Answer::next(1, 403) })).await;
    let error = warehouse.ping().await.unwrap_err();
    assert!(matches!(error, PortError::NeverWill { .. }) && error.is_not_set_up(), "{error}");
    warehouse.ping().await.unwrap();
}
