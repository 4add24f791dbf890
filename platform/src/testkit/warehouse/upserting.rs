//! Promises of `upsert` and `put_rejects`.

use schemas::{AlertState, PipelineLedger, Table};
use serde_json::Value;

use super::Fixture;
use super::parts::{file, file_without};
use super::questions::{column, rows_of};
use super::rows::{change, ledger, notification, october, reject, violation};
use crate::ports::PortError;

/// Upserts rows as one batch.
pub async fn upsert<R: schemas::Row>(fixture: &Fixture, rows: &[R]) {
    fixture.warehouse.upsert(R::TABLE, file(rows)).await.unwrap();
}

/// A redelivered event, and one that is twice in a batch.
pub async fn the_same_row_twice_is_one_row(fixture: &Fixture) {
    let event = change("e1", october(1, 0), 6);
    upsert(fixture, &[event.clone(), event.clone()]).await;
    upsert(fixture, &[event, change("e2", october(2, 0), 3)]).await;
    assert_eq!(column(&rows_of(fixture, "replica_changes").await, "event_id"), ["e1", "e2"]);
}

/// Versions of one row, in every order, once and twice: the newest stays, and of equally new ones
/// always the same.
pub async fn the_order_of_upserts_does_not_matter(make: &impl AsyncFn() -> Fixture) {
    let first = ledger("loader", "u1", 5, 5, 0);
    let versions = [
        PipelineLedger { outcome: "incomplete".to_owned(), ..first.clone() },
        PipelineLedger { finished_at: october(1, 2), ..first.clone() },
        PipelineLedger { finished_at: october(1, 2), rows: 4, table: None, ..first.clone() },
    ];
    let orders: [&[usize]; 7] =
        [&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0], &[2, 2, 1, 0, 1, 0]];
    let mut answers = Vec::new();
    for order in orders {
        let fixture = make().await;
        for index in order {
            upsert(&fixture, &versions[*index..=*index]).await;
        }
        answers.push(rows_of(&fixture, "pipeline_ledger").await);
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
        assert_eq!(column(answer, "finished_at"), ["2026-10-01T02:00:00Z"], "the newest version stays");
    }
}

/// A batch with something wrong in it leaves nothing.
pub async fn a_batch_of_upserts_is_all_or_nothing(fixture: &Fixture) {
    let bytes = file(&[change("e1", october(1, 0), 6), change("e2", october(1, 0), 6)]);
    let cut = bytes[..bytes.len() - 3].to_vec();
    let missing = file_without(&[change("e1", october(1, 0), 6)], &["actor"]);
    for bad in [cut, missing, b"rows".to_vec(), file(&[ledger("loader", "u", 1, 1, 0)])] {
        let error = fixture.warehouse.upsert(Table::ReplicaChanges, bad).await.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
    }
    assert_eq!(rows_of(fixture, "replica_changes").await.rows, Vec::<Vec<Value>>::new());
    let error = fixture.warehouse.upsert(Table::GkePods, file::<schemas::GkePods>(&[])).await.unwrap_err();
    assert!(matches!(error, PortError::NeverWill { .. }), "a table without a key: {error}");
    let opened = violation("v1", "e1", october(1, 0), AlertState::Opened);
    upsert(fixture, &[notification("n1", &opened.event_id, "sent", october(1, 0))]).await;
    assert_eq!(column(&rows_of(fixture, "notification_log").await, "outcome"), ["sent"]);
}

/// The rejects of a part are its own: putting them again replaces them, and only them.
pub async fn rejects_are_replaced_by_part(fixture: &Fixture) {
    let put = async |snapshot: &str, kind: &str, part: i64, rows: Vec<_>| {
        fixture.warehouse.put_rejects(&snapshot.into(), kind, part, file(&rows)).await.unwrap();
    };
    put("s1", "pods", 0, vec![reject("s1", 0, "a"), reject("s1", 1, "b")]).await;
    put("s1", "pods", 1, vec![reject("s1", 0, "c")]).await;
    put("s2", "pods", 0, vec![reject("s2", 0, "d")]).await;
    put("s1", "pods", 0, vec![reject("s1", 0, "a"), reject("s1", 1, "b")]).await;
    let all = column(&rows_of(fixture, "rejected_rows").await, "reason");
    assert_eq!(all, ["a", "c", "b", "d"], "by snapshot, then by line");
    put("s1", "pods", 0, vec![reject("s1", 7, "e")]).await;
    put("s2", "pods", 0, vec![]).await;
    assert_eq!(column(&rows_of(fixture, "rejected_rows").await, "reason"), ["c", "e"]);
}
