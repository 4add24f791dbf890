use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join, join_all};
use platform::layers::{FaultyWarehouse, Points, RetryPolicy, RetryWarehouse, TimeoutWarehouse, Timeouts};
use platform::ports::{LoadJob, Warehouse};
use platform::runtime::HandleError;
use platform::testkit::memory::Effects;
use schemas::keys::{load_claim, load_entry, load_plan};
use schemas::{RowBatch, SnapshotId, Table};
use tokio::time::Instant;

use super::day::asking_for_a_minute;
use super::world::{Snapshot, World, at};
use crate::slot::{Interval, load_interval};

const TABLE: Table = Table::GkePodUsage;
const MINUTE: Duration = Duration::from_secs(60);
/// A minute and what a slot closes later.
const CLOSED: Duration = Duration::from_secs(62);

fn plan_of_the_first_slot() -> String {
    Interval::new(MINUTE).unwrap().first_slot(at(), at()).plan_id(TABLE)
}

fn never() -> Arc<Effects> {
    Effects::sound()
}

impl World {
    /// One message of a snapshot that is all there.
    fn complete(&self, id: &str) -> RowBatch {
        Snapshot::stored(self, id, &[(1, 0)]).normalized(self).remove(0)
    }

    /// What each job loaded.
    fn jobs(&self) -> Vec<Vec<String>> {
        let asked = self.rows.asked.lock().unwrap();
        let ids = |of: &BTreeSet<SnapshotId>| of.iter().map(|id| id.as_str().to_owned()).collect();
        let mut jobs: Vec<Vec<String>> = asked.jobs.values().map(ids).collect();
        jobs.sort();
        jobs
    }
}

