//! The views, on data small enough to compute every number by hand.

#![allow(clippy::unwrap_used)] // A failed unwrap here is a failed test.

mod billing;

use std::sync::Arc;

use futures::FutureExt as _;
use podledger_platform::embedded::warehouse::SqliteWarehouse;
use podledger_platform::ports::Warehouse;
use podledger_platform::testkit::memory::MemoryObjects;
use podledger_platform::testkit::warehouse::Fixture;
use podledger_platform::testkit::warehouse::loading::load_rows;
use podledger_platform::testkit::warehouse::questions::{rows_of, table};
use podledger_platform::testkit::warehouse::rows::{
    autoscaler, declaration, deployment, ledger, moment, october, retirement, violation,
};
use podledger_platform::testkit::warehouse::upserting::upsert;
use schemas::{AlertState, GkeDeployments, HpaData, LimitDeclaration, PipelineLedger, Rule, Violation};

/// A fixture whose folder lives as long as it.
fn fixture() -> (tempfile::TempDir, Fixture) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("warehouse.db");
    let fixture = Fixture {
        warehouse: Arc::new(SqliteWarehouse::open(&path).unwrap()),
        objects: Arc::new(MemoryObjects::default()),
        reopen: Box::new(move || {
            let path = path.clone();
            async move { Arc::new(SqliteWarehouse::open(path).unwrap()) as Arc<dyn Warehouse> }.boxed()
        }),
    };
    (folder, fixture)
}

/// Some columns of a view's rows, in the order of all its columns.
async fn view(fixture: &Fixture, name: &str, columns: &[&str]) -> Vec<String> {
    table(&rows_of(fixture, name).await, columns)
}

#[tokio::test]
async fn an_unchanged_declaration_is_no_new_one_and_a_late_older_one_is_placed_by_time() {
    let (_folder, fixture) = fixture();
    let columns = ["timestamp", "declaration_id", "initial_max_replicas", "max_replicas", "status"];
    let touched = LimitDeclaration {
        updated_by: "carol@example.com".to_owned(),
        change_reason: Some("typo".to_owned()),
        ..declaration("d2", october(2, 0), "orders", 3)
    };
    upsert(&fixture, &[declaration("d1", october(1, 0), "orders", 3), touched]).await;
    let image =
        LimitDeclaration { image: Some("orders:2".to_owned()), ..declaration("d3", october(3, 0), "orders", 3) };
    upsert(&fixture, &[image, retirement("d4", october(4, 0), "orders")]).await;
    assert_eq!(
        view(&fixture, "deployment_config", &columns).await,
        [
            "2026-10-01T00:00:00Z d1 3 3 applied", // d2 repeats d1's content
            "2026-10-03T00:00:00Z d3 3 3 applied", // another image is other content
            "2026-10-04T00:00:00Z d4 3 2 retired",
        ]
    );
    // One of September comes late: it is the first, and d1 is a change of it.
    upsert(&fixture, &[declaration("d0", moment("2026-09-01T00:00:00Z"), "orders", 2)]).await;
    assert_eq!(
        view(&fixture, "deployment_config", &columns).await,
        [
            "2026-09-01T00:00:00Z d0 2 2 applied",
            "2026-10-01T00:00:00Z d1 2 3 applied",
            "2026-10-03T00:00:00Z d3 2 3 applied",
            "2026-10-04T00:00:00Z d4 2 2 retired",
        ]
    );
}

