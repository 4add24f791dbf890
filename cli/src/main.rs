//! `podledger`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use podledger_cli::args::Cli;
use podledger_cli::exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = std::io::stdout().lock();
    let ended = podledger_cli::run(cli, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) if podledger_cli::is_closed_pipe(&error) => ExitCode::from(Exit::Fine.code()),
        Err(error) => {
            eprintln!("podledger: {error:#}");
            ExitCode::from(podledger_cli::exit_of(&error).code())
        }
    }
}
