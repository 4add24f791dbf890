//! What goes wrong is named.

use crate::project::{Project, ended, podledger};

const PERMISSION_DENIED: i32 = 7;

#[tokio::test(flavor = "multi_thread")]
async fn without_an_address_the_variables_are_named() {
    let run = ended(podledger(&[])).await;
    assert_eq!(run.code, Some(2), "{run:?}");
    for variable in ["PODLEDGER_BROKER", "PODLEDGER_OBJECTS", "PODLEDGER_WAREHOUSE"] {
        assert!(run.err.contains(variable), "{}", run.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_a_project_asks_for_one() {
    let mut command = podledger(&[]);
    command.env("PODLEDGER_OBJECTS", "gs://acme").env("STORAGE_EMULATOR_HOST", "127.0.0.1:1");
    let run = ended(command).await;
    assert!(run.code == Some(2) && run.err.contains("gs://acme") && run.err.contains("--project"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topology_that_is_wrong_is_refused_with_file_line_and_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.yaml");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/topology.yaml")).unwrap();
    std::fs::write(&file, text.replace("messageRetention: 31d}\n  violations", "messageRetenton: 31d}\n  violations"))
        .unwrap();
    for (path, told) in [(file.as_path(), "did you mean \"messageRetention\"?"), (folder.path(), "cannot be read")] {
        let path = path.to_str().unwrap();
        let mut command = podledger(&["--topology", path]);
        command.env("PODLEDGER_BROKER", "pubsub:acme");
        let run = ended(command).await;
        assert!(run.code == Some(2) && run.err.contains(told) && run.err.contains(path), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_is_named_with_its_resource_and_how_far_the_run_came() {
    let Some(project) = Project::start("denied") else { return };
    project.fault("CreateSubscription", PERMISSION_DENIED).await;
    let run = project.run(&[]).await;
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    for part in [
        "stopped at pubsub:denied, 16 of 27 steps done",
        "create subscription audit-logs--normalizer in project denied",
        "permission pubsub.subscriptions.create",
        "roles/pubsub.editor",
    ] {
        assert_eq!(run.err.matches(part).count(), 1, "{part} is not once in {}", run.err);
    }
    project.fault("ListSchemas", PERMISSION_DENIED).await;
    let run = project.run(&["--dry-run"]).await;
    assert!(run.code == Some(1) && run.err.contains("pubsub.schemas.list"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_a_failure_and_no_plan() {
    let Some(mut project) = Project::start("away") else { return };
    project.pubsub.stop();
    let run = project.run(&["--dry-run"]).await;
    assert!(run.code == Some(1) && run.out.is_empty() && run.err.contains("cannot look at pubsub:away"), "{run:?}");
}
