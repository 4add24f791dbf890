//! A day of many clusters in simulated time: how many load jobs it takes, and how late rows are.
//!
//! The loader's own stage runs over objects in memory and a warehouse that records its load jobs and
//! takes as long for them as BigQuery may. Not over the embedded adapters: they make every object and
//! every commit safe from a power cut, tens of thousands of times for a day; `embedded.rs` has a while
//! of it on them.

mod figures;
mod fleet;
mod traffic;
mod warehouse;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use platform::ports::Warehouse;
use platform::testkit::memory::{Effects, MemoryObjects};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::{SnapshotId, Table};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::figures::Figures;
use self::fleet::{Fleet, Handled, LEASE};
use self::traffic::{Arrival, Traffic};
use self::warehouse::{Recorded, ToRecorded};

/// How long after the last arrival everything must have been handled.
const END: Duration = Duration::from_secs(3_600);
/// First delay before a message that met an outage comes again; doubled each time.
const NACK_FIRST: Duration = Duration::from_secs(1);
/// Greatest such delay.
const NACK_MAX: Duration = Duration::from_secs(60);

/// A day, or some hours of it, by who shares the subscription.
#[derive(Clone, Copy)]
struct Day {
    hours: u32,
    /// Where all dice start.
    seed: u64,
    /// Loaders that share the subscription.
    replicas: usize,
    /// How far the clocks of the first and the last of them are from that of the broker.
    skew: Duration,
}

/// A warehouse that asks for a minute between load jobs, as BigQuery does.
pub(super) fn asking_for_a_minute() -> Arc<dyn Warehouse> {
    Arc::new(ToRecorded(Arc::new(Recorded::new(0)), Effects::sound()))
}

/// What outlives every process, and what was seen.
struct World {
    store: Arc<MemoryObjects>,
    warehouse: Arc<Recorded>,
    delivered: Mutex<BTreeMap<(Table, SnapshotId), Delivered>>,
    began: Instant,
}

/// Parts of one kind of a snapshot that were delivered at least once.
#[derive(Default)]
struct Delivered {
    parts: BTreeSet<i64>,
    /// When the last of them was.
    complete_at: Option<Instant>,
}

impl World {
    /// Notes a delivery; says whether all parts of the kind are there.
    fn deliver(&self, arrival: &Arrival) -> bool {
        let mut all = self.delivered.lock().unwrap();
        let delivered = all.entry(arrival.rows()).or_default();
        delivered.parts.insert(arrival.batch.part);
        let complete = delivered.parts.len() as i64 == arrival.batch.parts;
        if complete {
            delivered.complete_at.get_or_insert_with(Instant::now);
        }
        complete
    }
}

impl Day {
    /// Lives through it and tells what was seen.
    async fn lived(self) -> Figures {
        let traffic = Traffic::of(self.hours, self.seed);
        let store = Arc::default();
        let warehouse = Arc::new(Recorded::new(self.seed));
        let began = Instant::now();
        let world = Arc::new(World { store, warehouse, delivered: Mutex::default(), began });
        let fleet = Arc::new(Fleet::new(self, &world.store, &world.warehouse));
        let mut in_hand = JoinSet::new();
        for (number, arrival) in (0..).zip(traffic.arrivals.iter().cloned()) {
            sleep_until(began + arrival.at).await;
            let dice = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(number));
            in_hand.spawn(acknowledged(arrival, Arc::clone(&world), Arc::clone(&fleet), dice));
            while let Some(ended) = in_hand.try_join_next() {
                ended.unwrap();
            }
        }
        timeout(END, in_hand.join_all()).await.expect("messages are still in hand");
        Figures::of(self, &traffic, &world, &fleet)
    }
}

/// Delivers a message to one replica after the other until it is acknowledged.
async fn acknowledged(arrival: Arrival, world: Arc<World>, fleet: Arc<Fleet>, mut dice: ChaCha8Rng) {
    arrival.store(&world.store);
    let is_complete = world.deliver(&arrival);
    let mut delay = NACK_FIRST;
    loop {
        match fleet.handle(dice.random_range(0..fleet.replicas()), &arrival).await {
            Handled::Acked => break,
            Handled::Nacked => sleep(delay).await,
            // Nobody says that a process died: its messages come again after their lease.
            Handled::Died => sleep(LEASE).await,
        }
        delay = NACK_MAX.min(delay * 2);
    }
    let rows = arrival.rows();
    let is_loaded = world.warehouse.is_loaded(&rows);
    assert!(is_loaded || !is_complete, "{rows:?} were acknowledged before they were loaded");
}

#[tokio::test(start_paused = true)]
async fn twenty_clusters_stay_within_the_load_jobs_of_a_day_and_no_snapshot_is_two_minutes_late() {
    let figures = Day { hours: 24, seed: 1, replicas: 1, skew: Duration::ZERO }.lived().await;
    println!("one loader\n{figures}");
    figures.check();
}

#[tokio::test(start_paused = true)]
async fn three_replicas_that_share_the_subscription_need_no_more_load_jobs_than_one() {
    let figures = Day { hours: 8, seed: 2, replicas: 3, skew: Duration::from_millis(900) }.lived().await;
    println!("three loaders whose clocks differ by up to 1.8 s\n{figures}");
    figures.check();
}