#[tokio::test]
async fn metrics_show_the_limit_of_their_time_and_the_autoscaler_of_their_snapshot() {
    let (_folder, fixture) = fixture();
    upsert(&fixture, &[declaration("d1", october(1, 0), "orders", 3), declaration("d2", october(11, 0), "orders", 6)])
        .await;
    let labelled =
        GkeDeployments { team_id: Some("label".to_owned()), ..deployment("s2", october(11, 0), "orders", 5) };
    load_rows(&fixture, "s0", &[deployment("s0", moment("2026-09-30T00:00:00Z"), "orders", 2)]).await;
    load_rows(&fixture, "s1", &[deployment("s1", october(10, 0), "orders", 4)]).await;
    load_rows(&fixture, "s2", &[labelled]).await;
    let memory = HpaData {
        metric_name: Some("memory".to_owned()),
        target_utilization: Some(70),
        metric_index: Some(1),
        ..autoscaler("s2", october(11, 0), "orders", 9)
    };
    let detached = HpaData {
        scale_target_kind: Some("StatefulSet".to_owned()),
        name: "x".to_owned(),
        ..autoscaler("s2", october(11, 0), "orders", 99)
    };
    load_rows(&fixture, "s2", &[autoscaler("s2", october(11, 0), "orders", 9), memory, detached]).await;
    assert_eq!(
        view(&fixture, "pod_metrics", &["timestamp", "actual_replicas", "max_replicas", "cluster"]).await,
        ["2026-09-30T00:00:00Z 2 - prod-uk", "2026-10-10T00:00:00Z 4 3 prod-uk", "2026-10-11T00:00:00Z 5 6 prod-uk"]
    );
    // Two metrics of one autoscaler are one row; the team is the label's, else the declaration's.
    assert_eq!(
        view(
            &fixture,
            "deployment_metrics",
            &[
                "timestamp",
                "desired_replicas",
                "current_replicas",
                "hpa_min_replicas",
                "hpa_max_replicas",
                "hpa_target_cpu",
                "team_id",
                "api_id"
            ]
        )
        .await,
        [
            "2026-09-30T00:00:00Z 2 2 - - - - -",
            "2026-10-10T00:00:00Z 4 4 - - - payments orders",
            "2026-10-11T00:00:00Z 5 5 2 9 80 label orders",
        ]
    );
    assert_eq!(
        view(&fixture, "resource_replicas", &["timestamp", "resource_type", "name", "replicas", "team_id"]).await,
        [
            "2026-09-30T00:00:00Z deployment orders 2 -",
            "2026-10-10T00:00:00Z deployment orders 4 payments",
            "2026-10-11T00:00:00Z deployment orders 5 label",
            "2026-10-11T00:00:00Z hpa orders-hpa 3 label",
            "2026-10-11T00:00:00Z hpa x 3 -",
        ]
    );
}

#[tokio::test]
async fn users_see_their_limits_and_their_busiest_snapshot_of_each_day() {
    let (_folder, fixture) = fixture();
    let bobs = LimitDeclaration { user_id: Some("bob".to_owned()), ..declaration("d4", october(1, 0), "bobs", 2) };
    let raised = LimitDeclaration { updated_at: october(9, 0), ..declaration("d3", october(5, 0), "b", 6) };
    let future = declaration("d5", october(30, 0), "c", 8);
    let future = LimitDeclaration { created_at: october(1, 0), ..future };
    upsert(
        &fixture,
        &[declaration("d1", october(1, 0), "a", 3), declaration("d2", october(1, 0), "b", 4), raised, bobs, future],
    )
    .await;
    // a 3 + b 6 (raised from 4) = 9; c's 8 are declared for a day nobody has seen yet.
    assert_eq!(
        view(&fixture, "user_replicas_limits", &["user_id", "max_replicas", "updated_at"]).await,
        ["alice@example.com 9 2026-10-09T00:00:00Z", "bob 2 2026-10-01T00:00:00Z"]
    );
    let at = |snapshot: &str, hour: u32, a: i64, b: i64| {
        let time = october(6, hour);
        [deployment(snapshot, time, "a", a), deployment(snapshot, time, "b", b), deployment(snapshot, time, "bobs", 1)]
    };
    load_rows(&fixture, "s1", &at("s1", 1, 3, 1)).await;
    load_rows(&fixture, "s2", &at("s2", 2, 2, 3)).await;
    load_rows(
        &fixture,
        "s3",
        &[deployment("s3", october(7, 0), "a", 1), deployment("s3", october(7, 0), "nobodys", 9)],
    )
    .await;
    // October 6: 3 + 1 = 4, then 2 + 3 = 5; the peaks of a (3) and b (3) were not at once.
    assert_eq!(
        view(&fixture, "user_pod_usage", &["user_id", "date", "max_pods"]).await,
        ["alice@example.com 2026-10-06 5", "alice@example.com 2026-10-07 1", "bob 2026-10-06 1"]
    );
}

