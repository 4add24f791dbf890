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
    insta::assert_snapshot!(printed, @"");
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
