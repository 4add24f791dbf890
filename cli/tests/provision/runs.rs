//! First and second runs.

use platform::google::provision::BucketProvision;
use platform::testkit::servers::Built;
use serde_json::Value;

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_on_an_empty_project_prints_everything_and_makes_nothing() {
    let Some(project) = Project::start("empty") else { return };
    let Some(storage) = Built::find("storage").map(|storage| storage.start(&[])) else { return };
    let with_bucket = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        command.env("PODLEDGER_OBJECTS", "gs://acme-ledger/prod").env("STORAGE_EMULATOR_HOST", storage.address("http"));
        command
    };
    let printed = crate::project::ended(with_bucket(&["--dry-run"])).await.with(0);
    insta::assert_snapshot!(printed, @r"
    pubsub:empty
      + schema        LimitDeclaration                Avro
      + schema        Notification                    Avro
      + schema        RawBatch                        Avro
      + schema        ReplicaChange                   Avro
      + schema        RowBatch                        Avro
      + schema        SnapshotRequest                 Avro
      + schema        Violation                       Avro
      + topic         audit-logs                      no schema, kept 7d
      + topic         dead-letters                    no schema, kept 31d
      + topic         limit-declarations              schema LimitDeclaration (binary), kept 31d
      + topic         notifications                   schema Notification (binary), kept 7d
      + topic         raw-batches                     schema RawBatch (binary), kept 7d
      + topic         replica-changes                 schema ReplicaChange (binary), kept 7d
      + topic         row-batches                     schema RowBatch (binary), kept 7d
      + topic         snapshot-requests               schema SnapshotRequest (json), kept 7d
      + topic         violations                      schema Violation (binary), kept 7d
      + subscription  audit-logs--normalizer          pull, 100 attempts, then dead-letters, kept 7d
      + subscription  dead-letters--loader            pull, never given up, kept 31d
      + subscription  limit-declarations--loader      pull, ordered, 100 attempts, then dead-letters, kept 7d
      + subscription  notifications--loader           pull, 100 attempts, then dead-letters, kept 7d
      + subscription  raw-batches--normalizer         pull, 100 attempts, then dead-letters, kept 7d
      + subscription  replica-changes--loader         pull, ordered, 100 attempts, then dead-letters, kept 7d
      + subscription  row-batches--evaluator          pull, 100 attempts, then dead-letters, kept 7d
      + subscription  row-batches--loader             pull, 100 attempts, then dead-letters, kept 7d
      + subscription  snapshot-requests--snapshotter  pull, ordered, 100 attempts, then dead-letters, kept 7d
      + subscription  violations--loader              pull, ordered, 100 attempts, then dead-letters, kept 7d
      + subscription  violations--notifier            pull, ordered, 100 attempts, then dead-letters, kept 7d
    gs://acme-ledger/prod
      + bucket        acme-ledger  EU STANDARD, uniform access, prod/raw/ 400d, prod/rows/ 60d, prod/state/loader/ 120d
    PODLEDGER_WAREHOUSE is not set: left out
    28 to create, 0 to change, 0 as they should be, 0 not in the topology
    ");
    assert!(project.dump().await.is_empty(), "nothing was made");
    crate::project::ended(with_bucket(&["--check"])).await.with(3);
    let bucket = BucketProvision::open("acme-ledger", "empty", Some(&storage.url("http"))).await.unwrap();
    assert_eq!(bucket.look().await.unwrap(), None);
    let made = crate::project::ended(with_bucket(&[])).await.with(0);
    assert!(made.ends_with("28 created, 0 changed, 0 as they should be, 0 not in the topology\n"), "{made}");
    let there = bucket.look().await.unwrap();
    assert!(there.is_some());
    let (held, _) = (project.dump().await, project.freeze().await);
    let second = crate::project::ended(with_bucket(&[])).await.with(0);
    assert!(second.ends_with("0 created, 0 changed, 28 as they should be, 0 not in the topology\n"), "{second}");
    assert_eq!(project.dump().await, held, "no call that changes anything was made: each would have failed");
    assert_eq!(bucket.look().await.unwrap(), there, "with its metageneration and update time");
    crate::project::ended(with_bucket(&["--check"])).await.with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_as_json_names_every_resource_with_its_state() {
    let Some(project) = Project::start("json") else { return };
    let printed = project.run(&["--dry-run", "--format", "json"]).await.with(0);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&report["applied"], &report["places"][0]["address"]),
        (&Value::from(false), &Value::from("pubsub:json"))
    );
    assert_eq!(report["left_out"], serde_json::json!(["PODLEDGER_OBJECTS", "PODLEDGER_WAREHOUSE"]));
    let resources = report["places"][0]["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 27);
    assert!(resources.iter().all(|resource| resource["state"] == "missing"), "{resources:?}");
    let csv = project.run(&["--dry-run", "--format", "csv"]).await.with(0);
    assert!(
        csv.starts_with("address,kind,name,state,field,found,wanted,refused\n") && csv.lines().count() == 28,
        "{csv}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_subscription_has_its_endpoint_and_identity_and_keeps_them() {
    let Some(project) = Project::start("pushed") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("push.yaml");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/topology.yaml")).unwrap();
    let push =
        r#"{push: {endpoint: "http://127.0.0.1:9/logs", serviceAccount: "push@{project}.example", audience: stage}}"#;
    std::fs::write(&file, text.replace("audit-logs--normalizer: {}", &format!("audit-logs--normalizer: {push}")))
        .unwrap();
    let own = ["--topology", file.to_str().unwrap()];
    // First as pulled, then pushed: the endpoint is added.
    project.run(&[]).await.with(0);
    let changed = project.run(&own).await.with(0);
    assert!(changed.contains("push: none -> http://127.0.0.1:9/logs"), "{changed}");
    let there = project.get("subscriptions/audit-logs--normalizer").await;
    let token = serde_json::json!({"serviceAccountEmail": "push@pushed.example", "audience": "stage"});
    assert_eq!(there["pushConfig"]["oidcToken"], token);
    project.run(&[own[0], own[1], "--check"]).await.with(0);
    // A list that says nothing of it would leave the stage without messages.
    let refused = project.run(&[]).await.with(3);
    assert!(
        refused.contains("push: http://127.0.0.1:9/logs -> none (refused: its stage would get nothing)"),
        "{refused}"
    );
    assert_eq!(project.get("subscriptions/audit-logs--normalizer").await, there);
}
