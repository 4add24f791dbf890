//! What the hours came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemas::Table;

use super::fleet::Fleet;
use super::traffic::{AN_HOUR, CLUSTERS, KINDS, Traffic};
use super::{Day, World};

/// Load jobs of one table that an hour may take: 1,440 a day, where BigQuery allows 1,500.
const MOST_JOBS_AN_HOUR: usize = 60;
/// How late a snapshot may be.
const LATEST: Duration = Duration::from_secs(120);
/// Messages that a process holds at once by default: those that wait for their slot must leave room.
const MAX_OUTSTANDING: usize = 100;

/// The figures of hours in which each snapshot was loaded once, whole.
pub(super) struct Figures {
    hours: u32,
    /// Jobs submitted within the hours; what was taken last is loaded after them.
    jobs: BTreeMap<Table, usize>,
    /// From a snapshot's last part to the end of its load, of every snapshot and table; sorted.
    lateness: Vec<Duration>,
    deliveries: usize,
    redelivered: usize,
    crashes: usize,
    most_in_hand: usize,
}

impl Figures {
    /// Fails unless each snapshot was loaded once, with all of its files.
    pub(super) fn of(day: Day, traffic: &Traffic, world: &World, fleet: &Fleet) -> Self {
        let loads = world.warehouse.loads();
        let delivered = world.delivered.lock().unwrap();
        assert_eq!(traffic.files.len(), CLUSTERS * (AN_HOUR * day.hours) as usize * KINDS.len());
        assert_eq!(loads.len(), traffic.files.len(), "snapshots are missing, or were never taken");
        let mut lateness = Vec::new();
        for (rows, files) in &traffic.files {
            let [load] = loads[rows].as_slice() else { panic!("{rows:?} was loaded {} times", loads[rows].len()) };
            assert_eq!(load.parts, *files, "{rows:?} was not loaded whole");
            lateness.push(load.ends_at - delivered[rows].complete_at.unwrap());
        }
        lateness.sort();
        let mut jobs = BTreeMap::new();
        let end = world.began + Duration::from_secs(3_600) * day.hours;
        for submitted in world.warehouse.jobs().iter().filter(|submitted| submitted.submitted_at < end) {
            *jobs.entry(submitted.job.table).or_insert(0) += 1;
        }
        Self {
            hours: day.hours,
            jobs,
            lateness,
            deliveries: traffic.arrivals.len(),
            redelivered: traffic.arrivals.iter().filter(|arrival| arrival.again).count(),
            crashes: fleet.crashes(),
            most_in_hand: fleet.most_in_hand(),
        }
    }

    /// Holds the hours to their bounds.
    pub(super) fn check(&self) {
        assert_eq!(self.jobs.len(), KINDS.len());
        let most_jobs = MOST_JOBS_AN_HOUR * self.hours as usize;
        for (table, jobs) in &self.jobs {
            assert!((1..=most_jobs).contains(jobs), "{jobs} load jobs of {table}, {most_jobs} are allowed");
        }
        assert!(self.most() <= LATEST, "a snapshot was {:?} late", self.most());
        assert!(self.most_in_hand <= MAX_OUTSTANDING, "{} messages at once", self.most_in_hand);
        assert!(self.crashes > 0 && self.redelivered > 0, "hours without trouble show nothing");
    }

    fn most(&self) -> Duration {
        *self.lateness.last().unwrap()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |share: usize| self.lateness[(self.lateness.len() - 1) * share / 100].as_secs_f64();
        for (table, jobs) in &self.jobs {
            writeln!(f, "  load jobs of {table} in {} h: {jobs}", self.hours)?;
        }
        writeln!(f, "  late: median {:.1} s, 99 % {:.1} s, most {:.1} s", at(50), at(99), at(100))?;
        writeln!(
            f,
            "  {} loads of snapshots, {} deliveries, of them {} again, {} crashes, at most {} messages at once",
            self.lateness.len(),
            self.deliveries,
            self.redelivered,
            self.crashes,
            self.most_in_hand
        )
    }
}
