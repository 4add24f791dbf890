//! Promises of `load`.

use schemas::{Condition, GkePods, Json, Table};
use serde_json::{Value, json};

use super::parts::{file, file_without, put, stored};
use super::questions::{column, rows_of};
use super::rows::{deployment, october, pod};
use super::{Fixture, rows};
use crate::ports::{LoadJob, LoadOutcome, Loaded, PortError, SnapshotPart, SnapshotRows};

/// A job that loads one snapshot of pods.
fn job(id: &str, snapshot: &str, revision: i64, parts: Vec<SnapshotPart>) -> LoadJob {
    let snapshots = vec![SnapshotRows { snapshot_id: snapshot.into(), revision, parts }];
    LoadJob { id: id.to_owned(), table: Table::GkePods, snapshots }
}

async fn load(fixture: &Fixture, job: &LoadJob) -> Result<LoadOutcome, PortError> {
    fixture.warehouse.load(job, fixture.objects.as_ref()).await
}

async fn pod_names(fixture: &Fixture) -> Vec<Value> {
    column(&rows_of(fixture, "gke_pods").await, "name")
}

/// Loads rows as one snapshot, for the tests of questions and views.
pub async fn load_rows<R: schemas::Row>(fixture: &Fixture, snapshot: &str, rows: &[R]) {
    let part = stored(fixture.objects.as_ref(), &format!("rows/{}/{snapshot}", R::TABLE), rows).await;
    let snapshots = vec![SnapshotRows { snapshot_id: snapshot.into(), revision: 0, parts: vec![part] }];
    let job = LoadJob { id: format!("{}-{snapshot}", R::TABLE), table: R::TABLE, snapshots };
    load(fixture, &job).await.unwrap();
}

/// A wrong count, a damaged file, a missing object: nothing of the job is there, also not what came
/// before it, and the job succeeds once the part is right.
pub async fn a_load_is_all_or_nothing(fixture: &Fixture) {
    let objects = fixture.objects.as_ref();
    let good = stored(objects, "good", &[pod("s1", "a"), pod("s1", "b")]).await;
    let bytes = file(&(0..100).map(|n| pod("s1", &format!("p{n}"))).collect::<Vec<_>>());
    let mut flipped = bytes.clone();
    let last = flipped.len() - 30;
    flipped[last] ^= 0xff;
    put(objects, "cut", bytes[..bytes.len() - 40].to_vec()).await;
    put(objects, "flipped", flipped).await;
    put(objects, "text", b"not avro".to_vec()).await;
    put(objects, "empty", Vec::new()).await;
    let counted_wrong = SnapshotPart { rows: 3, ..good.clone() };
    let others =
        ["cut", "flipped", "text", "empty", "missing"].map(|key| SnapshotPart { object: key.to_owned(), rows: 100 });
    for bad in std::iter::once(counted_wrong).chain(others) {
        let key = bad.object.clone();
        let error = load(fixture, &job("j", "s1", 0, vec![good.clone(), bad])).await.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
        assert!(error.to_string().contains(&key), "the error does not name the object: {error}");
        assert_eq!(pod_names(fixture).await, Vec::<Value>::new(), "after {key}");
    }
    assert_eq!(load(fixture, &job("j", "s1", 0, vec![good])).await.unwrap(), LoadOutcome::Loaded(Loaded { rows: 2 }));
    assert_eq!(pod_names(fixture).await, ["a", "b"]);
}

/// A redelivered job changes nothing.
pub async fn the_same_job_twice_loads_once(fixture: &Fixture) {
    let part = stored(fixture.objects.as_ref(), "p", &[pod("s1", "a")]).await;
    let job = job("j", "s1", 0, vec![part]);
    assert_eq!(load(fixture, &job).await.unwrap(), LoadOutcome::Loaded(Loaded { rows: 1 }));
    assert_eq!(load(fixture, &job).await.unwrap(), LoadOutcome::AlreadyLoaded);
    assert_eq!(pod_names(fixture).await, ["a"]);
}

