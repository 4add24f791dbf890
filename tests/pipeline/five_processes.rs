//! Five processes on one data directory, and `up --once` on another.

use podledger_tests::data_dir::DataDir;
use podledger_tests::tables::{count, difference, query, read_all, read_views};
use podledger_tests::webhook::Webhook;
use podledger_tests::{binaries, signature};
use schemas::Table;

use crate::example::{CLUSTER, SECRET, TAKEN_AT, ask, ask_json, five_processes, up_once};

#[tokio::test(flavor = "multi_thread")]
async fn five_processes_and_one_make_the_same_of_the_example() {
    let folder = tempfile::tempdir().unwrap();
    let (one, five) = (folder.path().join("one"), DataDir::create(&folder.path().join("five")));
    binaries::folder();

    let told_by_one = Webhook::start().await;
    let report = up_once(&one, &told_by_one).await;
    let told_by_five = Webhook::start().await;
    five_processes(&five, &told_by_five, report["snapshot_id"].as_str().unwrap()).await;

    has_what_is_known_of_the_example(&five);
    answers_questions(&five);
    tells_the_webhook(&told_by_five);

    let one = DataDir::create(&one);
    assert_eq!(difference(&read_all(&one.warehouse()), &read_all(&five.warehouse())), "");
    assert_eq!(difference(&read_views(&one.warehouse()), &read_views(&five.warehouse())), "");
    let alerts = |data| ask_json(data, &["alerts", "list", "--all"]);
    assert_eq!(alerts(&one), alerts(&five));
    let keys = |webhook: &Webhook| {
        let mut keys: Vec<_> = webhook.calls().into_iter().map(|call| (call.key, call.raw)).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&told_by_one), keys(&told_by_five));
}

/// What a person counts in the example's files.
fn has_what_is_known_of_the_example(data: &DataDir) {
    let warehouse = data.warehouse();
    let rows = |table| count(&warehouse, table);
    assert_eq!(rows(Table::GkeDeployments), 12);
    assert_eq!(rows(Table::GkePods), 46);
    assert_eq!(rows(Table::HpaData), 7, "four autoscalers with seven metrics");
    assert_eq!(rows(Table::GkeNodes), 3);
    assert_eq!(rows(Table::GkeClusters), 1);
    assert_eq!(rows(Table::LimitDeclarations), 10);
    assert_eq!(rows(Table::ReplicaChanges), 3);
    assert_eq!(rows(Table::DeadLetters), 0);
    assert_eq!(rows(Table::NotificationLog), 2 * rows(Table::AlertLog), "the log and the webhook are told of each");
    let sum = |sql: &str| query(&warehouse, sql)[0].join(" ");
    assert_eq!(sum("SELECT observed_at FROM gke_clusters"), "1795165200000000");
    let broken = "SELECT reason FROM rejected_rows WHERE object = 'payments/fraud-replay'";
    assert_eq!(sum(broken), "deployment payments/fraud-replay: spec.replicas is \"three\", expected a whole number");
    let owned = "SELECT count(*) FROM gke_pods WHERE deployment_name = 'refunds-api' AND owner_method = 'uid'";
    assert_eq!(sum(owned), "6");
    let verdict = "SELECT verdict, limit_value, actual FROM compliance_now WHERE deployment_name = 'refunds-api'";
    assert_eq!(sum(verdict), "over-limit 4 6");
    let metrics = "SELECT desired_replicas FROM deployment_metrics WHERE deployment_name = 'orders-api'";
    assert_eq!(sum(metrics), "3");
}

/// What the command line says of it.
fn answers_questions(data: &DataDir) {
    let alerts = ask_json(data, &["alerts", "list"]);
    let of = |rule: &str| {
        let found = alerts.as_array().unwrap().iter().find(|alert| alert["alert_type"] == rule);
        found.unwrap_or_else(|| panic!("no {rule} in {alerts:#}")).clone()
    };
    let episode = of("over-limit");
    assert_eq!(
        (&episode["namespace"], &episode["deployment_name"], &episode["state"], &episode["severity"]),
        (&"payments".into(), &"refunds-api".into(), &"opened".into(), &"critical".into())
    );
    assert_eq!((&episode["cause"], &episode["actor"]), (&"scaled-by-hand".into(), &"bob@example.com".into()));
    assert_eq!((&episode["observed"], &episode["limit_value"]), (&6.into(), &4.into()));
    assert_eq!(of("desired-over-limit")["deployment_name"], "refunds-api");
    let ceiling = of("ceiling-over-limit");
    assert_eq!((&ceiling["deployment_name"], &ceiling["cause"]), (&"product-api".into(), &"ceiling-raised".into()));

    let limit = ask_json(data, &["limit", "get", "--cluster", CLUSTER, "payments/refunds-api"]);
    assert_eq!((&limit[0]["max_replicas"], &limit[0]["declared_at"]), (&4.into(), &TAKEN_AT.into()));
    let (status, printed) = ask(data, &["limit", "get", "--cluster", CLUSTER, "catalog/legacy-search"]);
    assert_eq!(status, 1, "{printed}");

    let proof = ask_json(data, &["verify"]);
    assert_eq!(proof["proven"], true, "{proof:#}");
    let raw = proof["messages"].as_array().unwrap().iter().find(|one| one["subscription"] == "raw-batches--normalizer");
    assert!(raw.unwrap()["published"].as_u64().unwrap() >= 6, "{proof:#}");
}

/// Every alert once, signed.
fn tells_the_webhook(webhook: &Webhook) {
    let calls = webhook.calls();
    assert!(calls.iter().all(|call| signature::is_valid(call, SECRET)), "{calls:#?}");
    assert!(calls.iter().all(|call| !signature::is_valid(call, "another secret")), "{calls:#?}");
    let mut events: Vec<_> = calls.iter().map(|call| call.field("event_id").to_owned()).collect();
    events.sort();
    events.dedup();
    assert_eq!(events.len(), calls.len(), "nothing failed, so nobody is told twice: {calls:#?}");
    let told = calls.iter().find(|call| call.field("alert_type") == "over-limit").unwrap();
    assert_eq!((told.field("deployment_name"), told.field("cause")), ("refunds-api", "scaled-by-hand"));
    assert_eq!(told.timestamp, "1795165200", "the clock is the run's");
}
