//! Projects that are partly different.

use serde_json::json;

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_exactly_what_differs_and_a_run_mends_it() {
    let Some(project) = Project::start("drifted") else { return };
    project.run(&[]).await.with(0);
    let as_it_should_be = project.dump().await;
    project.patch("subscription", "audit-logs--normalizer", "ackDeadlineSeconds", json!(10)).await;
    project.patch("subscription", "row-batches--loader", "retryPolicy", json!(null)).await;
    project.patch("topic", "notifications", "messageRetentionDuration", json!("86400s")).await;
    project.delete("subscriptions/violations--notifier").await;
    project.put("topics/invoices", json!({})).await;
    project.put("subscriptions/invoices--books", json!({"topic": "projects/drifted/topics/invoices"})).await;
    let before = project.dump().await;
    let printed = project.run(&["--dry-run"]).await.with(0);
    insta::assert_snapshot!(printed, @r"
    pubsub:drifted
      ~ topic         notifications
          messageRetention: 1d -> 7d
      ~ subscription  audit-logs--normalizer
          ackDeadline: 10s -> 1m
      ~ subscription  row-batches--loader
          retry: at once -> 1s to 10m
      + subscription  violations--notifier            pull, ordered, 100 attempts, then dead-letters, kept 7d
      ? topic         invoices                        not in the topology, left alone
      ? subscription  invoices--books                 to invoices: not in the topology, left alone
    PODLEDGER_OBJECTS is not set: left out
    PODLEDGER_WAREHOUSE is not set: left out
    1 to create, 3 to change, 23 as they should be, 2 not in the topology
    ");
    assert_eq!(project.dump().await, before, "a dry run changes nothing");
    project.run(&["--check"]).await.with(3);
    let mended = project.run(&[]).await.with(0);
    assert!(mended.ends_with("1 created, 3 changed, 23 as they should be, 2 not in the topology\n"), "{mended}");
    let mut after = project.dump().await;
    assert!(after.remove("topics/invoices").is_some(), "what nobody asked for stays");
    assert!(after.remove("subscriptions/invoices--books").is_some());
    assert_eq!(after, as_it_should_be);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_would_narrow_anything_is_not_begun() {
    let Some(project) = Project::start("wider") else { return };
    project.run(&[]).await.with(0);
    project.patch("subscription", "row-batches--loader", "messageRetentionDuration", json!("2678400s")).await;
    project.patch("subscription", "row-batches--loader", "enableExactlyOnceDelivery", json!(true)).await;
    project.delete("subscriptions/violations--notifier").await;
    let before = project.dump().await;
    let printed = project.run(&[]).await.with(3);
    insta::assert_snapshot!(printed, @r"
    pubsub:wider
      ! subscription  row-batches--loader
          exactlyOnce: yes -> no (refused: it would be narrowed)
          messageRetention: 31d -> 7d (refused: it would be narrowed)
      + subscription  violations--notifier            pull, ordered, 100 attempts, then dead-letters, kept 7d
    PODLEDGER_OBJECTS is not set: left out
    PODLEDGER_WAREHOUSE is not set: left out
    1 to create, 0 to change, 1 refused, so nothing is done, 25 as they should be, 0 not in the topology
    ");
    assert_eq!(project.dump().await, before, "not even the missing subscription was made");
    project.run(&["--dry-run"]).await.with(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_gets_a_revision_and_one_that_cannot_be_read_is_refused() {
    let Some(project) = Project::start("schemas") else { return };
    project.run(&[]).await.with(0);
    // As if the program of before had no field `error` yet.
    let mut definition = project.notification().await;
    assert_eq!(definition["fields"].as_array_mut().unwrap().pop().unwrap()["name"], "error");
    project.with_notifications_of(&definition).await;
    let mended = project.run(&[]).await.with(0);
    assert!(mended.contains("~ schema        Notification") && mended.contains("-> a new one"), "{mended}");
    let revisions = project.get("schemas/Notification:listRevisions").await;
    assert_eq!(revisions["schemas"].as_array().unwrap().len(), 2);
    project.run(&["--check"]).await.with(0);
    // As if a field that is text now had been a number.
    definition["fields"][4]["type"] = json!("long");
    project.with_notifications_of(&definition).await;
    let before = project.dump().await;
    let refused = project.run(&[]).await.with(3);
    assert!(
        refused.contains("! schema        Notification") && refused.contains("could not read messages"),
        "{refused}"
    );
    assert_eq!(project.dump().await, before);
}
