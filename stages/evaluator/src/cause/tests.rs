//! The decision table, row by row.

use std::sync::Arc;

use platform::ports::RecentChange;

use super::*;
use crate::rules::Numbers;
use crate::testing::{autoscaler, change, limit, minute, orders, workload};

use ActorKind::{Autoscaler as ByAutoscaler, Controller, Person, Pipeline, ServiceAccount, Unknown};
use ReplicaField::{MaxReplicas, Replicas};

/// The cause and row for a workload and the changes on record; it held under `held_at`.
fn found_since(
    rule: Rule,
    workload: &Workload,
    changes: &[RecentChange],
    held_at: Option<Timestamp>,
) -> (Cause, u8, Option<String>) {
    let (observed, bound) = match rule {
        Rule::DesiredOverLimit => (Some(workload.desired), workload.limit_value()),
        Rule::CeilingOverLimit => (workload.ceiling(), workload.limit_value()),
        Rule::OutOfRange => (Some(workload.actual), Some(if workload.actual < 2 { 2 } else { 8 })),
        Rule::Undeclared => (Some(workload.actual), None),
        _ => (Some(workload.actual), workload.limit_value()),
    };
    let finding = Finding { numbers: Numbers { observed, ..Numbers::default() }, bound, measure: 0, surge_note: None };
    let changes = Changes::new(changes.to_vec());
    let found = cause(rule, &finding, workload, &changes, held_at);
    (found.cause, found.row, found.actor.map(str::to_owned))
}

fn found(rule: Rule, workload: &Workload, changes: &[RecentChange]) -> (Cause, u8) {
    let (cause, row, _) = found_since(rule, workload, changes, None);
    (cause, row)
}

fn scaled(kind: ActorKind) -> RecentChange {
    change(Replicas, minute(-3), Some(3), Some(6), kind)
}

/// Six pods, the limit fell from 6 to 4 at that minute.
fn lowered_at(minutes: i64) -> Workload {
    let mut limit = limit("payments", "orders-api", 4);
    limit.previous_max_replicas = Some(6);
    limit.declared_at = minute(minutes);
    Workload { limit: Some(Arc::new(limit)), ..orders(6) }
}

#[test]
fn row_1_nothing_to_compare_with() {
    assert_eq!(found(Rule::Undeclared, &workload("a", "b", 3, None), &[scaled(Person)]), (Cause::Unknown, 1));
    let workload = orders(3);
    let finding = Finding {
        numbers: Numbers { observed: Some(9), ..Numbers::default() },
        bound: Some(8),
        measure: 9,
        surge_note: None,
    };
    let changes = Changes::default();
    assert_eq!(cause(Rule::OutOfRange, &finding, &workload, &changes, None).row, 1);
}

#[test]
fn rows_2_and_3_more_pods_than_wished_for() {
    let mut workload = Workload { desired: 4, ..orders(6) };
    assert_eq!(found(Rule::OverLimit, &workload, &[scaled(Person)]), (Cause::Unknown, 3));
    workload.rollout.progressing = true;
    assert_eq!(found(Rule::OverLimit, &workload, &[scaled(Person)]), (Cause::RolloutSurge, 2));
    workload.rollout.progressing = false;
    workload.updated = 2;
    assert_eq!(found(Rule::OverLimit, &workload, &[]), (Cause::RolloutSurge, 2));
    assert_eq!(
        found(Rule::OutOfRange, &Workload { desired: 8, updated: 3, ..orders(12) }, &[]),
        (Cause::RolloutSurge, 2)
    );
}

#[test]
fn row_4_the_limit_was_lowered() {
    for rule in [Rule::OverLimit, Rule::DesiredOverLimit] {
        let (cause, row, actor) = found_since(rule, &lowered_at(-5), &[], Some(minute(-10)));
        assert_eq!((cause, row, actor.as_deref()), (Cause::LimitLowered, 4, Some("bob@example.com")));
        assert_eq!(found(rule, &lowered_at(-5), &[]), (Cause::LimitLowered, 4), "judged for the first time");
    }
    let with_ceiling = Workload { autoscalers: vec![autoscaler(6)], ..lowered_at(-5) };
    assert_eq!(found(Rule::CeilingOverLimit, &with_ceiling, &[]), (Cause::LimitLowered, 4));
    // The number is older than the fall of the limit, and that is on record.
    let before = change(Replicas, minute(-60), Some(3), Some(6), Person);
    assert_eq!(found(Rule::OverLimit, &lowered_at(-5), &[before]), (Cause::LimitLowered, 4));
    // Somebody moved it down since, not enough.
    let down = change(Replicas, minute(-2), Some(6), Some(5), Person);
    let still_over = Workload { desired: 5, actual: 5, ..lowered_at(-5) };
    assert_eq!(found(Rule::OverLimit, &still_over, &[down]), (Cause::LimitLowered, 4));
}

