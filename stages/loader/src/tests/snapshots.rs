use futures::future::join_all;
use platform::ports::Objects as _;
use platform::runtime::HandleError;
use platform::testkit::memory::Effects;
use schemas::{SnapshotId, Table};
use serde_json::json;

use super::world::{Snapshot, World};

fn ids(ids: &[&str]) -> Vec<SnapshotId> {
    ids.iter().map(|id| SnapshotId::from(*id)).collect()
}

impl World {
    /// Snapshots in the order of their ids, with the number of their loaded rows.
    fn loaded(&self) -> Vec<(SnapshotId, usize)> {
        self.tables().loaded.into_iter().map(|((_, snapshot), (_, rows))| (snapshot, rows.len())).collect()
    }
}

#[tokio::test]
async fn a_kind_is_loaded_when_all_its_parts_are_rows_and_not_before() {
    let world = World::default();
    let snapshot = Snapshot::stored(&world, "s-1", &[(3, 0), (2, 1), (0, 0)]);
    let process = world.process();
    for part in [2, 0] {
        process.handle(&snapshot.normalize(&world, part)).await.unwrap();
        assert_eq!(world.tables(), Default::default(), "after part {part}");
    }
    process.handle(&snapshot.normalize(&world, 1)).await.unwrap();
    assert_eq!(world.loaded(), [("s-1".into(), 5)]);
    assert_eq!(world.tables().rejected.into_keys().collect::<Vec<_>>(), [("s-1".into(), "pods".to_owned(), 1)]);
    let of = |stage| world.ledger(stage).into_iter().map(|row| (row["kind"].clone(), row["outcome"].clone()));
    assert_eq!(of("normalizer").chain(of("loader")).collect::<Vec<_>>(), vec![(json!("pods"), json!("done")); 2]);
}

#[tokio::test]
async fn a_part_whose_rows_were_deleted_before_they_were_loaded_is_told_and_not_forgotten() {
    let world = World::default();
    let snapshot = Snapshot::stored(&world, "s-1", &[(3, 0), (2, 1)]);
    let batch = snapshot.normalize(&world, 0);
    world.process().handle(&batch).await.unwrap(); // the other part is still coming
    let note = snapshot.keys.done_part(0, "pods", 0);
    assert!(world.store.get(&note).is_some());
    world.store.delete(&note).await.unwrap();
    let outcome = world.process().handle(&batch).await;
    let Err(HandleError::Poison(reason)) = outcome else { panic!("{outcome:?}") };
    assert!(reason.to_string().contains(&note), "{reason}");
}

#[tokio::test]
async fn the_ledger_adds_up_and_tells_of_kinds_that_have_no_parts() {
    let world = World::default();
    for batch in Snapshot::stored(&world, "s-1", &[(3, 0), (2, 1)]).normalized(&world) {
        world.process().handle(&batch).await.unwrap();
    }
    let counts = |stage: &str, kind: &str| {
        let rows = world.ledger(stage);
        let row = rows.iter().find(|row| row["kind"] == kind).unwrap();
        ["parts", "objects", "rows", "rejects"].map(|column| row[column].as_i64().unwrap())
    };
    assert_eq!(counts("snapshotter", "pods"), [2, 6, 0, 0]);
    assert_eq!(counts("normalizer", "pods"), [2, 6, 5, 1]);
    assert_eq!(counts("loader", "pods"), [2, 5, 5, 0]);
    assert_eq!(counts("snapshotter", "nodes"), [0, 0, 0, 0]);
    let nodes = world.ledger("snapshotter").into_iter().find(|row| row["kind"] == "nodes").unwrap();
    assert_eq!(nodes["outcome"], "incomplete");
}

#[tokio::test]
async fn redelivered_parts_change_nothing_and_find_their_plan() {
    let world = World::default();
    let batches = Snapshot::stored(&world, "s-1", &[(1, 1), (1, 0)]).normalized(&world);
    world.process().handle(&batches[0]).await.unwrap();
    let (tables, objects) = (world.tables(), world.store.all());
    for batch in batches.iter().chain(&batches) {
        world.process().handle(batch).await.unwrap();
    }
    assert_eq!(world.tables(), tables);
    assert_eq!(world.store.all(), objects);
    assert_eq!(world.rows.asked.lock().unwrap().jobs.len(), 1);
}

