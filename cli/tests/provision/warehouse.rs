//! The dataset: what cannot be changed is refused like anything else.

use platform::testkit::bigquery::BigQueryAndStorage;
use serde_json::{Value, json};

use crate::project::{Ended, ended, podledger};

/// The program on the dataset `ledger` of the project `test`.
async fn run(servers: &BigQueryAndStorage, arguments: &[&str]) -> Ended {
    let mut command = podledger(arguments);
    let address = servers.bigquery().replace("http://", "");
    command.env("PODLEDGER_WAREHOUSE", "bigquery:test.ledger").env("BIGQUERY_EMULATOR_HOST", address);
    ended(command).await
}

/// As somebody at a console would.
async fn sql(servers: &BigQueryAndStorage, statement: &str) {
    let url = format!("{}/bigquery/v2/projects/test/queries", servers.bigquery());
    let body = json!({"query": statement, "useLegacySql": false});
    let answer: Value = reqwest::Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    assert!(answer.get("error").is_none() && answer.get("errors").is_none(), "{statement}: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_type_and_a_dataset_elsewhere_are_refused_and_nothing_is_begun() {
    let Some(servers) = BigQueryAndStorage::start() else { return };
    run(&servers, &[]).await.with(0);
    run(&servers, &["--check"]).await.with(0);
    for change in [
        "ALTER TABLE ledger.gke_pods DROP COLUMN restart_count",
        "ALTER TABLE ledger.gke_pods ADD COLUMN restart_count STRING",
        "ALTER TABLE ledger.gke_nodes DROP COLUMN labels",
    ] {
        sql(&servers, change).await;
    }
    let told = run(&servers, &[]).await.with(3);
    let refused = "restart_count STRING -> INT64 (refused: it would have to be rewritten, which is never done)";
    assert!(told.contains("! table") && told.contains(refused), "{told}");
    assert!(told.contains("column: none -> labels"), "what could be done is told beside: {told}");
    assert!(told.contains("1 to change, 1 refused, so nothing is done"), "{told}");
    assert_eq!(run(&servers, &[]).await.with(3), told, "not even the missing column was added");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("elsewhere.yaml");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/topology.yaml")).unwrap();
    let elsewhere = text.replacen("dataset:\n  location: EU", "dataset:\n  location: US", 1);
    assert_ne!(elsewhere, text);
    std::fs::write(&file, elsewhere).unwrap();
    let told = run(&servers, &["--topology", file.to_str().unwrap()]).await.with(3);
    assert!(told.contains("location: EU -> US (refused: it cannot be changed)"), "{told}");
}
