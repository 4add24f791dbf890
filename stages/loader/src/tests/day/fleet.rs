//! Loaders that share a subscription, are killed in the middle of what they do, and start again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use platform::ports::{
    ByteStream, Clock, Created, Generation, ObjectMeta, Objects, PortResult, Replaced, StoredObject,
};
use platform::runtime::{HandleError, Ports};
use platform::testkit::memory::{Affected, Effects, MemoryBroker, MemoryObjects};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::Timestamp;
use tokio::time::{Instant, sleep};

use super::super::world::Process;
use super::Day;
use super::traffic::{Arrival, beginning};
use super::warehouse::{Recorded, ToRecorded};

/// How long after a process died its messages come again.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How long a process that died takes to be there again.
const RESTART: Duration = Duration::from_secs(10);
/// Effects of all replicas together between two crashes: about twenty a day with one of them.
const LIVES: std::ops::Range<usize> = 1_200..2_800;
/// How long the object store takes.
const OBJECTS_MS: std::ops::Range<u64> = 5..80;

/// What became of a delivery.
pub(super) enum Handled {
    Acked,
    Nacked,
    Died,
}

/// The loaders.
pub(super) struct Fleet {
    replicas: Vec<Replica>,
}

struct Replica {
    process: Mutex<Arc<Living>>,
    in_hand: AtomicUsize,
    most_in_hand: AtomicUsize,
    crashes: AtomicUsize,
    dice: Mutex<ChaCha8Rng>,
    day: Day,
    store: Arc<MemoryObjects>,
    warehouse: Arc<Recorded>,
    clock: SkewedClock,
}

/// A process until it is killed.
struct Living {
    process: Process,
    crash: Arc<Effects>,
}

impl Fleet {
    pub(super) fn new(day: Day, store: &Arc<MemoryObjects>, warehouse: &Arc<Recorded>) -> Self {
        let replicas = (0..day.replicas).map(|number| Replica::new(day, number, store, warehouse));
        Self { replicas: replicas.collect() }
    }

    pub(super) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// How often one of them was killed.
    pub(super) fn crashes(&self) -> usize {
        self.replicas.iter().map(|replica| replica.crashes.load(Ordering::SeqCst)).sum()
    }

    /// Messages that one of them held at once, at most.
    pub(super) fn most_in_hand(&self) -> usize {
        self.replicas.iter().map(|replica| replica.most_in_hand.load(Ordering::SeqCst)).max().unwrap()
    }

    /// Has a replica handle a message; one that is dead takes none while another one lives.
    pub(super) async fn handle(&self, first: usize, arrival: &Arrival) -> Handled {
        let mut turn = self.replicas.iter().cycle().skip(first).take(self.replicas.len());
        let replica = turn.find(|replica| replica.is_alive()).unwrap_or(&self.replicas[first]);
        let living = replica.living().await;
        let in_hand = replica.in_hand.fetch_add(1, Ordering::SeqCst) + 1;
        replica.most_in_hand.fetch_max(in_hand, Ordering::SeqCst);
        let handled = tokio::select! {
            biased;
            () = living.crash.until_crashed() => Handled::Died,
            outcome = living.process.handle_published(&arrival.batch, arrival.published_at) => match outcome {
                Ok(()) => Handled::Acked,
                Err(HandleError::Outage(_)) if living.crash.has_crashed() => Handled::Died,
                Err(HandleError::Outage(_)) => Handled::Nacked,
                Err(other) => panic!("{}: {other}", arrival.batch.snapshot_id),
            },
        };
        replica.in_hand.fetch_sub(1, Ordering::SeqCst);
        handled
    }
}

impl Replica {
    fn new(day: Day, number: usize, store: &Arc<MemoryObjects>, warehouse: &Arc<Recorded>) -> Self {
        let of_all = day.replicas.max(2) - 1;
        let skew_micros = day.skew.as_micros() as i64 * (2 * number as i64 - of_all as i64) / of_all as i64;
        let clock = SkewedClock { began: Instant::now(), ahead_micros: skew_micros };
        let mut dice = ChaCha8Rng::seed_from_u64(day.seed.wrapping_add(number as u64));
        let first = living(day, &mut dice, store, warehouse, clock);
        Self {
            process: Mutex::new(Arc::new(first)),
            in_hand: AtomicUsize::new(0),
            most_in_hand: AtomicUsize::new(0),
            crashes: AtomicUsize::new(0),
            dice: Mutex::new(dice),
            day,
            store: Arc::clone(store),
            warehouse: Arc::clone(warehouse),
            clock,
        }
    }

    fn is_alive(&self) -> bool {
        self.process.lock().unwrap().crash.crashed_ago().is_none_or(|ago| ago >= RESTART)
    }

    /// The process; a new one where the last one was killed.
    async fn living(&self) -> Arc<Living> {
        loop {
            let restarts_in = {
                let mut process = self.process.lock().unwrap();
                match process.crash.crashed_ago() {
                    None => return Arc::clone(&process),
                    Some(ago) if ago >= RESTART => {
                        self.crashes.fetch_add(1, Ordering::SeqCst);
                        let mut dice = self.dice.lock().unwrap();
                        *process = Arc::new(living(self.day, &mut dice, &self.store, &self.warehouse, self.clock));
                        return Arc::clone(&process);
                    }
                    Some(ago) => RESTART.saturating_sub(ago),
                }
            };
            sleep(restarts_in).await;
        }
    }
}

/// A process of its own, over what outlives it.
fn living(
    day: Day,
    dice: &mut ChaCha8Rng,
    store: &Arc<MemoryObjects>,
    warehouse: &Arc<Recorded>,
    clock: SkewedClock,
) -> Living {
    let crash = Effects::crash_at(dice.random_range(LIVES) / day.replicas, dice.random_bool(0.5));
    let ports = Ports {
        warehouse: Some(Arc::new(ToRecorded(Arc::clone(warehouse), Arc::clone(&crash)))),
        clock: Arc::new(clock),
        ..Ports::new(
            Arc::new(MemoryBroker::default()),
            Arc::new(SlowObjects {
                inner: Affected::new(store, &crash),
                dice: Mutex::new(ChaCha8Rng::seed_from_u64(dice.random())),
            }),
        )
    };
    // The interval is not set: the warehouse asks for it.
    Living { process: Process::with(&ports, &[]), crash }
}

/// The simulated day's clock, off by as much as the machine's is.
#[derive(Debug, Clone, Copy)]
struct SkewedClock {
    began: Instant,
    ahead_micros: i64,
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(beginning().plus(self.began.elapsed()).micros() + self.ahead_micros)
    }
}

/// Objects that take their time.
struct SlowObjects {
    inner: Affected<MemoryObjects>,
    dice: Mutex<ChaCha8Rng>,
}

impl SlowObjects {
    async fn wait(&self) {
        let millis = self.dice.lock().unwrap().random_range(OBJECTS_MS);
        sleep(Duration::from_millis(millis)).await;
    }
}

#[async_trait]
impl Objects for SlowObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        self.wait().await;
        self.inner.create(key, body).await
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        self.wait().await;
        self.inner.replace_if(key, expected, body).await
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        self.wait().await;
        self.inner.read(key).await
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        self.wait().await;
        self.inner.list(prefix).await
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        self.wait().await;
        self.inner.delete(key).await
    }

    async fn ping(&self) -> PortResult<()> {
        self.inner.ping().await
    }
}