/// Two jobs that share a snapshot, one after the other and at once.
pub async fn overlapping_jobs_load_each_snapshot_once(fixture: &Fixture) {
    let mut snapshots = Vec::new();
    for id in ["s1", "s2", "s3", "s4"] {
        let part =
            stored(fixture.objects.as_ref(), id, &[pod(id, &format!("{id}-a")), pod(id, &format!("{id}-b"))]).await;
        snapshots.push(SnapshotRows { snapshot_id: id.into(), revision: 0, parts: vec![part] });
    }
    let job = |id: &str, range: std::ops::Range<usize>| LoadJob {
        id: id.to_owned(),
        table: Table::GkePods,
        snapshots: snapshots[range].to_vec(),
    };
    assert_eq!(load(fixture, &job("one", 0..2)).await.unwrap(), LoadOutcome::Loaded(Loaded { rows: 4 }));
    assert_eq!(load(fixture, &job("two", 1..3)).await.unwrap(), LoadOutcome::Loaded(Loaded { rows: 2 }));
    let (three, four) = (job("three", 2..4), job("four", 0..4));
    let (three, four) = tokio::join!(load(fixture, &three), load(fixture, &four));
    let rows = [three.unwrap(), four.unwrap()].map(|outcome| match outcome {
        LoadOutcome::Loaded(loaded) => loaded.rows,
        LoadOutcome::AlreadyLoaded => 0,
    });
    assert_eq!(rows.iter().sum::<i64>(), 2, "the fourth snapshot is loaded by one of them");
    assert_eq!(pod_names(fixture).await, ["s1-a", "s1-b", "s2-a", "s2-b", "s3-a", "s3-b", "s4-a", "s4-b"]);
}

/// A backfill replaces; what it replaced cannot come back.
pub async fn a_higher_revision_replaces_and_a_lower_one_is_ignored(fixture: &Fixture) {
    let objects = fixture.objects.as_ref();
    let old = stored(objects, "r0", &[pod("s1", "a"), pod("s1", "b")]).await;
    let new = stored(objects, "r2", &[pod("s1", "a2")]).await;
    let other = stored(objects, "other", &[pod("s2", "z")]).await;
    load(fixture, &job("j0", "s1", 0, vec![old.clone()])).await.unwrap();
    load(fixture, &job("other", "s2", 0, vec![other])).await.unwrap();
    let replaced = load(fixture, &job("j2", "s1", 2, vec![new.clone()])).await.unwrap();
    assert_eq!(replaced, LoadOutcome::Loaded(Loaded { rows: 1 }));
    for (id, revision, part) in [("j0", 0, &old), ("j1", 1, &old), ("j2", 2, &new)] {
        let again = load(fixture, &job(id, "s1", revision, vec![part.clone()])).await.unwrap();
        assert_eq!(again, LoadOutcome::AlreadyLoaded, "revision {revision}");
    }
    assert_eq!(pod_names(fixture).await, ["a2", "z"], "the neighbour is untouched");
}

/// A part written before a column existed.
pub async fn a_part_of_a_past_version_loads_with_nulls(fixture: &Fixture) {
    let bytes = file_without(&[pod("s1", "a")], &["labels", "cpu_request_millicores", "uid"]);
    put(fixture.objects.as_ref(), "old", bytes).await;
    let part = SnapshotPart { object: "old".to_owned(), rows: 1 };
    load(fixture, &job("j", "s1", 0, vec![part])).await.unwrap();
    let answer = rows_of(fixture, "gke_pods").await;
    for name in ["labels", "cpu_request_millicores", "uid"] {
        assert_eq!(column(&answer, name), [Value::Null], "{name}");
    }
    assert_eq!(column(&answer, "owner_name"), ["orders-api-1"]);
}

