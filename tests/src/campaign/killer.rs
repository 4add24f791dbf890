//! Who is killed, where and when.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::points;
use crate::data_dir::STAGES;

/// Shortest and longest time between two kills at random moments, in milliseconds. Longer than a
/// start, so that a process does some work in between.
const BETWEEN_KILLS_MS: std::ops::Range<u64> = 30..130;
/// Which passing of its point kills, one of these.
const PASSINGS: [u64; 3] = [1, 1, 2];
/// Share of publishes that are done twice, and of deliveries that are overtaken.
const DISORDER: &str = "duplicate=0.2,reorder=0.2";
/// Share of calls that fail, before or after their effect.
const FAILING: f64 = 0.02;
/// The same for a process that is to give messages back.
const FAILING_OFTEN: f64 = 0.5;

/// What has been done to the processes.
#[derive(Debug, Clone, Default)]
pub struct Killings {
    /// Deaths at a named point, by point.
    pub struck: BTreeMap<String, u32>,
    /// Deaths at a random moment, by stage.
    pub at_random: BTreeMap<&'static str, u32>,
}

impl Killings {
    /// All deaths.
    pub fn total(&self) -> u32 {
        self.struck.values().chain(self.at_random.values()).sum()
    }

    /// Points that a run passes and at which nobody died.
    pub fn missed(&self) -> Vec<String> {
        STAGES.iter().flat_map(|stage| points::passed(stage)).filter(|point| !self.struck.contains_key(point)).collect()
    }
}

/// What one start of a process is told.
#[derive(Debug, Clone, Default)]
pub struct Doom {
    /// The point at which it dies, if it gets there.
    pub point: Option<String>,
    /// `PODLEDGER_FAULTS`.
    pub faults: String,
}

/// The killer.
#[derive(Debug)]
pub struct Killer {
    dice: ChaCha8Rng,
    /// Points still to strike, by stage.
    open: BTreeMap<&'static str, VecDeque<String>>,
    /// The point that a stage must be struck at before any other.
    first: BTreeMap<&'static str, String>,
    between_ms: std::ops::Range<u64>,
    next: Instant,
    /// What was done.
    pub done: Killings,
}

impl Killer {
    /// The killer of a seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let open = STAGES.map(|stage| {
            let mut points = points::passed(stage);
            points.shuffle(&mut dice);
            (stage, points.into())
        });
        Self {
            dice,
            open: open.into(),
            first: BTreeMap::new(),
            between_ms: BETWEEN_KILLS_MS,
            next: Instant::now(),
            done: Killings::default(),
        }
    }

    /// The same with other times between two kills at random moments, in milliseconds.
    #[must_use]
    pub fn pausing(self, between_ms: std::ops::Range<u64>) -> Self {
        Self { between_ms, ..self }
    }

    /// From now on a stage dies at this point, whenever it is started, until it did.
    pub fn strike_first(&mut self, stage: &'static str, point: &str) {
        assert!(points::passed(stage).iter().any(|passed| passed == point), "{stage} never passes {point}");
        self.first.insert(stage, point.to_owned());
    }

    /// The faults of a stage's next start.
    pub fn doom(&mut self, stage: &'static str) -> Doom {
        let open = self.open.get(stage).and_then(|open| open.front());
        let point = self.first.get(stage).or(open).cloned();
        let failing = if point.as_deref().is_some_and(points::needs_failures) { FAILING_OFTEN } else { FAILING };
        let mut faults = format!("{DISORDER},fail={failing},seed={}", self.dice.random::<u32>());
        if let Some(point) = &point {
            let passing = PASSINGS[self.dice.random_range(0..PASSINGS.len())];
            faults.push_str(&format!(",crash={point}:{passing}"));
        }
        Doom { point, faults }
    }

    /// A process died at its point.
    pub fn has_struck(&mut self, stage: &'static str, point: &str) {
        *self.done.struck.entry(point.to_owned()).or_default() += 1;
        self.first.retain(|_, first| first != point);
        if let Some(open) = self.open.get_mut(stage) {
            open.retain(|other| other != point);
        }
    }

    /// The stage to kill now, if it is time; another of its points is next.
    pub fn victim(&mut self) -> Option<&'static str> {
        if Instant::now() < self.next {
            return None;
        }
        self.next = Instant::now() + Duration::from_millis(self.dice.random_range(self.between_ms.clone()));
        let stage = STAGES[self.dice.random_range(0..STAGES.len())];
        *self.done.at_random.entry(stage).or_default() += 1;
        if let Some(open) = self.open.get_mut(stage).filter(|open| !open.is_empty()) {
            open.rotate_left(1);
        }
        Some(stage)
    }

    /// Whether every point was struck.
    pub fn struck_all(&self) -> bool {
        self.open.values().all(VecDeque::is_empty)
    }
}
