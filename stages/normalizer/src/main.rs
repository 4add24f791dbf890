//! The normalizer's binary.

use std::process::ExitCode;

use platform::runtime::{self, Needs};

fn main() -> ExitCode {
    runtime::main("normalizer", Needs::MESSAGES_AND_OBJECTS, |env, ports| podledger_normalizer::stage(&env.read()?, ports))
}