#[test]
fn row_4_does_not_fit_when_something_else_broke_it() {
    let after = scaled(Person);
    assert_eq!(found(Rule::OverLimit, &lowered_at(-5), &[after]).0, Cause::ScaledByHand);
    // It held under the new limit already.
    let (cause, ..) = found_since(Rule::OverLimit, &lowered_at(-60), &[], Some(minute(-10)));
    assert_eq!(cause, Cause::Unknown);
    // More than the limit before.
    assert_eq!(found(Rule::OverLimit, &Workload { desired: 7, actual: 7, ..lowered_at(-5) }, &[]).0, Cause::Unknown);
    // The workload is younger than the declaration.
    let young = Workload { created_at: Some(minute(-2)), ..lowered_at(-5) };
    assert_eq!(found(Rule::OverLimit, &young, &[]).0, Cause::Unknown);
}

#[test]
fn rows_5_and_6_the_ceiling() {
    let workload = Workload { autoscalers: vec![autoscaler(10)], ..orders(3) };
    let raised = |kind| change(MaxReplicas, minute(-3), Some(4), Some(10), kind);
    for (kind, expected) in [
        (Pipeline, (Cause::DeployedOverLimit, 5)),
        (Person, (Cause::CeilingRaised, 6)),
        (ServiceAccount, (Cause::CeilingRaised, 6)),
        (Controller, (Cause::Unknown, 14)),
        (Unknown, (Cause::Unknown, 14)),
    ] {
        assert_eq!(found(Rule::CeilingOverLimit, &workload, &[raised(kind)]), expected, "{kind}");
    }
    assert_eq!(found(Rule::CeilingOverLimit, &workload, &[]), (Cause::Unknown, 14));
    let other_value = change(MaxReplicas, minute(-3), Some(4), Some(9), Person);
    assert_eq!(found(Rule::CeilingOverLimit, &workload, &[other_value]), (Cause::Unknown, 14));
    let replicas = change(Replicas, minute(-3), Some(4), Some(10), Person);
    assert_eq!(found(Rule::CeilingOverLimit, &workload, &[replicas]), (Cause::Unknown, 14));
}

#[test]
fn rows_7_and_8_the_wish() {
    for (kind, expected) in [
        (Person, (Cause::ScaledByHand, 7)),
        (ServiceAccount, (Cause::ScaledByHand, 7)),
        (Pipeline, (Cause::DeployedOverLimit, 8)),
        (Controller, (Cause::Unknown, 14)),
        (Unknown, (Cause::Unknown, 14)),
    ] {
        for rule in [Rule::OverLimit, Rule::DesiredOverLimit] {
            assert_eq!(found(rule, &orders(6), &[scaled(kind)]), expected, "{rule} {kind}");
        }
    }
    let (.., actor) = found_since(Rule::OverLimit, &orders(6), &[scaled(Person)], None);
    assert_eq!(actor.as_deref(), Some("alice@example.com"));
    let nine = change(Replicas, minute(-3), Some(3), Some(9), Person);
    assert_eq!(found(Rule::OutOfRange, &orders(9), &[nine]), (Cause::ScaledByHand, 7));
    let value_not_logged = RecentChange { old_value: None, new_value: None, ..scaled(Person) };
    assert_eq!(found(Rule::OverLimit, &orders(6), &[value_not_logged]), (Cause::ScaledByHand, 7));
}

#[test]
fn a_change_that_is_no_evidence_is_none() {
    let another_number = RecentChange { new_value: Some(5), ..scaled(Person) };
    let deleted = RecentChange { new_value: None, verb: "delete".into(), ..scaled(Person) };
    let lowering = RecentChange { old_value: Some(9), ..scaled(Person) };
    let another_incarnation = RecentChange { occurred_at: minute(-100_001), ..scaled(Person) };
    let another_target = RecentChange { target_kind: "StatefulSet".into(), ..scaled(Person) };
    for (name, change) in [
        ("another number", another_number),
        ("a deletion", deleted),
        ("a lowering", lowering),
        ("before the workload existed", another_incarnation),
        ("of a StatefulSet of that name", another_target),
    ] {
        assert_eq!(found(Rule::OverLimit, &orders(6), &[change]), (Cause::Unknown, 14), "{name}");
    }
}

