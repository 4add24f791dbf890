//! Promises of `limits_as_of` and `last_changes`.

use schemas::{LimitDeclaration, ReplicaChange, ReplicaField, Timestamp};

use super::Fixture;
use super::questions::rows_of;
use super::rows::{change, declaration, moment, october, prod, retirement};
use super::upserting::upsert;
use crate::ports::Limit;

async fn limits(fixture: &Fixture, at: Timestamp) -> Vec<Limit> {
    fixture.warehouse.limits_as_of(&prod(), at).await.unwrap()
}

/// The limit of `orders-api` at a time; none where nothing is declared.
async fn limit(fixture: &Fixture, at: Timestamp) -> Option<i64> {
    let all = limits(fixture, at).await;
    assert!(all.len() <= 1, "one workload has one limit: {all:?}");
    all.first().map(|limit| limit.max_replicas)
}

fn here(declaration: LimitDeclaration) -> LimitDeclaration {
    LimitDeclaration { cluster: Some(prod()), ..declaration }
}

/// From the microsecond on, not before; the one before and the first are told too.
pub async fn a_limit_holds_from_its_moment_on(fixture: &Fixture) {
    upsert(
        fixture,
        &[declaration("d1", october(1, 0), "orders-api", 3), declaration("d2", october(11, 0), "orders-api", 6)],
    )
    .await;
    for (at, expected) in [
        ("2026-09-30T23:59:59.999999Z", None),
        ("2026-10-01T00:00:00Z", Some(3)),
        ("2026-10-10T23:59:59.999999Z", Some(3)),
        ("2026-10-11T00:00:00Z", Some(6)),
        ("9999-01-01T00:00:00Z", Some(6)),
    ] {
        assert_eq!(limit(fixture, moment(at)).await, expected, "{at}");
    }
    let [now] = <[Limit; 1]>::try_from(limits(fixture, october(12, 0)).await).unwrap();
    assert_eq!((now.previous_max_replicas, now.initial_max_replicas), (Some(3), 3));
    assert_eq!((now.declared_at, now.declaration_id.as_str()), (october(11, 0), "d2"));
    assert_eq!(now.source.unwrap().as_str(), r#"{"repository":"peds"}"#);
    let [then] = <[Limit; 1]>::try_from(limits(fixture, october(2, 0)).await).unwrap();
    assert_eq!((then.previous_max_replicas, then.initial_max_replicas), (None, 3));
    let elsewhere = fixture.warehouse.limits_as_of(&"other".into(), october(12, 0)).await.unwrap();
    assert_eq!(elsewhere.len(), 1, "a declaration without a cluster holds for every cluster");
}

/// For the cluster itself before every cluster, whichever is newer; other clusters' do not count.
pub async fn a_declaration_for_the_cluster_wins(fixture: &Fixture) {
    let elsewhere =
        LimitDeclaration { cluster: Some("other".into()), ..declaration("d3", october(3, 0), "orders-api", 8) };
    upsert(
        fixture,
        &[
            here(declaration("d1", october(2, 0), "orders-api", 5)),
            declaration("d2", october(4, 0), "orders-api", 7),
            elsewhere,
        ],
    )
    .await;
    assert_eq!(limit(fixture, october(1, 0)).await, None);
    assert_eq!(limit(fixture, october(3, 0)).await, Some(5));
    assert_eq!(limit(fixture, october(5, 0)).await, Some(5), "the newer one for every cluster does not win");
    let other = fixture.warehouse.limits_as_of(&"other".into(), october(5, 0)).await.unwrap();
    assert_eq!(other[0].max_replicas, 8);
}

/// A retired declaration ends its scope's; the other scope's holds then.
pub async fn a_retired_declaration_ends_its_own_scope(fixture: &Fixture) {
    upsert(
        fixture,
        &[
            declaration("d1", october(1, 0), "orders-api", 3),
            here(declaration("d2", october(2, 0), "orders-api", 5)),
            here(retirement("d3", october(3, 0), "orders-api")),
            retirement("d4", october(4, 0), "orders-api"),
            declaration("d5", october(5, 0), "orders-api", 4),
        ],
    )
    .await;
    for (day, expected) in [(1, Some(3)), (2, Some(5)), (3, Some(3)), (4, None), (5, Some(4))] {
        assert_eq!(limit(fixture, october(day, 12)).await, expected, "October {day}");
    }
    let after = limits(fixture, october(5, 12)).await;
    assert_eq!(after[0].previous_max_replicas, None, "before it nothing was in force");
    assert_eq!(after[0].initial_max_replicas, 3);
}

/// Declarations in any order, alone or together: the same limits and the same history. The one
/// that repeats is left out, and a late older one takes its place in time.
pub async fn any_order_of_arrival_gives_the_same_history(make: &impl AsyncFn() -> Fixture) {
    let all = [
        declaration("d1", october(1, 0), "orders-api", 3),
        declaration("d2", october(5, 0), "orders-api", 3),
        declaration("d3", october(11, 0), "orders-api", 6),
        declaration("d4", october(11, 0), "orders-api", 5),
    ];
    let mut answers = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let fixture = make().await;
        for index in order {
            upsert(&fixture, &all[index..=index]).await;
        }
        // Of two of one moment, the one with the higher id is the later.
        assert_eq!(limit(&fixture, october(12, 0)).await, Some(5));
        assert_eq!(limits(&fixture, october(6, 0)).await[0].declaration_id.as_str(), "d1");
        answers.push(rows_of(&fixture, "deployment_config").await);
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(
        super::questions::column(&answers[0], "declaration_id"),
        ["d1", "d4", "d3"].map(|id| serde_json::json!(id)).as_slice()
    );

    let fixture = make().await;
    upsert(&fixture, &[all[2].clone()]).await;
    upsert(&fixture, &[all[0].clone()]).await;
    assert_eq!(limits(&fixture, october(12, 0)).await[0].initial_max_replicas, 3, "the late older one is the first");
}

/// Per Deployment, object and number; at the time or before; not of other clusters.
pub async fn the_newest_change_of_each_number_is_found(fixture: &Fixture) {
    let ceiling = ReplicaChange {
        target_kind: "HorizontalPodAutoscaler".to_owned(),
        target_name: "orders-hpa".to_owned(),
        field: ReplicaField::MaxReplicas,
        ..change("h1", october(2, 0), 9)
    };
    let elsewhere = ReplicaChange { cluster: "other".into(), ..change("x", october(9, 0), 1) };
    let unknown = ReplicaChange { deployment_name: None, ..change("y", october(9, 0), 1) };
    upsert(
        fixture,
        &[
            change("c1", october(1, 0), 4),
            change("c3", october(3, 0), 6),
            change("c2", october(2, 0), 5),
            ceiling,
            elsewhere,
            unknown,
        ],
    )
    .await;
    let at = async |when: &str| -> Vec<(String, Option<i64>)> {
        let changes = fixture.warehouse.last_changes(&prod(), moment(when)).await.unwrap();
        changes.into_iter().map(|change| (change.event_id, change.new_value)).collect()
    };
    let found = |pairs: &[(&str, i64)]| -> Vec<(String, Option<i64>)> {
        pairs.iter().map(|(id, value)| ((*id).to_owned(), Some(*value))).collect()
    };
    assert_eq!(at("2026-09-30T23:59:59Z").await, []);
    assert_eq!(at("2026-10-01T00:00:00Z").await, found(&[("c1", 4)]));
    assert_eq!(at("2026-10-02T00:00:00Z").await, found(&[("c2", 5), ("h1", 9)]));
    assert_eq!(at("2026-10-31T00:00:00Z").await, found(&[("c3", 6), ("h1", 9)]));
}
