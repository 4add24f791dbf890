//! The loader's binary.

use std::process::ExitCode;

use platform::runtime::{self, Needs};

fn main() -> ExitCode {
    runtime::main("loader", Needs::MESSAGES_AND_OBJECTS.and_warehouse(), |env, ports| podledger_loader::stage(&env.read()?, ports))
}
