//! A campaign: the same story told to the pipeline twice, once in peace and once while its processes
//! are killed, its messages doubled and overtaken, and its calls made to fail. In the end nobody may
//! be able to tell the two apart.
//!
//! - [`world`]: what happens to the clusters and what is published, from a seed.
//! - [`points`]: the crash points, and which of them no run can pass.
//! - [`killer`]: who is killed, where and when, from a seed.
//! - [`stages`]: the five processes, restarted when they die.
//! - [`run`](run()): one telling of the story; [`outcome`] is what it left behind.

pub mod killer;
pub mod outcome;
pub mod points;
mod run;
pub mod stages;
pub mod world;

pub use killer::Killings;
pub use outcome::Outcome;
pub use run::{Peace, run};
pub use world::World;

/// Variable that repeats a campaign.
pub const SEED_VARIABLE: &str = "PODLEDGER_CRASH_SEED";

/// The seed to run with: the variable's, else a fresh one.
pub fn seed() -> u64 {
    match std::env::var(SEED_VARIABLE) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE}={text:?}: expected a whole number")),
        Err(_) => rand::random(),
    }
}