#[test]
fn of_several_changes_the_newest_counts() {
    let older = RecentChange { occurred_at: minute(-9), actor_kind: Pipeline, ..scaled(Pipeline) };
    assert_eq!(found(Rule::OverLimit, &orders(6), &[scaled(Person), older.clone()]), (Cause::ScaledByHand, 7));
    let newest = RecentChange { occurred_at: minute(-1), new_value: Some(5), ..scaled(Person) };
    assert_eq!(found(Rule::OverLimit, &orders(6), &[older, newest]), (Cause::Unknown, 14));
}

#[test]
fn rows_9_and_10_the_autoscaler() {
    let mut scaler = autoscaler(10);
    scaler.desired_replicas = Some(6);
    scaler.last_scale_time = Some(minute(-3));
    let workload = Workload { autoscalers: vec![scaler.clone()], ..orders(6) };
    let by_autoscaler = scaled(ByAutoscaler);
    let raised = change(MaxReplicas, minute(-8), Some(4), Some(10), Person);
    assert_eq!(found(Rule::OverLimit, &workload, std::slice::from_ref(&by_autoscaler)), (Cause::Autoscaler, 10));
    assert_eq!(found(Rule::OverLimit, &workload, &[]), (Cause::Autoscaler, 10), "from its status alone");
    assert_eq!(found(Rule::OverLimit, &workload, &[by_autoscaler.clone(), raised.clone()]), (Cause::CeilingRaised, 9));
    assert_eq!(found(Rule::OverLimit, &workload, std::slice::from_ref(&raised)), (Cause::CeilingRaised, 9));
    let after = RecentChange { occurred_at: minute(-1), ..raised.clone() };
    assert_eq!(found(Rule::OverLimit, &workload, &[by_autoscaler.clone(), after]), (Cause::Autoscaler, 10));
    let was_over = RecentChange { old_value: Some(9), ..raised };
    assert_eq!(found(Rule::OverLimit, &workload, &[by_autoscaler, was_over]), (Cause::Autoscaler, 10));
    for broken in [
        Autoscaler { desired_replicas: Some(5), ..scaler.clone() },
        Autoscaler { last_scale_time: None, ..scaler.clone() },
        Autoscaler {
            conditions: vec![schemas::Condition {
                r#type: "ScalingActive".into(),
                status: Some("False".into()),
                reason: None,
                message: None,
                last_transition_time: None,
            }],
            ..scaler
        },
    ] {
        let workload = Workload { autoscalers: vec![broken], ..orders(6) };
        assert_eq!(found(Rule::OverLimit, &workload, &[]), (Cause::Unknown, 14));
    }
}

#[test]
fn row_11_created_so_under_the_limit() {
    let created = Workload { generation: Some(1), ..orders(6) };
    assert_eq!(found(Rule::OverLimit, &created, &[]), (Cause::DeployedOverLimit, 11));
    assert_eq!(found(Rule::OverLimit, &Workload { generation: Some(2), ..created.clone() }, &[]).0, Cause::Unknown);
    assert_eq!(found(Rule::OverLimit, &Workload { created_at: None, ..created }, &[]).0, Cause::Unknown);
}

#[test]
fn rows_12_to_14_too_few() {
    let down = |kind| change(Replicas, minute(-3), Some(4), Some(1), kind);
    for (kind, expected) in
        [(Person, (Cause::ScaledByHand, 12)), (ByAutoscaler, (Cause::Autoscaler, 13)), (Pipeline, (Cause::Unknown, 14))]
    {
        assert_eq!(found(Rule::OutOfRange, &orders(1), &[down(kind)]), expected, "{kind}");
    }
    assert_eq!(found(Rule::OutOfRange, &orders(1), &[]), (Cause::Unknown, 14));
    let not_wished = Workload { desired: 3, ..orders(1) };
    assert_eq!(found(Rule::OutOfRange, &not_wished, &[down(Person)]), (Cause::Unknown, 14));
}
