//! Whatever dies, whenever: in the end nobody can tell.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A helper that fails is a failed test.

use podledger_tests::binaries;
use podledger_tests::campaign::{Peace, SEED_VARIABLE, World, points, run, seed};
use podledger_tests::tables::difference;

/// Deaths of the disturbed run, at least.
const KILLS: u32 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_everywhere_ends_as_the_undisturbed_one() {
    let seed = seed();
    eprintln!("{SEED_VARIABLE}={seed}");
    binaries::folder();
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(seed);

    let peaceful = run(&world, &folder.path().join("peaceful"), Peace::Undisturbed).await;
    eprintln!("undisturbed: {} webhook calls, {:.1} s", peaceful.calls.len(), peaceful.took.as_secs_f64());
    peaceful.check(world.dead_letters());
    for state in ["opened", "worsened", "reminded", "resolved"] {
        assert!(peaceful.transitions(state) > 0, "the story has no {state} episode");
    }

    let disturbed = run(&world, &folder.path().join("disturbed"), Peace::Disturbed { seed, kills: KILLS }).await;
    let killings = &disturbed.killings;
    eprintln!(
        "disturbed: {} kills, {} at {} of {} named points ({} are never passed), the others at random moments {:?}; \
         {} webhook calls, {:.1} s",
        killings.total(),
        killings.struck.values().sum::<u32>(),
        killings.struck.len(),
        points::known(),
        points::never_passed().count(),
        killings.at_random,
        disturbed.calls.len(),
        disturbed.took.as_secs_f64()
    );
    disturbed.check(world.dead_letters());
    assert_eq!(difference(&peaceful.tables, &disturbed.tables), "");
    assert_eq!(difference(&peaceful.views, &disturbed.views), "");
    assert_eq!(peaceful.told(), disturbed.told());
    assert!(killings.total() >= KILLS, "only {} kills", killings.total());
    assert_eq!(killings.missed(), Vec::<String>::new(), "nobody died there");
}
