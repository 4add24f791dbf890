//! What happens, round by round, from a seed.

mod dump;
mod messages;

use std::path::Path;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::{ClusterName, IdBuilder, LimitDeclaration, Purpose, SnapshotRequest, Timestamp, Topic};

pub use messages::Poison;

/// Clusters read from files.
pub const DUMPED: [&str; 3] = ["alpha", "beta", "gamma"];
/// A simulated cluster.
pub const SIMULATED: &str = "delta";
/// Workloads of the simulated cluster.
const SIMULATED_WORKLOADS: u32 = 6;
/// When the story begins.
const BEGINS: &str = "2026-11-02T09:00:00Z";
/// Time between two rounds.
const STEP: Duration = Duration::from_secs(10 * 60);
/// Time before the round in which grace times have passed and reminders are due.
const LONG_STEP: Duration = Duration::from_secs(25 * 60 * 60);
/// That round.
const AFTER_LONG_STEP: usize = 4;
/// Rounds of the story.
const ROUNDS: usize = 6;
/// More pods than any limit of the story, exclusive.
const MOST_PODS: u32 = 10;

/// The story.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    /// Its rounds, in order.
    pub rounds: Vec<Round>,
}

/// One round: the clusters change, people declare and scale, and every cluster is looked at.
#[derive(Debug, Clone)]
pub struct Round {
    /// Its number, from 0.
    pub number: usize,
    /// What every clock shows.
    pub at: Timestamp,
    /// Limits declared.
    pub declarations: Vec<LimitDeclaration>,
    /// Audit entries, as the log sink writes them.
    pub audit: Vec<Vec<u8>>,
    /// What nobody can read.
    pub poison: Vec<Poison>,
    /// One per cluster.
    pub requests: Vec<SnapshotRequest>,
    clusters: Vec<(&'static str, Vec<Workload>)>,
}

/// A workload as one round finds it.
#[derive(Debug, Clone)]
struct Workload {
    name: &'static str,
    /// Part of its uid: another one after it was deleted and made again.
    life: u32,
    desired: u32,
    actual: u32,
    ceiling: Option<u32>,
    /// Whether somebody wrote a word where a number belongs.
    broken: bool,
}

impl World {
    /// The story of a seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut at = Timestamp::parse(BEGINS).unwrap();
        let rounds = (0..ROUNDS).map(|number| {
            at = at.plus(if number == AFTER_LONG_STEP { LONG_STEP } else { STEP });
            Round::new(number, at, &mut dice)
        });
        Self { seed, rounds: rounds.collect() }
    }

    /// `PODLEDGER_CLUSTERS` over a folder of dumps.
    pub fn clusters(&self, dumps: &Path) -> String {
        let dumped = DUMPED.map(|name| format!("{name}=dump:{}", dumps.join(name).display()));
        format!("{},{SIMULATED}=sim:{}/{SIMULATED_WORKLOADS}", dumped.join(","), self.seed)
    }

    /// Dead letters that all rounds' poison must leave, and no more.
    pub fn dead_letters(&self) -> u64 {
        self.rounds.iter().flat_map(|round| &round.poison).map(Poison::letters).sum()
    }
}

impl Round {
    fn new(number: usize, at: Timestamp, dice: &mut ChaCha8Rng) -> Self {
        let clusters: Vec<_> = DUMPED.map(|cluster| (cluster, workloads(number, dice))).to_vec();
        let request = |cluster: &str| SnapshotRequest {
            request_id: IdBuilder::new("campaign")
                .part("cluster", cluster)
                .part("round", number.to_be_bytes())
                .finish(),
            cluster: cluster.to_owned(),
            kinds: Vec::new(),
            requested_at: at.micros(),
            requested_by: "campaign".to_owned(),
            purpose: Purpose::Scheduled,
        };
        Self {
            number,
            at,
            declarations: messages::declarations(number, at, dice),
            audit: messages::audit(at, &clusters),
            poison: messages::poison(number),
            requests: DUMPED.iter().copied().chain([SIMULATED]).map(request).collect(),
            clusters,
        }
    }

    /// Makes the dumps show this round.
    pub fn write_dumps(&self, dumps: &Path) {
        for (cluster, workloads) in &self.clusters {
            dump::write(&dumps.join(cluster), workloads);
        }
    }
}

/// What one cluster runs in a round. Each workload has a story of its own; the dice decide the rest.
fn workloads(round: usize, dice: &mut ChaCha8Rng) -> Vec<Workload> {
    let steady = |name, pods| Workload { name, life: 1, desired: pods, actual: pods, ceiling: None, broken: false };
    let mut workloads = vec![
        steady("steady", 3),
        // Over its limit of 4, then worse, then back.
        steady("grows", [3, 6, 8, 8, 8, 3][round]),
        // Its limit falls below what it runs.
        steady("lowered", 5),
        Workload { ceiling: Some([3, 4, 9, 9, 4, 4][round]), ..steady("scaled", 4) },
        Workload { desired: dice.random_range(0..MOST_PODS), ..steady("random", dice.random_range(0..MOST_PODS)) },
        steady("undeclared", 2),
        Workload { broken: dice.random_bool(0.5), ..steady("clumsy", dice.random_range(1..MOST_PODS)) },
    ];
    // Deleted while over its limit, and made again.
    match round {
        0..3 => workloads.push(steady("goes", 7)),
        3 => {}
        _ => workloads.push(Workload { life: 2, ..steady("goes", 6) }),
    }
    workloads
}

/// The cluster's name as messages carry it.
fn name_of(cluster: &str) -> ClusterName {
    ClusterName::parse(cluster).unwrap()
}

/// How many subscriptions a topic has.
fn subscribers(topic: Topic) -> u64 {
    schemas::Subscription::ALL.iter().filter(|subscription| subscription.topic == topic).count() as u64
}
