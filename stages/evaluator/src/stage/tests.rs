//! The handler on ports in memory.

mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use platform::ports::RecentChange;
use schemas::{ActorKind, AlertState, Cause, ReplicaField, Rule};

use self::stored::{Stored, note};
use super::*;
use crate::testing::ports::Memory;
use crate::testing::{change, limit, minute};
use platform::testkit::memory::Fault;

fn memory() -> Memory {
    let memory = Memory::default();
    *memory.warehouse.limits.lock().unwrap() =
        vec![limit("payments", "orders-api", 4), limit("payments", "refunds-api", 4)];
    memory
}

fn evaluator(memory: &Memory) -> Evaluator {
    Evaluator::new(&Config::default(), &memory.ports()).unwrap()
}

/// Stores a snapshot and delivers all its batches; the last outcome that was a verdict.
async fn run(memory: &Memory, stored: &Stored) -> Option<Summary> {
    let evaluator = evaluator(memory);
    let mut judged = None;
    for batch in stored.store(memory) {
        note(memory, &batch);
        if let Outcome::Judged(summary) = evaluator.evaluate(&batch).await.unwrap() {
            judged = Some(*summary);
        }
    }
    judged
}

fn told(memory: &Memory) -> Vec<(Rule, AlertState)> {
    memory.published().iter().map(|violation| (violation.alert_type, violation.state)).collect()
}

#[tokio::test]
async fn a_snapshot_is_judged_once_when_its_last_needed_part_is_there() {
    let memory = memory();
    let evaluator = evaluator(&memory);
    let mut stored = Stored::new("s1", 0, &[("orders-api", 6)]);
    stored.deployments = Some(vec![vec![("orders-api", 6)], vec![("refunds-api", 3)]]);
    stored.autoscalers = Some(vec![("refunds-api", 9)]);
    let mut outcomes = Vec::new();
    for batch in stored.store(&memory) {
        note(&memory, &batch);
        outcomes.push(match evaluator.evaluate(&batch).await.unwrap() {
            Outcome::NotConcerned => "not concerned",
            Outcome::Waiting => "waiting",
            Outcome::Superseded => "superseded",
            Outcome::Judged(summary) => {
                assert_eq!(summary.workloads, 2);
                "judged"
            }
        });
    }
    assert_eq!(outcomes, ["not concerned", "waiting", "waiting", "judged"]);
    assert_eq!(told(&memory).len(), 3);
    let before = memory.published();
    for batch in stored.store(&memory) {
        evaluator.evaluate(&batch).await.unwrap();
    }
    assert_eq!(memory.published(), before, "redelivery tells nothing new");
}

#[tokio::test]
async fn limits_and_changes_as_of_the_snapshot_make_verdict_and_cause() {
    let memory = memory();
    let by_hand = change(ReplicaField::Replicas, minute(3), Some(3), Some(6), ActorKind::Person);
    let later = RecentChange { occurred_at: minute(9), ..by_hand.clone() };
    *memory.warehouse.changes.lock().unwrap() = vec![by_hand, later];
    run(&memory, &Stored::new("s1", 5, &[("orders-api", 6)])).await.unwrap();
    let published = memory.published();
    let over = published.iter().find(|violation| violation.alert_type == Rule::OverLimit).unwrap();
    assert_eq!((over.cause, over.actor.as_deref()), (Cause::ScaledByHand, Some("alice@example.com")));
    assert!(over.message.ends_with("scaled by hand by alice@example.com at 2026-10-01 12:03 UTC"), "{}", over.message);
}

#[tokio::test]
async fn a_backfill_leaves_everything_as_it_is() {
    let memory = memory();
    run(&memory, &Stored::new("s1", 0, &[("orders-api", 6)])).await.unwrap();
    let key = keys::evaluator_state(&"prod-uk".into());
    let (state, published) = (memory.get(&key), memory.published());
    let backfill = Stored { purpose: Purpose::Backfill, ..Stored::new("s2", 5, &[]) };
    assert_eq!(run(&memory, &backfill).await, None);
    // Rows derived again from a scheduled snapshot.
    let stored = Stored::new("s3", 10, &[]);
    for batch in stored.store(&memory) {
        note(&memory, &batch);
        let again = RowBatch { purpose: Purpose::Backfill, ..batch };
        assert_eq!(evaluator(&memory).evaluate(&again).await.unwrap(), Outcome::NotConcerned);
    }
    assert_eq!((memory.get(&key), memory.published()), (state, published));
}