#[tokio::test]
async fn compliance_is_that_of_the_newest_snapshot_with_the_worst_that_holds() {
    let (_folder, fixture) = fixture();
    let names = ["ceiling", "desired", "fine", "over", "rollout", "stuck", "raw-surge"];
    for (number, name) in names.iter().enumerate() {
        upsert(&fixture, &[declaration(&format!("d{number}"), october(1, 0), name, 4)]).await;
    }
    let now = october(2, 0);
    let of = |name: &str, replicas: i64| deployment("s2", now, name, replicas);
    // A rollout of 4 may add 25 % of 4 = 1 pod, for 600 s; 5 pods are one more than declared.
    let rollout = |name: &str, since: &str| GkeDeployments {
        actual_replicas: 5,
        progressing: true,
        progressing_since: Some(moment(since)),
        ..of(name, 4)
    };
    load_rows(
        &fixture,
        "s1",
        &[deployment("s1", october(1, 12), "gone", 9), deployment("s1", october(1, 12), "fine", 9)],
    )
    .await;
    load_rows(
        &fixture,
        "s2",
        &[
            of("fine", 4),
            of("over", 6),
            GkeDeployments { actual_replicas: 4, ..of("desired", 5) },
            of("ceiling", 3),
            rollout("rollout", "2026-10-01T23:50:00Z"), // 600 s ago
            rollout("stuck", "2026-10-01T23:49:59Z"),   // 601 s ago
            GkeDeployments {
                actual_replicas: 7,
                max_surge: Some("2".to_owned()),
                ..rollout("raw-surge", "2026-10-01T23:59:00Z")
            },
            of("nobodys", 1),
        ],
    )
    .await;
    load_rows(&fixture, "s2", &[autoscaler("s2", now, "ceiling", 8)]).await;
    let other_rule = Violation {
        alert_type: Rule::CeilingOverLimit,
        deployment_name: Some("over".to_owned()),
        ..violation("v3", "e3", october(1, 1), AlertState::Opened)
    };
    let for_over = |id: &str, episode: &str, state, day| Violation {
        deployment_name: Some("over".to_owned()),
        started_at: october(day, 0),
        ..violation(id, episode, october(day, 0), state)
    };
    upsert(
        &fixture,
        &[
            for_over("v0", "e0", AlertState::Opened, 1),
            Violation { timestamp: october(1, 6), ..for_over("v1", "e0", AlertState::Resolved, 1) },
            for_over("v2", "e2", AlertState::Opened, 2),
            other_rule,
        ],
    )
    .await;
    let columns = ["deployment_name", "limit_value", "desired", "actual", "ceiling", "verdict", "since"];
    assert_eq!(
        view(&fixture, "compliance_now", &columns).await,
        [
            "ceiling 4 3 3 8 ceiling-over-limit -",
            "desired 4 5 4 - desired-over-limit -",
            "fine 4 4 4 - ok -",
            "nobodys - 1 1 - undeclared -",
            "over 4 6 6 - over-limit 2026-10-02T00:00:00Z",
            "raw-surge 4 4 7 - over-limit -", // 4 + 2 are allowed
            "rollout 4 4 5 - ok -",
            "stuck 4 4 5 - over-limit -",
        ]
    );
    // A newer snapshot of the cluster without any Deployment is known from the ledger alone.
    let empty = PipelineLedger {
        snapshot_id: Some("s3".into()),
        kind: Some("deployments".to_owned()),
        table: Some("gke_deployments".to_owned()),
        started_at: october(3, 0),
        ..ledger("loader", "u3", 0, 0, 0)
    };
    upsert(&fixture, &[empty]).await;
    assert_eq!(view(&fixture, "compliance_now", &columns).await, Vec::<String>::new());
}
