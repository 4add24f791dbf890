//! Promises of `ask` and `prepare`.

use schemas::{AlertState, Notification, PipelineLedger, Violation};
use serde_json::{Value, json};

use super::Fixture;
use super::loading::load_rows;
use super::parts::file;
use super::rows::{ledger, notification, october, pod, prod, reject, violation};
use super::upserting::upsert;
use crate::ports::{Answer, PortError, Question};

/// Rows enough for any test.
const PLENTY: u64 = 10_000;

/// Asks.
pub async fn ask(fixture: &Fixture, question: Question) -> Answer {
    fixture.warehouse.ask(&question).await.unwrap()
}

/// All rows of a table or view.
pub async fn rows_of(fixture: &Fixture, name: &str) -> Answer {
    ask(fixture, Question::Rows { name: name.to_owned(), limit: PLENTY }).await
}

/// One column of an answer.
pub fn column(answer: &Answer, name: &str) -> Vec<Value> {
    let position =
        answer.columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"));
    answer.rows.iter().map(|row| row[position].clone()).collect()
}

/// The rows of an answer as text, with the columns named; for tests of views.
pub fn table(answer: &Answer, columns: &[&str]) -> Vec<String> {
    let picked: Vec<Vec<Value>> = columns.iter().map(|name| column(answer, name)).collect();
    (0..answer.rows.len())
        .map(|row| {
            let cells = picked.iter().map(|values| match &values[row] {
                Value::String(text) => text.clone(),
                Value::Null => "-".to_owned(),
                other => other.to_string(),
            });
            cells.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Columns in the schema's order, numbers as numbers, truth as truth, times as RFC 3339.
pub async fn rows_of_a_table_come_typed_and_ordered(fixture: &Fixture) {
    load_rows(fixture, "s1", &[pod("s1", "b"), pod("s1", "a"), pod("s1", "c")]).await;
    let answer = ask(fixture, Question::Rows { name: "gke_pods".to_owned(), limit: 2 }).await;
    assert_eq!(column(&answer, "name"), ["a", "b"], "ordered by all columns, two at most");
    assert_eq!(answer.columns[..4], ["cluster", "snapshot_id", "observed_at", "namespace"]);
    assert!(!answer.columns.iter().any(|name| name.starts_with("podledger")), "bookkeeping is not shown");
    assert_eq!(column(&answer, "observed_at")[0], "2026-10-01T00:00:00Z");
    assert_eq!(column(&answer, "ready")[0], true);
    assert_eq!(column(&answer, "restart_count")[0], 0);
    assert_eq!(column(&answer, "labels")[0], json!({"app": "orders"}));
    assert_eq!(column(&answer, "node_name")[0], Value::Null);
}

/// A name is looked up, never pasted.
pub async fn unknown_tables_are_refused(fixture: &Fixture) {
    for name in
        ["", "pods", "gke_pods; DROP TABLE gke_pods", "sqlite_schema", "GKE_PODS", "podledger_loads", "\"gke_pods\""]
    {
        let error = fixture.warehouse.ask(&Question::Rows { name: name.to_owned(), limit: 1 }).await.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
        assert!(error.to_string().contains("gke_pods, "), "the known names are told: {error}");
    }
}

/// One row per episode; filters by state, cluster and time.
pub async fn episodes_show_their_newest_transition(fixture: &Fixture) {
    let other = Violation { cluster: "other".into(), ..violation("v5", "e3", october(4, 0), AlertState::Opened) };
    upsert(
        fixture,
        &[
            violation("v3", "e1", october(3, 0), AlertState::Resolved),
            violation("v1", "e1", october(1, 0), AlertState::Opened),
            violation("v9", "e1", october(3, 0), AlertState::Worsened),
            violation("v2", "e2", october(2, 0), AlertState::Opened),
            violation("v4", "e2", october(3, 0), AlertState::Worsened),
            other,
        ],
    )
    .await;
    let events = async |open_only, cluster, since| {
        column(&ask(fixture, Question::Episodes { open_only, cluster, since }).await, "event_id")
    };
    // Of the two of October 3, resolved is the newer whatever the ids.
    assert_eq!(events(false, None, None).await, ["v3", "v4", "v5"]);
    assert_eq!(events(true, None, None).await, ["v4", "v5"]);
    assert_eq!(events(true, Some(prod()), None).await, ["v4"]);
    assert_eq!(events(false, None, Some(october(4, 0))).await, ["v5"]);
    assert_eq!(events(false, None, Some(october(3, 0))).await, ["v3", "v4", "v5"]);
}

/// Notifications about the transitions of one snapshot, and of no other.
pub async fn notifications_of_one_snapshot_are_found(fixture: &Fixture) {
    let elsewhere =
        Violation { snapshot_id: Some("s2".into()), ..violation("v3", "e2", october(1, 0), AlertState::Opened) };
    let first = violation("v1", "e1", october(1, 0), AlertState::Opened);
    upsert(fixture, &[violation("v2", "e1", october(2, 0), AlertState::Worsened), first.clone(), elsewhere.clone()])
        .await;
    let notes: [Notification; 2] = [
        notification("n1", &first.event_id, "sent", october(1, 0)),
        notification("n2", &elsewhere.event_id, "refused", october(1, 0)),
    ];
    upsert(fixture, &notes).await;
    let sent = ask(fixture, Question::SnapshotNotifications { snapshot_id: "s1".into() }).await;
    assert_eq!(table(&sent, &["notification_id", "outcome"]), ["n1 sent"]);
}

/// Listed = rows + rejects = loaded, or it says that it is not so.
pub async fn conservation_says_what_does_not_add_up(fixture: &Fixture) {
    let wanted = [
        "kind",
        "listed",
        "mapped",
        "mapped_rows",
        "mapped_rejects",
        "loaded_rows",
        "table_rows",
        "table_rejects",
        "balanced",
        "complete",
    ];
    let proof = async || {
        let question = Question::Conservation { from: october(1, 0), to: october(2, 0) };
        table(&ask(fixture, question).await, &wanted)
    };
    // Three pods listed; two parts map to two rows and one reject.
    upsert(
        fixture,
        &[
            ledger("snapshotter", "s", 3, 0, 0),
            ledger("normalizer", "p0", 2, 1, 1),
            ledger("normalizer", "p1", 1, 1, 0),
        ],
    )
    .await;
    assert_eq!(proof().await, ["pods 3 3 2 1 - 0 0 false true"], "nothing is loaded yet");
    load_rows(fixture, "s1", &[pod("s1", "a"), pod("s1", "b")]).await;
    upsert(fixture, &[ledger("loader", "l", 3, 2, 1)]).await;
    assert_eq!(proof().await, ["pods 3 3 2 1 2 2 0 false true"], "the reject is missing");
    fixture.warehouse.put_rejects(&"s1".into(), "pods", 0, file(&[reject("s1", 0, "x")])).await.unwrap();
    assert_eq!(proof().await, ["pods 3 3 2 1 2 2 1 true true"]);
    let failed =
        PipelineLedger { outcome: "failed".to_owned(), finished_at: october(1, 2), ..ledger("loader", "l", 3, 2, 1) };
    upsert(fixture, &[failed]).await;
    assert_eq!(proof().await, ["pods 3 3 2 1 2 2 1 true false"], "what adds up of a list that was not whole");
    let outside = Question::Conservation { from: october(2, 0), to: october(3, 0) };
    assert_eq!(ask(fixture, outside).await.rows.len(), 0);
}

/// Preparing what is prepared changes nothing, and another process sees what was written.
pub async fn preparing_twice_and_opening_again_lose_nothing(fixture: &Fixture) {
    load_rows(fixture, "s1", &[pod("s1", "a")]).await;
    fixture.warehouse.ping().await.unwrap();
    let before = rows_of(fixture, "gke_pods").await;
    fixture.warehouse.prepare().await.unwrap();
    assert_eq!(rows_of(fixture, "gke_pods").await, before);
    let again = (fixture.reopen)().await;
    again.prepare().await.unwrap();
    let question = Question::Rows { name: "gke_pods".to_owned(), limit: PLENTY };
    assert_eq!(again.ask(&question).await.unwrap(), before);
    let event = super::rows::change("e1", october(1, 0), 6);
    again.upsert(schemas::Table::ReplicaChanges, file(&[event])).await.unwrap();
    assert_eq!(rows_of(fixture, "replica_changes").await.rows.len(), 1, "the first sees what the second wrote");
}
