//! Credentials that expire while the warehouse is in use, and such as cannot be had.

use std::sync::Arc;
use std::time::Duration;

use podledger_platform::google::{BigQuerySettings, BigQueryWarehouse};
use podledger_platform::layers::{RetryPolicy, RetryWarehouse};
use podledger_platform::ports::{LoadOutcome, PortError, Question, Warehouse};
use podledger_platform::testkit::proxy::{ALWAYS, Answer, Fault, Proxy};
use podledger_platform::testkit::tokens::TokenServer;
use podledger_platform::testkit::warehouse::parts::{file, stored};
use podledger_platform::testkit::warehouse::rows::{change, october, pod};
use schemas::Table;

use crate::loads::{job, pods_of};
use crate::world::{PLENTY, PROJECT, RETRIED_FOR, World};

/// How long tokens say that they live.
const LIFETIME: Duration = Duration::from_secs(2);

/// The dataset behind a proxy that looks at tokens, as somebody with these credentials opens it.
async fn behind_a_guard(world: &World, dataset: &str, tokens: &TokenServer) -> (Proxy, Arc<dyn Warehouse>) {
    let bigquery = world.servers.bigquery();
    let proxy = Proxy::start(bigquery.strip_prefix("http://").unwrap()).await;
    let settings = BigQuerySettings {
        emulator: Some(proxy.url()),
        credentials: Some(tokens.access_token_credentials()),
        ..BigQuerySettings::default()
    };
    (proxy, Arc::new(BigQueryWarehouse::open(PROJECT, dataset, settings).await.unwrap()))
}

/// Refuses every token but that one, as the service does.
fn only(number: u64) -> Fault {
    let body = r#"{"error": {"code": 401, "message": "Invalid Credentials", "status": "UNAUTHENTICATED",
        "errors": [{"reason": "authError", "message": "Invalid Credentials"}]}}"#;
    let refused = Answer { body: body.to_owned(), ..Answer::next(ALWAYS, 401) };
    Fault::Answer(refused.unless(format!("Bearer {}", TokenServer::token(number))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_delays_writes_and_doubles_none() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let (objects, _) = world.bucket().await;
    let tokens = TokenServer::start(LIFETIME).await;
    let (proxy, warehouse) = behind_a_guard(&world, &dataset, &tokens).await;
    let row = |uid: &str| file(&[change(uid, october(1, 0), 3)]);

    proxy.set(only(1)).await;
    warehouse.upsert(Table::ReplicaChanges, row("before")).await.unwrap();
    proxy.set(only(2)).await;
    let error = warehouse.upsert(Table::ReplicaChanges, row("refused")).await.unwrap_err();
    assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
    assert!(proxy.counts().answered > 0, "the fault struck");

    let policy = RetryPolicy { within: RETRIED_FOR, ..RetryPolicy::default() };
    let retried = RetryWarehouse::new(Arc::clone(&warehouse), policy);
    let part = stored(objects.as_ref(), "s", &[pod("s", "a"), pod("s", "b")]).await;
    let loaded = retried.load(&job("s", part.clone()), objects.as_ref()).await.unwrap();
    assert!(matches!(loaded, LoadOutcome::Loaded { .. }), "{loaded:?}");
    retried.upsert(Table::ReplicaChanges, row("after")).await.unwrap();
    assert!(tokens.issued() >= 2, "with a new token");

    proxy.set(Fault::Pass).await;
    let question = Question::Rows { name: "replica_changes".to_owned(), limit: PLENTY };
    assert_eq!(warehouse.ask(&question).await.unwrap().rows.len(), 2, "what was refused did not happen");
    assert_eq!(pods_of(warehouse.as_ref()).await.len(), 2);
    assert_eq!(world.load_jobs(&dataset).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_token_cannot_be_renewed_nothing_happens_and_it_may_later() {
    let Some(world) = World::start() else { return };
    let dataset = world.dataset().await;
    let tokens = TokenServer::start(LIFETIME).await;
    let (proxy, warehouse) = behind_a_guard(&world, &dataset, &tokens).await;
    warehouse.ping().await.unwrap();
    drop(tokens);
    let expired = async {
        loop {
            let sent = proxy.counts().requests;
            if let Err(error) = warehouse.ping().await {
                return (error, proxy.counts().requests - sent);
            }
        }
    };
    let (error, sent) = tokio::time::timeout(RETRIED_FOR, expired).await.expect("tokens expire");
    assert!(matches!(error, PortError::DidNotHappen { .. }) && error.to_string().contains("token"), "{error}");
    assert_eq!(sent, 0, "without a token nothing is sent");
}