#[tokio::test]
async fn a_crash_between_any_two_effects_changes_nothing_in_the_end() {
    let stored = || {
        let world = World::default();
        let batches = Snapshot::stored(&world, "s-1", &[(2, 1), (1, 1)]).normalized(&world);
        (world, batches)
    };
    let (undisturbed, batches) = stored();
    undisturbed.process().handle(&batches[0]).await.unwrap();
    let mut crashes = 0;
    for after in [false, true] {
        for effect in 1.. {
            let (world, batches) = stored();
            let crash = Effects::crash_at(effect, after);
            let crashed = world.process_that(&crash, "0").handle(&batches[0]).await;
            if !crash.has_crashed() {
                break;
            }
            assert!(matches!(crashed, Err(HandleError::Outage(_))), "{crashed:?}");
            crashes += 1;
            world.process().handle(&batches[0]).await.unwrap();
            assert_eq!(world.tables(), undisturbed.tables(), "effect {effect}, after {after}");
        }
    }
    // Two parts of rejects, the plan, the claim, the load, the ledger, each before and after.
    assert_eq!(crashes, 2 * 6);
}

#[tokio::test(start_paused = true)]
async fn snapshots_that_come_within_the_interval_share_a_job() {
    let world = World::default();
    let batches: Vec<_> = ["s-1", "s-2", "s-3"]
        .iter()
        .flat_map(|id| Snapshot::stored(&world, id, &[(1, 0), (2, 0)]).normalized(&world))
        .collect();
    let process = world.process_that(&Effects::sound(), "60s");
    let mut handled = Box::pin(join_all(batches.iter().map(|batch| process.handle(batch))));
    let early = tokio::time::timeout(std::time::Duration::from_secs(59), handled.as_mut()).await;
    assert!(early.is_err(), "a handler returned before its rows were loaded");
    assert_eq!(world.tables(), Default::default());
    assert!(handled.await.iter().all(Result::is_ok));
    let jobs: Vec<Vec<_>> =
        world.rows.asked.lock().unwrap().jobs.values().map(|of| of.iter().cloned().collect()).collect();
    assert_eq!(jobs, [ids(&["s-1", "s-2", "s-3"])]);
    assert_eq!(world.loaded().iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [3, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_within_a_shared_load_leaves_each_snapshot_to_one_job() {
    let all = ["s-1", "s-2", "s-3"];
    for after in [false, true] {
        for effect in 1.. {
            let world = World::default();
            let batches: Vec<_> =
                all.iter().flat_map(|id| Snapshot::stored(&world, id, &[(1, 0)]).normalized(&world)).collect();
            let crash = Effects::crash_at(effect, after);
            let dying = world.process_that(&crash, "60s");
            join_all(batches.iter().map(|batch| dying.handle(batch))).await;
            if !crash.has_crashed() {
                break;
            }
            // They come back one by one, to different processes, in another order.
            for batch in batches.iter().rev() {
                world.process_that(&Effects::sound(), "60s").handle(batch).await.unwrap();
            }
            assert_eq!(world.loaded(), all.map(|id| (id.into(), 1)), "effect {effect}, after {after}");
            let asked = world.rows.asked.lock().unwrap();
            let mut loaded: Vec<_> = asked.jobs.values().flatten().cloned().collect();
            loaded.sort();
            assert_eq!(loaded, ids(&all), "effect {effect}, after {after}: {:?}", asked.jobs);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_loaders_load_each_snapshot_once() {
    for _ in 0..50 {
        let world = World::default();
        let of = |id| Snapshot::stored(&world, id, &[(1, 1), (1, 0)]).normalized(&world);
        let (one, two, three) = (of("s-1"), of("s-2"), of("s-3"));
        let (left, right) = (world.process(), world.process());
        // Their proposals overlap in s-2.
        let left = join_all(one.iter().chain(&two).map(|batch| left.handle(batch)));
        let right = join_all(two.iter().chain(&three).map(|batch| right.handle(batch)));
        let (left, right) = futures::future::join(left, right).await;
        assert!(left.iter().chain(&right).all(Result::is_ok));
        assert_eq!(world.loaded().iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [2, 2, 2]);
        let asked = world.rows.asked.lock().unwrap();
        assert_eq!(asked.jobs.values().map(|of| of.len()).sum::<usize>(), 3, "{:?}", asked.jobs);
    }
}

#[tokio::test(start_paused = true)]
async fn one_bad_snapshot_of_a_shared_job_harms_no_other() {
    let world = World::default();
    let mut batches = Vec::new();
    for id in ["s-1", "s-2", "s-3"] {
        batches.extend(Snapshot::stored(&world, id, &[(2, 0)]).normalized(&world));
    }
    // Its file holds other rows than were counted.
    let swapped = world.store.get(&batches[0].object).unwrap();
    let mut bad = Snapshot::stored(&world, "s-2", &[(1, 0)]);
    batches[1] = bad.normalized(&world).remove(0);
    bad.batches.clear();
    world.put(&batches[1].object, swapped);
    let process = world.process_that(&Effects::sound(), "60s");
    let outcomes = join_all(batches.iter().map(|batch| process.handle(batch))).await;
    assert!(matches!(outcomes.as_slice(), [Ok(()), Err(HandleError::Poison(_)), Ok(())]), "{outcomes:?}");
    assert_eq!(world.loaded(), [("s-1".into(), 2), ("s-3".into(), 2)]);
}

#[tokio::test]
async fn a_kind_with_a_known_gap_is_loaded_and_the_ledger_says_it_is_not_all() {
    let world = World::default();
    let gap = Some("pods.json ends within an object");
    let snapshot = Snapshot::stored_as(&world, "s-1", &[(2, 0)], 0, Some(Table::GkePodUsage), gap);
    world.process().handle(&snapshot.normalized(&world)[0]).await.unwrap();
    assert_eq!(world.loaded(), [("s-1".into(), 2)]);
    for stage in ["snapshotter", "loader"] {
        assert!(world.ledger(stage).iter().all(|row| row["outcome"] == "incomplete"), "{stage}");
    }
}

#[tokio::test]
async fn a_kind_without_a_table_has_rejects_and_ledger_only() {
    let world = World::default();
    let snapshot = Snapshot::stored_as(&world, "s-1", &[(0, 2)], 0, None, None);
    world.process().handle(&snapshot.normalized(&world)[0]).await.unwrap();
    assert_eq!((world.loaded(), world.ledger("loader")), (Vec::new(), Vec::new()));
    assert_eq!(world.tables().rejected.values().map(Vec::len).collect::<Vec<_>>(), [2]);
    assert_eq!(world.ledger("normalizer")[0]["rejects"], 2);
}

#[tokio::test]
async fn a_higher_revision_replaces_rows_rejects_and_ledger_and_is_not_replaced_by_a_lower_one() {
    let world = World::default();
    let revision = |revision, part| {
        Snapshot::stored_as(&world, "s-1", &[part], revision, Some(Table::GkePodUsage), None)
            .normalized(&world)
            .remove(0)
    };
    let first = revision(0, (1, 2));
    world.process().handle(&first).await.unwrap();
    world.process().handle(&revision(1, (3, 0))).await.unwrap();
    let after = world.tables();
    assert_eq!(world.loaded(), [("s-1".into(), 3)]);
    assert_eq!(after.rejected.values().map(Vec::len).collect::<Vec<_>>(), [0]);
    let ledger = |stage| world.ledger(stage).iter().map(|row| (row["rows"].clone(), row["rejects"].clone())).collect();
    let (normalizer, loader): (Vec<_>, Vec<_>) = (ledger("normalizer"), ledger("loader"));
    assert_eq!((normalizer, loader), (vec![(json!(3), json!(0))], vec![(json!(3), json!(0))]));
    world.process().handle(&first).await.unwrap();
    assert_eq!(world.tables(), after);
}

#[tokio::test]
async fn what_does_not_fit_its_snapshot_is_poison_and_writes_nothing() {
    let world = World::default();
    let batch = Snapshot::stored(&world, "s-1", &[(1, 2)]).normalized(&world).remove(0);
    let mut wrong = vec![
        ("of another snapshot", schemas::RowBatch { snapshot_id: "s-2".into(), ..batch.clone() }),
        ("of another cluster", schemas::RowBatch { cluster: "test".into(), ..batch.clone() }),
        ("no key of a snapshot", schemas::RowBatch { manifest: "../manifest.json".to_owned(), ..batch.clone() }),
        ("no such kind", schemas::RowBatch { kind: "pod".to_owned(), ..batch.clone() }),
        ("no such table", schemas::RowBatch { table: "gke_pod".to_owned(), ..batch.clone() }),
        ("a table of events", schemas::RowBatch { table: "alert_log".to_owned(), ..batch.clone() }),
        ("no such part", schemas::RowBatch { part: 1, ..batch.clone() }),
        ("other parts", schemas::RowBatch { parts: 2, ..batch.clone() }),
        ("before the first revision", schemas::RowBatch { revision: -1, ..batch.clone() }),
        ("another table than its note", schemas::RowBatch { table: "gke_pods".to_owned(), ..batch.clone() }),
    ];
    let manifest = schemas::RowBatch {
        snapshot_id: "s-9".into(),
        manifest: batch.manifest.replace("s-1", "s-9"),
        ..batch.clone()
    };
    wrong.push(("no manifest", manifest));
    for (name, batch) in wrong {
        let outcome = world.process().handle(&batch).await;
        assert!(matches!(outcome, Err(HandleError::Poison(_))), "{name}: {outcome:?}");
        assert_eq!(world.tables(), Default::default(), "{name}");
    }
    // Fewer lines than were counted.
    world.put(&batch.reject_object, "");
    let outcome = world.process().handle(&batch).await.unwrap_err().to_string();
    assert!(outcome.contains("0 lines, 2 were counted"), "{outcome}");
}
