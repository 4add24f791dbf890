//! Five processes on real servers at once: Pub/Sub, Cloud Storage, BigQuery, Firestore where teams
//! register, and an API server where they deploy, scale, roll out and delete. What they make of it must
//! be what the embedded adapters make of the same recorded objects and documents, whatever dies on the
//! way.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A helper that fails is a failed test.

mod compare;
mod google;
mod party;
mod registry;
mod story;
mod tested;

use podledger_tests::campaign::{SEED_VARIABLE, seed};

use google::Way;
use tested::Deaths;

/// Deaths of the disturbed run, at least.
const KILLS: u32 = 50;

/// One after the other: each has a control plane, a warehouse and five processes of its own.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn pulled_messages_make_of_a_real_cluster_what_the_embedded_adapters_do() {
    let _turn = TURN.lock().await;
    tested::run(Way::Pull, Deaths::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_messages_make_of_a_real_cluster_what_the_embedded_adapters_do() {
    let _turn = TURN.lock().await;
    tested::run(Way::Push, Deaths::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_on_real_servers_lose_and_double_nothing() {
    let _turn = TURN.lock().await;
    let seed = seed();
    eprintln!("{SEED_VARIABLE}={seed}");
    tested::run(Way::Pull, Deaths::AtLeast { kills: KILLS, seed }).await;
}
