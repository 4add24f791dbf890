//! Every figure of the design's last table, measured: `cargo bench --package podledger-tests`.
//!
//! With `--bench` each row is the median of several runs in release mode. Without it (as `cargo
//! test --benches` runs it) every row is produced once on little input, so that none can rot; what
//! that form prints is no figure. Words on the command line choose groups of rows by name.
#![allow(clippy::unwrap_used, clippy::expect_used)] // What cannot be done is a row that cannot be produced.

mod broker;
mod cluster;
mod evaluator;
mod latency;
mod machine;
mod normalizer;
mod pipeline;
mod pubsub;
mod snapshotter;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use table::Figure;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Enough for figures.
    Full,
    /// Just enough to see that every row can be produced.
    Short,
}

impl Effort {
    /// One of two, by the effort.
    pub(crate) fn choose<T>(self, full: T, short: T) -> T {
        match self {
            Self::Full => full,
            Self::Short => short,
        }
    }
}

/// A group of rows: its name, and what measures it.
type Group = (&'static str, fn(Effort) -> Vec<Figure>);

const GROUPS: [Group; 7] = [
    ("snapshotter", snapshotter::figures),
    ("normalizer", normalizer::figures),
    ("evaluator", evaluator::figures),
    ("broker", broker::figures),
    ("pubsub", pubsub::figures),
    ("pipeline", pipeline::figures),
    ("latency", latency::figures),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let effort = if arguments.iter().any(|argument| argument == "--bench") { Effort::Full } else { Effort::Short };
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
    podledger_tests::binaries::folder(); // built before anything is measured
    let before = machine::load();
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    for (name, measure) in GROUPS.iter().filter(|(name, _)| chosen(name)) {
        eprintln!("measuring {name} …");
        // One row that cannot be produced must not hide the others; it still fails the run.
        match catch_unwind(AssertUnwindSafe(|| measure(effort))) {
            Ok(measured) => figures.extend(measured),
            Err(_) => failed.push(*name),
        }
    }
    print!("{}", table::render(&figures, effort));
    println!("{}", machine::describe(&before));
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("rows that could not be produced: {}", failed.join(", "));
    ExitCode::FAILURE
}
