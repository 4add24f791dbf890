//! Slots of the clock, within which complete snapshots of one table share a load plan.
//!
//! Pure. A slot follows from the interval and a time alone, so that replicas which know nothing of
//! each other mean the same plan.

use std::time::Duration;

use platform::ports::Warehouse;
use schemas::{IdBuilder, Table, Timestamp};

/// A slot closes that part of its length after its end: 2 s of a minute. So much may the clocks of
/// replicas differ, or an entry be on its way, before a snapshot has to wait for the next slot.
const PARTS_OF_GRACE: i64 = 30;
/// A snapshot is entered into a slot that ended already where that was so many slots ago at most:
/// after a crash its plan is then made at once, with what the crashed process had entered. What is
/// older is better off in larger company.
const SLOTS_BACK: i64 = 2;

/// The length of slots, in whole microseconds; they count from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    micros: i64,
}

impl Interval {
    /// Slots of that length; none below a microsecond.
    pub(crate) fn new(length: Duration) -> Option<Self> {
        let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
        (micros > 0).then_some(Self { micros })
    }

    /// The first slot whose plan may have a place for a snapshot whose part was published at that
    /// time. A clock that is behind the broker's does not count.
    pub(crate) fn first_slot(self, published_at: Timestamp, now: Timestamp) -> Slot {
        let current = self.slot_at(now.max(published_at)).number;
        let published = self.slot_at(published_at).number;
        Slot { number: published.max(current.saturating_sub(SLOTS_BACK)), interval: self }
    }

    fn slot_at(self, at: Timestamp) -> Slot {
        Slot { number: at.micros().div_euclid(self.micros), interval: self }
    }
}

/// One slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Slots since 1970.
    number: i64,
    interval: Interval,
}

impl Slot {
    /// The slot after this one.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }

    /// When it begins.
    pub(crate) fn begins_at(self) -> Timestamp {
        Timestamp::from_micros(self.number.saturating_mul(self.interval.micros))
    }

    /// How long until its plan may be made; zero where that time has come. However clocks differ,
    /// it is never more than a slot that has just begun has before it.
    pub(crate) fn closes_in(self, now: Timestamp) -> Duration {
        let whole = self.interval.micros.saturating_add(self.interval.micros / PARTS_OF_GRACE);
        let whole = Duration::from_micros(whole.unsigned_abs());
        self.begins_at().plus(whole).since(now).min(whole)
    }

    /// The id of its one plan for a table.
    pub(crate) fn plan_id(self, table: Table) -> String {
        IdBuilder::new("load-slot")
            .part("table", table.name())
            .part("interval", self.interval.micros.to_string())
            .part("slot", self.number.to_string())
            .finish()
    }
}

/// How long snapshots are gathered: as the setting says, else as the warehouse asks. A setting that
/// makes more loads than the warehouse bears is the user's choice, and is said in the log.
pub(crate) fn load_interval(set: Option<Duration>, warehouse: &dyn Warehouse) -> Duration {
    let asked = warehouse.load_interval();
    match set {
        Some(set) => {
            if set < asked {
                let (set_s, asked_s) = (set.as_secs_f64(), asked.as_secs_f64());
                tracing::warn!(set_s, asked_s, "load interval is shorter than the warehouse asks for");
            }
            set
        }
        None => asked,
    }
}

#[cfg(test)]
mod tests;
