//! A worker on Pub/Sub: messages published, received, handled and acknowledged through the adapter and
//! the runtime, with Google's client alone beside it, on the stand-in of `tests/servers`. Publisher and
//! worker share this process.

use platform::runtime::install_tls;
use platform::testkit::pubsub::{Load, with_a_worker, with_the_client_alone};
use platform::testkit::servers::{Built, Server};

use crate::table::{Figure, Target, median};
use crate::{Effort, machine};

/// Size of a payload in bytes: about that of a batch message.
const PAYLOAD_BYTES: usize = 300;

struct Case {
    what: &'static str,
    /// Deliveries that may be unsettled at once.
    outstanding: usize,
    /// Through adapter and runtime, or through the client alone.
    worker: bool,
}

const CASES: [Case; 3] = [
    Case { what: "Pub/Sub worker, publish to ack, 1,000 outstanding", outstanding: 1_000, worker: true },
    Case { what: "… 100 outstanding, the default", outstanding: 100, worker: true },
    Case { what: "… Google's client alone, 1,000 outstanding", outstanding: 1_000, worker: false },
];

/// No rows where the stand-in was not built, which is printed then.
pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    let Some(server) = Built::find("pubsub").map(|pubsub| pubsub.start(&[])) else { return Vec::new() };
    install_tls();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    CASES.iter().enumerate().map(|(number, case)| measure(&runtime, &server, number, case, effort)).collect()
}

fn measure(runtime: &tokio::runtime::Runtime, server: &Server, number: usize, case: &Case, effort: Effort) -> Figure {
    // With few outstanding a run would take a minute otherwise.
    let messages = effort.choose(case.outstanding * 20, 300);
    let load = Load { messages, payload_bytes: PAYLOAD_BYTES, outstanding: case.outstanding };
    let (mut rates, mut cpu) = (Vec::new(), Vec::new());
    for run in 0..effort.choose(5, 1) {
        let project = format!("figures-{number}-{run}");
        let before = machine::cpu();
        let elapsed = match case.worker {
            true => runtime.block_on(with_a_worker(server, &project, load)),
            false => runtime.block_on(with_the_client_alone(server, &project, load)),
        };
        cpu.push((machine::cpu() - before).as_secs_f64() * 1e6 / messages as f64);
        rates.push(messages as f64 / elapsed.as_secs_f64());
    }
    let note = format!("{:.0} µs a message without the server's", median(&cpu));
    Figure::new(case.what, "messages/s", Target::None, rates).noting(note)
}
