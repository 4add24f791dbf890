//! The command line of podledger.
//!
//! Consumes arguments, files and the ports; emits tables, JSON and exit codes. It decides nothing
//! that a stage decides: every command is a question to a port, a message, or a stage's own function.

pub mod args;
pub mod commands;
pub mod data_dir;
pub mod exit;
pub mod explain;
pub mod house;
pub mod output;
pub mod ped;
pub mod provision;
pub mod registration;
pub mod up;
mod yaml;

use std::io::Write;

use anyhow::{Context, Result};
use platform::runtime::{ConfigError, Env, LogFormat, init_logs};

use args::{AlertsCommand, Cli, Command, LimitCommand, PedCommand, SchemaCommand};
use commands::{alerts, limit, schema, snapshot, verify};
use exit::{Exit, UsageError};

/// Variable that says what is logged.
const LOG_VARIABLE: &str = "PODLEDGER_LOG";

/// What is logged by commands that print a result.
const QUIET: &str = "warn,podledger_notifier::channel::log=off";

/// Runs one command.
pub fn run(cli: Cli, out: &mut impl Write) -> Result<Exit> {
    // A run that ends in a report is quiet unless something is wrong (what the log receiver tells is
    // in the report); one that goes on says what it does.
    let level = if matches!(&cli.command, Command::Up(up) if !up.once) { "info" } else { QUIET };
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| level.to_owned());
    init_logs(LogFormat::Auto, &filter, None).map_err(|error| UsageError(format!("{LOG_VARIABLE}: {error:#}")))?;
    platform::runtime::install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(dispatch(cli, out))
}

async fn dispatch(cli: Cli, out: &mut impl Write) -> Result<Exit> {
    let format = cli.format;
    let env = Env::from_process()?;
    match cli.command {
        Command::Up(args) => up::run(&args, env, format, out).await,
        Command::Explain(args) => commands::explain::run(&args, out),
        Command::Snapshot(args) => {
            let ports = house::ports(&env, &args.data.data).await?;
            snapshot::run(&args, format, &ports, out).await
        }
        Command::Ped(PedCommand::Validate(args)) => commands::ped::validate(&args, format, out),
        Command::Ped(PedCommand::Register(args)) => {
            commands::ped::register(&args, format, &house::ports(&env, &args.data.data).await?, out).await
        }
        Command::Ped(PedCommand::Diff(args)) => {
            commands::ped::diff(&args, format, &house::ports(&env, &args.data.data).await?, out).await
        }
        Command::Limit(LimitCommand::Get(args)) => {
            let ports = house::ports(&env, &args.data.data).await?;
            limit::get(&args, format, house::warehouse(&ports)?.as_ref(), ports.clock.now(), out).await
        }
        Command::Alerts(AlertsCommand::List(args)) => {
            let ports = house::ports(&env, &args.data.data).await?;
            alerts::list(&args, format, house::warehouse(&ports)?.as_ref(), out).await
        }
        Command::Verify(args) => {
            let ports = house::ports(&env, &args.data.data).await?;
            let proof = verify::prove(&args, &ports).await?;
            verify::write(&proof, format, out)
        }
        Command::Provision(args) => provision::run(&args, &env, format, out).await,
        Command::Schema(SchemaCommand::Check) => schema::check(format, out),
        Command::Schema(SchemaCommand::Ddl(args)) => schema::ddl(&args, out),
    }
}

/// How the program ends with an error.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    let usage = error.chain().any(|cause| cause.is::<UsageError>() || cause.is::<ConfigError>());
    if usage { Exit::Usage } else { Exit::Failed }
}

/// Whether the reader of the output went away, such as `head`: that is no failure.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let plain = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        plain.or_else(|| cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind))
    };
    error.chain().filter_map(kind).any(|kind| kind == std::io::ErrorKind::BrokenPipe)
}
