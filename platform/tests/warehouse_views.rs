//! The views, on data small enough to compute every number by hand.

#![allow(clippy::unwrap_used)] // A failed unwrap here is a failed test.

use std::sync::Arc;

use futures::FutureExt as _;
use podledger_platform::embedded::warehouse::SqliteWarehouse;
use podledger_platform::ports::Warehouse;
use podledger_platform::testkit::warehouse::Fixture;
use podledger_platform::testkit::warehouse::loading::load_rows;
use podledger_platform::testkit::warehouse::parts::MemoryObjects;
use podledger_platform::testkit::warehouse::questions::{rows_of, table};
use podledger_platform::testkit::warehouse::rows::{
    autoscaler, declaration, deployment, ledger, moment, october, prod, retirement, violation,
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

/// A declaration of 2 vCPU and 4 GB.
fn sized(id: &str, at: schemas::Timestamp, name: &str, max_replicas: i64) -> LimitDeclaration {
    with_limits(declaration(id, at, name, max_replicas), r#"{"cpu": "2", "memory": "4Gi"}"#)
}

fn with_limits(declaration: LimitDeclaration, limits: &str) -> LimitDeclaration {
    LimitDeclaration { resources_limits: Some(limits.to_owned()), ..declaration }
}

const BILL: &[&str] = &["month", "deployment_name", "max_declared", "max_actual", "max_pods", "fee_cents"];

#[tokio::test]
async fn two_cpus_and_four_gigabytes_cost_294_for_four_pods_and_351_for_six() {
    let (_folder, fixture) = fixture();
    upsert(&fixture, &[sized("d1", october(1, 0), "four", 4), sized("d2", october(1, 0), "six", 6)]).await;
    // 180 + (19 * 2 + 19 * 4) * 4 / 4 = 180 + 114 = 294; 180 + 114 * 6 / 4 = 180 + 171 = 351.
    assert_eq!(view(&fixture, "billing_monthly", BILL).await, ["2026-10 four 4 - 4 29400", "2026-10 six 6 - 6 35100"]);
}

#[tokio::test]
async fn three_and_then_six_bills_six() {
    let (_folder, fixture) = fixture();
    upsert(&fixture, &[sized("d1", october(1, 0), "orders", 3), sized("d2", october(11, 0), "orders", 6)]).await;
    load_rows(&fixture, "s1", &[deployment("s1", october(5, 0), "orders", 3)]).await;
    load_rows(&fixture, "s2", &[deployment("s2", october(12, 0), "orders", 5)]).await;
    load_rows(&fixture, "s3", &[deployment("s3", october(13, 0), "orders", 5)]).await;
    load_rows(&fixture, "s4", &[deployment("s4", october(14, 0), "other", 1)]).await;
    load_rows(&fixture, "s5", &[deployment("s5", moment("2026-11-01T00:00:00Z"), "orders", 2)]).await;
    // October: 6 are declared from the 11th on, at most 5 ran. November: 6 are still declared, 2 ran.
    assert_eq!(
        view(&fixture, "billing_monthly", BILL).await,
        ["2026-10 orders 6 5 6 35100", "2026-11 orders 6 2 6 35100"]
    );
    // The 6 of the second declaration; the 5 of the first snapshot that shows them. Of the four
    // snapshots of October three hold the workload.
    let evidence = [
        "month",
        "measure",
        "value",
        "source",
        "source_id",
        "observed_cluster",
        "since",
        "snapshots_seen_in",
        "snapshots_loaded",
        "first_observed_at",
        "last_observed_at",
    ];
    assert_eq!(
        view(&fixture, "billing_evidence", &evidence).await,
        [
            "2026-10 actual 5 snapshot s2 prod-uk 2026-10-12T00:00:00Z 3 4 2026-10-05T00:00:00Z 2026-10-13T00:00:00Z",
            "2026-10 declared 6 declaration d2 - 2026-10-11T00:00:00Z - - - -",
            "2026-11 actual 2 snapshot s5 prod-uk 2026-11-01T00:00:00Z 1 1 2026-11-01T00:00:00Z 2026-11-01T00:00:00Z",
            "2026-11 declared 6 declaration d2 - 2026-10-11T00:00:00Z - - - -",
        ]
    );
}

#[tokio::test]
async fn a_month_is_billed_from_the_first_declaration_to_the_retirement() {
    let (_folder, fixture) = fixture();
    let here = LimitDeclaration { cluster: Some(prod()), ..sized("d9", october(20, 0), "orders", 8) };
    upsert(
        &fixture,
        &[
            sized("d1", moment("2026-07-31T23:59:59Z"), "orders", 4),
            sized("d2", moment("2026-09-01T00:00:00Z"), "orders", 3),
            retirement("d3", moment("2026-10-01T00:00:00Z"), "orders"),
            here,
        ],
    )
    .await;
    // d1 holds in July (for a second) and August, and ends with it; d2 holds in September and ends
    // with it; nothing for every cluster holds in October, where prod-uk's own 8 begin.
    assert_eq!(
        view(&fixture, "billing_monthly", &["month", "cluster", "max_declared", "fee_cents"]).await,
        [
            "2026-07 - 4 29400",
            "2026-08 - 4 29400",
            // 180 + 114 * 3 / 4 = 265.50; 180 + 114 * 8 / 4 = 408.
            "2026-09 - 3 26550",
            "2026-10 prod-uk 8 40800",
        ]
    );
}

#[tokio::test]
async fn cents_are_rounded_once_half_to_even() {
    let (_folder, fixture) = fixture();
    // One pod without memory costs 18000 + 19 * millicores / 40 cents.
    let cases = [
        ("a", "1m", 18_000),  // 0.475
        ("b", "2m", 18_001),  // 0.95
        ("c", "20m", 18_010), // 9.5: to the even 10
        ("d", "60m", 18_028), // 28.5: to the even 28
        ("e", "61m", 18_029), // 28.975
    ];
    for (name, cpu, _) in cases {
        let limits = format!(r#"{{"cpu": "{cpu}", "memory": "0"}}"#);
        upsert(&fixture, &[with_limits(declaration(name, october(1, 0), name, 1), &limits)]).await;
    }
    assert_eq!(
        view(&fixture, "billing_monthly", &["deployment_name", "fee_cents"]).await,
        cases.map(|(name, _, cents)| format!("{name} {cents}"))
    );
}

#[tokio::test]
async fn quantities_are_read_or_left_unknown() {
    let (_folder, fixture) = fixture();
    let cases = [
        (r#"{"cpu": "500m", "memory": "512Mi"}"#, "500 536870912"),
        (r#"{"cpu": "1.5", "memory": "1.5Gi"}"#, "1500 1610612736"),
        (r#"{"cpu": 2, "memory": 1000}"#, "2000 1000"),
        (r#"{"cpu": "0.1", "memory": "4G"}"#, "100 4000000000"),
        (r#"{"cpu": "1.1001", "memory": "1k"}"#, "1101 1000"), // a part of a thousandth counts as one
        (r#"{"cpu": "4.35", "memory": "2Ki"}"#, "4350 2048"),
        (r#"{"cpu": "1e3", "memory": "4gi"}"#, "- -"),
        (r#"{"cpu": "-1", "memory": "Gi"}"#, "- -"),
        (r#"{"cpu": "1.2.3", "memory": ["4Gi"]}"#, "- -"),
        ("not json", "- -"),
        ("{}", "- -"),
    ];
    for (number, (limits, _)) in cases.iter().enumerate() {
        let name = format!("{number:02}");
        upsert(&fixture, &[with_limits(declaration(&name, october(1, 0), &name, 2), limits)]).await;
    }
    let found = view(&fixture, "billing_monthly", &["vcpu_millicores", "memory_bytes"]).await;
    assert_eq!(found, cases.map(|(_, expected)| expected));
}

#[tokio::test]
async fn resources_nobody_declared_come_from_the_deployment_and_a_fee_too_large_is_left_out() {
    let (_folder, fixture) = fixture();
    upsert(
        &fixture,
        &[
            declaration("d1", october(1, 0), "limited", 4),
            declaration("d2", october(1, 0), "requested", 4),
            declaration("d3", october(1, 0), "unknown", 4),
            with_limits(declaration("d4", october(1, 0), "huge", 8), r#"{"cpu": "2000", "memory": "1Ti"}"#),
        ],
    )
    .await;
    let bare = |name: &str| GkeDeployments {
        cpu_limit_millicores: None,
        memory_limit_bytes: None,
        ..deployment("s1", october(2, 0), name, 2)
    };
    let requested = GkeDeployments {
        cpu_request_millicores: Some(1_000),
        memory_request_bytes: Some(1 << 30),
        ..bare("requested")
    };
    load_rows(&fixture, "s1", &[deployment("s1", october(2, 0), "limited", 2), requested, bare("unknown")]).await;
    // limited: 2 vCPU, 4 GB; requested: 180 + (19 + 19) * 4 / 4 = 218.
    assert_eq!(
        view(&fixture, "billing_monthly", &["deployment_name", "vcpu_millicores", "fee_cents"]).await,
        ["huge 2000000 -", "limited 2000 29400", "requested 1000 21800", "unknown - -"]
    );
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
