//! `podledger up` as a service: the cluster changes between two snapshots.

use std::path::Path;

use podledger_tests::binaries::{Process, command};
use podledger_tests::probe::until_ready;
use podledger_tests::signature;
use podledger_tests::webhook::Webhook;

use crate::example::{SECRET, posting_to};

/// What the workload may run.
const LIMIT: u32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn up_tells_when_an_episode_opens_and_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (dump, ped, data) = (folder.path().join("dump"), folder.path().join("ped.yaml"), folder.path().join("data"));
    std::fs::create_dir(&dump).unwrap();
    run(&dump, LIMIT + 2);
    std::fs::write(&ped, declaration()).unwrap();
    let webhook = Webhook::start().await;
    let mut up = command("podledger");
    up.args(["up", "--every", "1s", "--cluster", "prod", "--dump"]).arg(&dump).arg("--ped").arg(&ped);
    up.arg("--data").arg(&data).env("PODLEDGER_LOG_FORMAT", "json");
    posting_to(&mut up, &webhook);
    let mut up = Process::start("up", up, &folder.path().join("up.log"));
    until_ready(&mut up);

    let told = |state: &'static str| {
        let webhook = webhook.clone();
        async move {
            let fits = |call: &podledger_tests::webhook::Call| {
                call.field("alert_type") == "over-limit" && call.field("state") == state
            };
            webhook.until(state, fits).await
        }
    };
    let opened = told("opened").await;
    assert_eq!((opened.field("namespace"), opened.field("deployment_name")), ("shop", "cart-api"));
    assert_eq!((&opened.body["observed"], &opened.body["limit_value"]), (&(LIMIT + 2).into(), &LIMIT.into()));
    assert_eq!(opened.field("cluster"), "prod");

    run(&dump, LIMIT);
    let resolved = told("resolved").await;
    assert_eq!(resolved.field("episode_id"), opened.field("episode_id"));
    assert_ne!(resolved.key, opened.key);
    assert!(resolved.field("ended_at") > resolved.field("started_at"), "{:#}", resolved.body);
    assert!(webhook.calls().iter().all(|call| signature::is_valid(call, SECRET)));
    assert_eq!(up.stop().code(), Some(0));
}

/// Makes the dump show a workload with so many pods. Written beside it first: a snapshot sees one
/// state or the other.
fn run(dump: &Path, pods: u32) {
    let deployment = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cart-api", "namespace": "shop", "uid": "cart-1", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"replicas": pods},
        "status": {"replicas": pods, "readyReplicas": pods, "updatedReplicas": pods, "availableReplicas": pods},
    });
    let written = dump.with_extension("written");
    std::fs::write(&written, deployment.to_string()).unwrap();
    std::fs::rename(written, dump.join("deployments.json")).unwrap();
}

fn declaration() -> String {
    format!(
        "apiVersion: podledger/v1\nkind: ReplicaLimit\nmetadata: {{api: cart, team: shop, user: alice@example.com}}\n\
         spec: {{namespace: shop, deployment: cart-api, maxReplicas: {LIMIT}, changeReason: first}}\n"
    )
}