#[tokio::test(start_paused = true)]
async fn replicas_that_know_nothing_of_each_other_share_the_job_of_a_slot() {
    let world = World::default();
    let (one, two) = (world.complete("s-1"), world.complete("s-2"));
    let (left, right) = (world.process_that(&never(), "60s"), world.process_that(&never(), "60s"));
    let (left, right) = join(left.handle(&one), right.handle(&two)).await;
    assert!(left.is_ok() && right.is_ok());
    assert_eq!(world.jobs(), [["s-1", "s-2"]]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_late_for_its_slot_is_loaded_with_the_next() {
    let world = World::default();
    world.process_that(&never(), "60s").handle(&world.complete("s-1")).await.unwrap();
    let (began, process) = (Instant::now(), world.process_that(&never(), "60s"));
    let late = [world.complete("s-2"), world.complete("s-3")];
    let outcomes = join_all(late.iter().map(|batch| process.handle(batch))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(began.elapsed() <= CLOSED, "{:?}", began.elapsed());
    assert_eq!(world.jobs(), [vec!["s-1"], vec!["s-2", "s-3"]]);
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_processes_died_is_loaded_at_once_and_whole_by_who_gets_one_of_its_messages() {
    let world = World::default();
    let batches = ["s-1", "s-2", "s-3"].map(|id| world.complete(id));
    // Each has its entry; the plan is the fourth effect.
    let crash = Effects::crash_at(4, false);
    let dying = world.process_that(&crash, "60s");
    join_all(batches.iter().map(|batch| dying.handle(batch))).await;
    assert!(crash.has_crashed());
    assert_eq!(world.jobs(), Vec::<Vec<String>>::new());
    let began = Instant::now();
    let later = world.process_at(at().plus(Duration::from_secs(100)), &never(), "60s");
    later.handle(&batches[1]).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(world.jobs(), [["s-1", "s-2", "s-3"]]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_loaded_waits_for_no_slot() {
    let world = World::default();
    let batch = world.complete("s-1");
    world.process_that(&never(), "60s").handle(&batch).await.unwrap();
    let began = Instant::now();
    world.process_that(&never(), "60s").handle(&batch).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(world.jobs(), [["s-1"]]);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_or_is_of_another_is_left_out_and_harms_nobody() {
    let world = World::default();
    let plan = plan_of_the_first_slot();
    let of_another = serde_json::json!({"snapshot_id": "s-9", "revision": 0, "parts": []});
    for (id, entry) in [("s-0", "{".to_owned()), ("s-8", of_another.to_string())] {
        world.put(&load_entry(TABLE, &plan, &id.into(), 0), entry);
    }
    world.process_that(&never(), "60s").handle(&world.complete("s-1")).await.unwrap();
    assert_eq!(world.jobs(), [["s-1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_holds_so_many_snapshots_and_parts_and_who_finds_no_place_takes_the_next() {
    let parts = |count: usize| vec![serde_json::json!({"object": "rows/none", "rows": 0}); count];
    for (entries, parts, planned) in [(1_000, parts(1), 1_000), (1_001, parts(0), 1_000), (2, parts(10_001), 1)] {
        let (world, plan) = (World::default(), plan_of_the_first_slot());
        for number in 0..entries {
            // In the listing they stand before the snapshot that is handled.
            let id = SnapshotId::from(format!("e-{number:04}").as_str());
            let entry = serde_json::json!({"snapshot_id": id, "revision": 0, "parts": parts});
            world.put(&load_entry(TABLE, &plan, &id, 0), entry.to_string());
        }
        world.process_that(&never(), "60s").handle(&world.complete("s-1")).await.unwrap();
        let made = world.store.get(&load_plan(TABLE, &plan)).unwrap();
        let made: LoadJob = serde_json::from_slice(&made).unwrap();
        assert_eq!(made.snapshots.len(), planned, "of {entries} entries");
        assert_eq!(world.jobs(), [["s-1"]]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_cannot_be_read_is_poison_for_its_own_snapshot_only() {
    let world = World::default();
    let batches = ["s-1", "s-2", "s-3"].map(|id| world.complete(id));
    let process = world.process_that(&never(), "60s");
    let spoilt = async {
        tokio::time::sleep(MINUTE / 2).await;
        world.put(&load_claim(TABLE, &"s-2".into(), 0), "no plan");
    };
    let (outcomes, ()) = join(join_all(batches.iter().map(|batch| process.handle(batch))), spoilt).await;
    assert!(matches!(outcomes.as_slice(), [Ok(()), Err(HandleError::Poison(_)), Ok(())]), "{outcomes:?}");
    assert_eq!(world.jobs(), [["s-1", "s-3"]]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_effect_leaves_each_snapshot_of_two_replicas_to_one_job() {
    let mut crashes = 0;
    for after in [false, true] {
        for effect in 1.. {
            let world = World::default();
            let batches = ["s-1", "s-2", "s-3", "s-4"].map(|id| world.complete(id));
            let crash = Effects::crash_at(effect, after);
            let (dying, living) = (world.process_that(&crash, "60s"), world.process_that(&never(), "60s"));
            let dying = join_all(batches[..2].iter().map(|batch| dying.handle(batch)));
            let living = join_all(batches[2..].iter().map(|batch| living.handle(batch)));
            let (_, outcomes) = join(dying, living).await;
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            for batch in batches.iter().rev() {
                world.process_at(at().plus(2 * MINUTE), &never(), "60s").handle(batch).await.unwrap();
            }
            let mut loaded = world.jobs().concat();
            loaded.sort();
            assert_eq!(loaded, ["s-1", "s-2", "s-3", "s-4"], "effect {effect}, after {after}: {:?}", world.jobs());
            if !crash.has_crashed() {
                break;
            }
            crashes += 1;
        }
    }
    // Two entries, the plan, four claims, the load, the ledger: each before and after, at least.
    assert!(crashes >= 2 * 9, "{crashes}");
}

#[test]
fn the_interval_is_the_warehouses_unless_it_is_set() {
    let world = World::default();
    assert_eq!(load_interval(None, &*world.rows), Duration::ZERO);
    let asking = asking_for_a_minute();
    assert_eq!(load_interval(None, &*asking), MINUTE);
    for set in [Duration::ZERO, MINUTE, 2 * MINUTE] {
        assert_eq!(load_interval(Some(set), &*asking), set);
    }
}

#[test]
fn what_the_warehouse_asks_for_comes_through_every_layer() {
    let faulty = Arc::new(FaultyWarehouse::new(asking_for_a_minute(), Points::off()));
    let timed = Arc::new(TimeoutWarehouse::new(faulty, Timeouts::default()));
    assert_eq!(RetryWarehouse::new(timed, RetryPolicy::default()).load_interval(), MINUTE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_replicas_load_each_snapshot_under_one_plan() {
    for _ in 0..50 {
        let world = World::default();
        let batches = ["s-1", "s-2", "s-3", "s-4"].map(|id| world.complete(id));
        // Slots so short that they close while entries are on their way.
        let (left, right) = (world.process_that(&never(), "1ms"), world.process_that(&never(), "1ms"));
        let left = join_all(batches[..3].iter().map(|batch| left.handle(batch)));
        let right = join_all(batches[1..].iter().map(|batch| right.handle(batch)));
        let (left, right) = join(left, right).await;
        assert!(left.iter().chain(&right).all(Result::is_ok), "{left:?} {right:?}");
        let mut loaded = world.jobs().concat();
        loaded.sort();
        assert_eq!(loaded, ["s-1", "s-2", "s-3", "s-4"], "{:?}", world.jobs());
    }
}
