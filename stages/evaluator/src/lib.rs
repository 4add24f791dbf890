//! Stage evaluator: judges what runs against what was declared.
//!
//! Consumes `row-batches`; when all parts of a snapshot that it needs are there, it reads their
//! rows, the limits in force at the snapshot's time and the last changes of replica numbers, and
//! emits `violations`: the transitions of episodes. Its memory between snapshots is one object per
//! cluster, replaced by compare-and-swap.
//!
//! It never writes to the warehouse, never talks to people, and never reads a clock to decide:
//! everything that decides is a function of values and of the snapshot's own time.

mod cause;
mod config;
mod episode;
mod evidence;
mod gaps;
mod judge;
mod message;
mod metrics;
mod policy;
mod resolution;
mod rules;
mod snapshot;
mod stage;
mod state;
mod surge;
#[cfg(test)]
mod testing;
mod violation;
mod workload;

pub use cause::Changes;
pub use config::Config;
pub use episode::{Episode, Standing};
pub use gaps::{Absence, Autoscalers, Coverage};
pub use judge::{Judgement, Summary, judge};
pub use policy::{Flapping, InvalidPolicy, Namespaces, Policy, Range, Settings};
pub use rules::Numbers;
pub use snapshot::Snapshot;
pub use stage::{Evaluator, Outcome, Report, stage, stage_observed, stage_shown};
pub use state::{Judged, State, StateError, TrackedRule};

pub use workload::{Autoscaler, Rollout, Workload, WorkloadParts};
