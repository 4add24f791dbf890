//! Faults on purpose: what the crash tests switch on to hold the pipeline to its guarantees.
//!
//! `PODLEDGER_FAULTS` is a comma-separated list of
//! - `crash=POINT` or `crash=POINT:N`: the process kills itself (SIGKILL) when it passes that point
//!   for the first, or the N-th, time. Points are `<stage>.<port>.<operation>.<before|after>`;
//!   [`points()`] lists them.
//! - `fail=P`: a call fails with probability P, before its effect, after it, or either, as
//!   `when=before|after|both` (the default) says.
//! - `duplicate=P`: a publish is done twice with probability P.
//! - `reorder=P`: a delivery is held back with probability P, so that later ones overtake it.
//! - `seed=N`: where the probabilities' dice start; 0 by default.
//!
//! Without the variable nothing of this is installed.

mod broker;
mod objects;
mod points;
mod spec;
mod warehouse;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::ports::{PortError, PortResult};

pub use broker::FaultyBroker;
pub use objects::FaultyObjects;
pub use points::{all_points, points};
pub use spec::{CrashAt, FaultSpec, FaultSpecError, When};
pub use warehouse::FaultyWarehouse;

use points::{Moment, is_operation, point_name};

/// The faults of one process; off unless told otherwise.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    engine: Option<Arc<Engine>>,
}

#[derive(Debug)]
struct Engine {
    spec: FaultSpec,
    dice: Mutex<ChaCha8Rng>,
    /// How often the crash point was passed.
    passed: AtomicU64,
}

impl Faults {
    /// No faults at all.
    pub fn off() -> Self {
        Self::default()
    }

    /// Faults as a specification says.
    pub fn new(spec: FaultSpec) -> Self {
        let dice = Mutex::new(ChaCha8Rng::seed_from_u64(spec.seed));
        Self { engine: Some(Arc::new(Engine { spec, dice, passed: AtomicU64::new(0) })) }
    }

    /// Whether decorators are worth installing.
    pub fn are_on(&self) -> bool {
        self.engine.is_some()
    }

    /// The points of one stage.
    pub fn points(&self, stage: &'static str) -> Points {
        Points { stage, engine: self.engine.clone() }
    }
}

/// A stage's places where a fault may happen. Passing one costs nothing while faults are off.
#[derive(Debug, Clone)]
pub struct Points {
    stage: &'static str,
    engine: Option<Arc<Engine>>,
}

impl Points {
    /// Points at which nothing ever happens.
    pub fn off() -> Self {
        Self { stage: "", engine: None }
    }

    /// Says that an effect comes next, such as `channel.send`; the process may end here.
    pub fn before(&self, operation: &str) {
        self.pass(operation, Moment::Before);
    }

    /// Says that an effect was done; the process may end here.
    pub fn after(&self, operation: &str) {
        self.pass(operation, Moment::After);
    }

    /// Makes a call with its faults around it.
    async fn around<T>(&self, operation: &str, call: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        let Some(engine) = &self.engine else { return call.await };
        let attempted = || format!("{}.{operation}", self.stage);
        self.before(operation);
        if engine.fails(Moment::Before) {
            return Err(PortError::did_not_happen(attempted(), anyhow::anyhow!("injected before the effect")));
        }
        let result = call.await?;
        self.after(operation);
        if engine.fails(Moment::After) {
            return Err(PortError::may_have_happened(attempted(), anyhow::anyhow!("injected after the effect")));
        }
        Ok(result)
    }

    fn publishes_twice(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.draw(engine.spec.duplicate))
    }

    fn holds_back(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.draw(engine.spec.reorder))
    }

    fn pass(&self, operation: &str, moment: Moment) {
        let Some(engine) = &self.engine else { return };
        debug_assert!(is_operation(self.stage, operation), "{}.{operation} is on no list of points", self.stage);
        let Some(crash) = &engine.spec.crash else { return };
        if crash.point != point_name(self.stage, operation, moment) {
            return;
        }
        let passed = engine.passed.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        if passed == crash.nth {
            tracing::error!(point = crash.point, passed, "crash point reached, the process kills itself");
            kill_this_process();
        }
    }
}

impl Engine {
    fn draw(&self, probability: f64) -> bool {
        // No dice are thrown for what is off, so that one fault's sequence does not depend on others.
        probability > 0.0 && self.dice.lock().unwrap_or_else(PoisonError::into_inner).random_bool(probability)
    }

    fn fails(&self, moment: Moment) -> bool {
        let possible = match self.spec.when {
            When::Both => true,
            When::Before => moment == Moment::Before,
            When::After => moment == Moment::After,
        };
        possible && self.draw(self.spec.fail)
    }
}

/// Ends the process as `kill -9` would: no destructor, no flush, no drain.
#[allow(unsafe_code)] // There is no safe way to send SIGKILL in std, and anything softer is not a crash.
fn kill_this_process() -> ! {
    // SAFETY: `raise` takes no memory and is async-signal-safe; SIGKILL ends the whole process.
    unsafe {
        libc::raise(libc::SIGKILL);
    }
    // The signal may take a moment to arrive when raised on another thread's behalf.
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests;
