//! Snapshots of a real API server: many pods, interruptions, missing rights.

// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod kubernetes_interrupted;
mod kubernetes_lab;
mod kubernetes_large;
mod kubernetes_rights;

use tokio::sync::{Mutex, MutexGuard};

/// Path of the pods' list.
const PODS: &str = "/api/v1/pods";

/// How many pods a test lists, where that is not its default.
const PODS_LISTED: &str = "PODLEDGER_TEST_PODS";

/// How many pods a test lists: its own number, but where the environment says another.
fn pods_listed(default: u64) -> u64 {
    std::env::var(PODS_LISTED).map_or(default, |count| count.parse().unwrap())
}

/// One test at a time: each has a control plane of its own, and one measures this process.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}
