//! The sentences, as people read them.

use std::sync::Arc;

use platform::ports::RecentChange;
use schemas::{ActorKind, ReplicaField, Violation};

use crate::cause::Changes;
use crate::gaps::{Absence, Coverage};
use crate::judge::judge;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::testing::{autoscaler, change, limit, minute, orders, snapshot, workload};
use crate::workload::Workload;

/// The sentences of a sequence of snapshots, under a policy without graces.
fn told(snapshots: Vec<Snapshot>) -> Vec<String> {
    let mut policy = Policy::parse(
        "apiVersion: podledger/v1\nkind: Policy\nlimitLoweredGrace: 0s\nrules: {undeclared: {grace: 0s}}",
    )
    .unwrap();
    policy.range.min = 0;
    let mut state = State::default();
    let mut told = Vec::new();
    for snapshot in snapshots {
        state = judge(&policy, &state, &snapshot).state;
        told.extend(state.pending.iter().map(|Violation { state, message, .. }| format!("{state}: {message}")));
    }
    told
}

fn with(changes: Vec<RecentChange>, mut snapshot: Snapshot) -> Snapshot {
    snapshot.changes = Changes::new(changes);
    snapshot
}

#[test]
fn over_limit_by_hand_through_its_life() {
    let by_hand = || vec![change(ReplicaField::Replicas, minute(3), Some(3), Some(6), ActorKind::Person)];
    let teams = |pods| Workload { api_id: Some("orders".into()), team_id: Some("payments".into()), ..orders(pods) };
    let mut rolling = teams(8);
    rolling.desired = 6;
    rolling.updated = 2;
    rolling.rollout.progressing = true;
    rolling.rollout.progressing_since = Some(minute(9));
    let mut raised = teams(8);
    raised.limit = Some(Arc::new(limit("payments", "orders-api", 8)));
    let sentences = told(vec![
        with(by_hand(), snapshot(minute(5), vec![teams(6)])),
        with(by_hand(), snapshot(minute(10), vec![rolling])),
        with(by_hand(), snapshot(minute(10 + 24 * 60), vec![teams(6)])),
        snapshot(minute(15 + 24 * 60), vec![raised]),
    ]);
    insta::assert_snapshot!(sentences.join("\n"), @r"
    opened: payments/orders-api on prod-uk runs 6 pods, 2 over its limit of 4: scaled by hand by alice@example.com at 2026-10-01 12:03 UTC (api orders, team payments)
    opened: payments/orders-api on prod-uk asks for 6 pods, 2 over its limit of 4: scaled by hand by alice@example.com at 2026-10-01 12:03 UTC (api orders, team payments)
    worsened: payments/orders-api on prod-uk now runs 8 pods, 4 over its limit of 4 (2 more allowed during the rollout), up from 6: scaled by hand by alice@example.com at 2026-10-01 12:03 UTC (api orders, team payments)
    reminded: payments/orders-api on prod-uk still runs 6 pods, 2 over its limit of 4, since 2026-10-01 12:05 UTC: scaled by hand by alice@example.com at 2026-10-01 12:03 UTC (api orders, team payments)
    reminded: payments/orders-api on prod-uk still asks for 6 pods, 2 over its limit of 4, since 2026-10-01 12:05 UTC: scaled by hand by alice@example.com at 2026-10-01 12:03 UTC (api orders, team payments)
    resolved: payments/orders-api on prod-uk is no longer over its limit: the limit was raised from 4 to 8, after 1 d 0 h (api orders, team payments)
    resolved: payments/orders-api on prod-uk no longer asks for more than its limit: the limit was raised from 4 to 8, after 1 d 0 h (api orders, team payments)
    ");
}

#[test]
fn every_rule_opens_and_ends_in_words() {
    let too_many = Workload { autoscalers: vec![autoscaler(10)], ..orders(4) };
    let lowered = {
        let mut limit = limit("payments", "refunds-api", 3);
        limit.previous_max_replicas = Some(5);
        limit.declared_at = minute(1);
        Workload { limit: Some(Arc::new(limit)), ..workload("payments", "refunds-api", 5, None) }
    };
    let sentences = told(vec![
        snapshot(
            minute(5),
            vec![too_many, lowered, workload("stock", "lookup-api", 9, Some(9)), workload("stock", "new-api", 1, None)],
        ),
        snapshot(
            minute(47),
            vec![
                Workload { autoscalers: vec![autoscaler(4)], ..orders(4) },
                workload("payments", "refunds-api", 3, Some(3)),
                workload("stock", "lookup-api", 8, Some(8)),
            ],
        ),
    ]);
    insta::assert_snapshot!(sentences.join("\n"), @r"
    opened: payments/orders-api on prod-uk may be scaled to 10 pods by its autoscaler, 6 over its limit of 4: cause unknown
    opened: payments/refunds-api on prod-uk runs 5 pods, 2 over its limit of 3: the limit was lowered from 5 to 3 by bob@example.com at 2026-10-01 12:01 UTC
    opened: payments/refunds-api on prod-uk asks for 5 pods, 2 over its limit of 3: the limit was lowered from 5 to 3 by bob@example.com at 2026-10-01 12:01 UTC
    opened: stock/lookup-api on prod-uk runs 9 pods, outside the platform's range of 0 to 8: cause unknown
    opened: stock/new-api on prod-uk runs 1 pod without a declaration
    resolved: payments/orders-api on prod-uk can no longer be scaled over its limit: the ceiling was lowered from 10 to 4, after 42 min
    resolved: payments/refunds-api on prod-uk is no longer over its limit: scaled down from 5 to 3, after 42 min
    resolved: payments/refunds-api on prod-uk no longer asks for more than its limit: scaled down from 5 to 3, after 42 min
    resolved: stock/lookup-api on prod-uk is back in the platform's range: scaled down from 9 to 8, after 42 min
    resolved: stock/new-api on prod-uk is no longer undeclared: the workload was deleted, after 42 min
    ");
}

#[test]
fn an_incomplete_evaluation_says_why() {
    let incomplete = Snapshot {
        coverage: Coverage {
            absence: Absence::Unproven,
            gaps: vec!["deployments: HTTP 403".into(), "horizontalpodautoscalers: 2 could not be read".into()],
            ..Coverage::complete()
        },
        ..snapshot(minute(5), vec![])
    };
    let sentences = told(vec![incomplete, snapshot(minute(10), vec![])]);
    insta::assert_snapshot!(sentences.join("\n"), @r"
    opened: cluster prod-uk could not be judged completely: deployments: HTTP 403; horizontalpodautoscalers: 2 could not be read
    resolved: cluster prod-uk is judged completely again, after 5 min
    ");
}

#[test]
fn of_many_gaps_the_first_are_named() {
    let incomplete = Snapshot {
        coverage: Coverage { gaps: (0..7).map(|gap| format!("gap {gap}")).collect(), ..Coverage::complete() },
        ..snapshot(minute(5), vec![])
    };
    assert!(told(vec![incomplete])[0].ends_with(": gap 0; gap 1; gap 2; gap 3; and 3 more"));
}

#[test]
fn names_from_outside_stay_on_one_line_and_short() {
    let hostile =
        Workload { team_id: Some("a\u{202e}b\nc".into()), ..workload("pay\nments", &"x".repeat(10_000), 6, Some(4)) };
    let sentences = told(vec![snapshot(minute(5), vec![hostile])]);
    for sentence in &sentences {
        assert!(!sentence.chars().any(char::is_control), "{sentence}");
        assert!(sentence.contains("pay\\u{a}ments/xxx") && sentence.contains("a\\u{202e}b\\u{a}c"), "{sentence}");
        assert!(sentence.chars().count() < 800, "{}", sentence.len());
    }
    assert!(!sentences.is_empty());
}