/// Quotes, NUL, newlines, formulas, SQL: text is text; numbers keep their extremes.
pub async fn text_of_any_kind_comes_back_as_it_was(fixture: &Fixture) {
    let texts = [
        "plain",
        "",
        " ",
        "it's \"quoted\"",
        "line\nbreak\r\ttab",
        "nul\0inside",
        "=HYPERLINK(\"x\")",
        "@cluster ?1 :a $b",
        "'; DROP TABLE gke_pods; --",
        "日本語 🦀 e\u{301} \u{202e}",
        "\u{feff}\u{fffd}",
        "{\"json\":1}",
        "NULL",
        "1e999",
    ];
    let pods: Vec<GkePods> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| GkePods {
            name: format!("{n:02}"),
            phase: Some((*text).to_owned()),
            labels: Some(Json::of(&json!({ *text: text })).unwrap()),
            restart_count: if n % 2 == 0 { i64::MAX } else { i64::MIN },
            ..pod("s1", "x")
        })
        .collect();
    let part = stored(fixture.objects.as_ref(), "p", &pods).await;
    load(fixture, &job("j", "s1", 0, vec![part])).await.unwrap();
    let answer = rows_of(fixture, "gke_pods").await;
    assert_eq!(column(&answer, "phase"), texts);
    assert_eq!(column(&answer, "labels"), texts.map(|text| json!({ text: text })));
    assert_eq!(column(&answer, "restart_count")[..2], [json!(i64::MAX), json!(i64::MIN)]);

    let condition = Condition {
        r#type: "Available".to_owned(),
        status: Some("True".to_owned()),
        reason: None,
        message: Some("it's \0 fine".to_owned()),
        last_transition_time: Some(october(1, 2)),
    };
    let row = schemas::GkeDeployments { conditions: vec![condition], ..deployment("s1", october(1, 3), "orders", 2) };
    load_rows(fixture, "s1", &[row]).await;
    let conditions = &column(&rows_of(fixture, "gke_deployments").await, "conditions")[0];
    assert_eq!(
        *conditions,
        json!([{"type": "Available", "status": "True", "reason": null, "message": "it's \0 fine",
                "lastTransitionTime": "2026-10-01T02:00:00Z"}])
    );
}

/// A snapshot without objects of a kind, with and without a part.
pub async fn an_empty_snapshot_is_loaded_too(fixture: &Fixture) {
    let part = stored::<GkePods>(fixture.objects.as_ref(), "p", &[]).await;
    assert_eq!(load(fixture, &job("a", "s1", 0, vec![part])).await.unwrap(), LoadOutcome::Loaded(Loaded { rows: 0 }));
    assert_eq!(load(fixture, &job("b", "s2", 0, vec![])).await.unwrap(), LoadOutcome::Loaded(Loaded { rows: 0 }));
    assert_eq!(load(fixture, &job("b", "s2", 0, vec![])).await.unwrap(), LoadOutcome::AlreadyLoaded);
}

/// A part in the wrong place is refused before it can replace or double anything.
pub async fn a_row_of_another_snapshot_or_table_is_refused(fixture: &Fixture) {
    let objects = fixture.objects.as_ref();
    let foreign = stored(objects, "foreign", &[pod("s1", "a"), pod("s2", "b")]).await;
    let other_table = stored(objects, "other", &[deployment("s1", october(1, 0), "orders", 2)]).await;
    let newer = SnapshotPart { object: "no-required".to_owned(), rows: 1 };
    put(objects, "no-required", file_without(&[pod("s1", "a")], &["ready"])).await;
    for part in [foreign, other_table, newer] {
        let error = load(fixture, &job("j", "s1", 0, vec![part])).await.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
    }
    let upserted = LoadJob { table: Table::AlertLog, ..job("j", "s1", 0, vec![]) };
    assert!(matches!(load(fixture, &upserted).await.unwrap_err(), PortError::NeverWill { .. }));
    assert_eq!(pod_names(fixture).await, Vec::<Value>::new());
    load_rows(fixture, "s1", &[rows::pod("s1", "a")]).await;
}