#[tokio::test]
async fn a_kind_that_could_not_be_listed_resolves_nothing_and_is_told() {
    let memory = memory();
    run(&memory, &Stored::new("s1", 0, &[("orders-api", 6)])).await.unwrap();
    let failed = Stored { deployments: None, ..Stored::new("s2", 5, &[]) };
    assert!(run(&memory, &failed).await.unwrap().gaps[0].contains("deployments: HTTP 403"));
    let both = Stored { deployments: None, autoscalers: None, ..Stored::new("s3", 10, &[]) };
    assert!(run(&memory, &both).await.is_some(), "a part of another kind triggers it");
    assert_eq!(told(&memory)[2..], [(Rule::EvaluationIncomplete, AlertState::Opened)]);
    run(&memory, &Stored::new("s4", 15, &[])).await.unwrap();
    assert!(told(&memory)[3..].iter().all(|(_, state)| *state == AlertState::Resolved));
    assert_eq!(told(&memory).len(), 6);
}

#[tokio::test]
async fn rejected_and_unreadable_objects_protect_who_may_be_meant() {
    for (name, rejected, unreadable, resolved) in [
        ("itself", vec!["payments/orders-api"], 0, 0),
        ("another", vec!["payments/refunds-api"], 0, 2),
        ("nobody knows", vec![""], 0, 0),
        ("no kind", vec![], 1, 0),
        ("nothing missing", vec![], 0, 2),
    ] {
        let memory = memory();
        run(&memory, &Stored::new("s1", 0, &[("orders-api", 6)])).await.unwrap();
        run(&memory, &Stored { rejected, unreadable, ..Stored::new("s2", 5, &[]) }).await.unwrap();
        let ended = told(&memory).iter().filter(|(_, state)| *state == AlertState::Resolved).count();
        assert_eq!(ended, resolved, "{name}");
    }
}

#[tokio::test]
async fn limits_that_cannot_be_read_are_an_outage_not_a_judgement() {
    let memory = memory();
    *memory.warehouse.is_away.lock().unwrap() = true;
    let batches = Stored::new("s1", 0, &[("orders-api", 6)]).store(&memory);
    batches.iter().for_each(|batch| note(&memory, batch));
    let error = evaluator(&memory).evaluate(&batches[1]).await.unwrap_err();
    assert!(matches!(error, HandleError::Outage(_)), "{error}");
    assert_eq!(memory.effects.made(), 0);
}

#[tokio::test]
async fn rows_that_are_not_as_noted_are_poison() {
    let memory = memory();
    let mut batches = Stored::new("s1", 0, &[("orders-api", 6)]).store(&memory);
    batches[1].row_count = 2;
    batches.iter().for_each(|batch| note(&memory, batch));
    let error = evaluator(&memory).evaluate(&batches[1]).await.unwrap_err();
    assert!(matches!(&error, HandleError::Poison(_)) && error.to_string().contains("the note says 2"), "{error}");
    let stray = RowBatch { snapshot_id: "other".into(), ..batches[1].clone() };
    assert!(matches!(evaluator(&memory).evaluate(&stray).await, Err(HandleError::Poison(_))));
    let nowhere = RowBatch { manifest: "../manifest.json".into(), ..batches[1].clone() };
    assert!(matches!(evaluator(&memory).evaluate(&nowhere).await, Err(HandleError::Poison(_))));
}

