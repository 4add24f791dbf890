//! The notifier's binary.

use std::process::ExitCode;

use platform::runtime::{self, Needs};

fn main() -> ExitCode {
    runtime::main("notifier", Needs::MESSAGES_AND_OBJECTS, |env, ports| podledger_notifier::stage(&env.read()?, ports, env.points()))
}
