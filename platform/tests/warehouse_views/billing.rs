//! The bill.

use podledger_platform::testkit::warehouse::loading::load_rows;
use podledger_platform::testkit::warehouse::rows::{declaration, deployment, moment, october, prod, retirement};
use podledger_platform::testkit::warehouse::upserting::upsert;
use schemas::{GkeDeployments, LimitDeclaration};

use crate::{fixture, view};

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
