//! The evaluator's binary.

use std::process::ExitCode;

use platform::runtime::{self, Needs};

fn main() -> ExitCode {
    runtime::main("evaluator", Needs::MESSAGES_AND_OBJECTS.and_warehouse(), |env, ports| podledger_evaluator::stage(&env.read()?, ports))
}