#[tokio::test]
async fn a_state_of_a_newer_version_stops_judging_without_losing_anything() {
    let memory = memory();
    let key = keys::evaluator_state(&"prod-uk".into());
    memory.put(&key, br#"{"format": 99}"#.to_vec());
    let batches = Stored::new("s1", 0, &[("orders-api", 6)]).store(&memory);
    batches.iter().for_each(|batch| note(&memory, batch));
    let error = evaluator(&memory).evaluate(&batches[1]).await.unwrap_err();
    assert!(matches!(&error, HandleError::Outage(_)) && error.to_string().contains("newer podledger"), "{error}");
    assert_eq!(memory.get(&key).unwrap(), br#"{"format": 99}"#.as_slice());
}

/// Two snapshots, the second of which resolves one episode and opens another.
async fn two_snapshots(memory: &Memory) {
    let first = Stored::new("s1", 0, &[("orders-api", 6)]);
    let second = Stored::new("s2", 5, &[("orders-api", 4), ("refunds-api", 7)]);
    for stored in [first, second] {
        for batch in stored.store(memory) {
            note(memory, &batch);
            // A failed delivery comes again, to a fresh process.
            let mut attempts = 0;
            while evaluator(memory).evaluate(&batch).await.is_err() {
                attempts += 1;
                assert!(attempts < 5, "it fails for good");
            }
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_effect_gives_the_same_violations() {
    let undisturbed = memory();
    two_snapshots(&undisturbed).await;
    let ids = |memory: &Memory| -> BTreeSet<String> {
        memory.published().iter().map(|violation| violation.event_id.to_string()).collect()
    };
    let key = keys::evaluator_state(&"prod-uk".into());
    assert_eq!(ids(&undisturbed).len(), 6);
    for nth in 1..=undisturbed.effects.made() {
        for fault in [Fault::Before, Fault::After] {
            let memory = memory();
            memory.effects.fail(nth, fault);
            two_snapshots(&memory).await;
            assert_eq!(ids(&memory), ids(&undisturbed), "effect {nth} {fault:?}");
            assert_eq!(memory.get(&key), undisturbed.get(&key), "effect {nth} {fault:?}");
        }
    }
}

#[tokio::test]
async fn two_evaluators_at_once_do_no_harm() {
    let memory = memory();
    let batches = Stored::new("s1", 0, &[("orders-api", 6)]).store(&memory);
    batches.iter().for_each(|batch| note(&memory, batch));
    let (one, other) = (evaluator(&memory), evaluator(&memory));
    let (first, second) = tokio::join!(one.evaluate(&batches[1]), other.evaluate(&batches[2]));
    first.unwrap();
    second.unwrap();
    let ids: BTreeSet<_> = memory.published().into_iter().map(|violation| violation.event_id).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn an_observer_sees_every_judged_snapshot() {
    let memory = memory();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let stage = stage_observed(&Config::default(), &memory.ports(), move |report: &Report<'_>| {
        sink.lock().unwrap().push((report.workloads[0].actual, report.summary.open[&Rule::OverLimit]));
    })
    .unwrap();
    let context = |id: &str| platform::ports::Incoming {
        message_id: id.to_owned(),
        payload: Vec::new(),
        attributes: BTreeMap::new(),
        ordering_key: None,
        published_at: minute(0),
        delivery_attempt: 1,
    };
    for batch in Stored::new("s1", 0, &[("orders-api", 6)]).store(&memory) {
        use schemas::Message as _;
        note(&memory, &batch);
        let encoded = batch.encode().unwrap();
        let incoming =
            platform::ports::Incoming { payload: encoded.bytes, attributes: encoded.attributes, ..context("m") };
        stage.consumers[0].handle.handle_incoming(&incoming).await.unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), [(6, 1)]);
}

#[test]
fn a_policy_file_that_cannot_be_used_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    std::fs::write(&path, "apiVersion: podledger/v1\nkind: Policy\ncoldstart: 1m\n").unwrap();
    let config = Config { policy: Some(path), ..Config::default() };
    let error = stage(&config, &memory().ports()).err().unwrap();
    assert!(format!("{error:#}").contains("did you mean \"coldStart\"?"), "{error:#}");
    let without_warehouse = Ports { warehouse: None, ..memory().ports() };
    assert!(stage(&Config::default(), &without_warehouse).is_err());
}
