//! The snapshotter's binary.

use std::process::ExitCode;

use platform::runtime::{self, Needs};

fn main() -> ExitCode {
    runtime::main("snapshotter", Needs::MESSAGES_AND_OBJECTS.and_clusters(), |env, ports| podledger_snapshotter::stage(&env.read()?, ports))
}
