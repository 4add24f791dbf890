//! The loader's binary.

use std::process::ExitCode;

use platform::runtime::{Needs, main as run};

fn main() -> ExitCode {
    run("loader", Needs::MESSAGES_AND_OBJECTS.and_warehouse(), podledger_loader::stage)
}
