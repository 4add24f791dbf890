//! The one entry of all stage binaries.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::config_error::ConfigError;
use super::consume::run_monitored;
use super::env::Env;
use super::handle::Stage;
use super::health::Monitor;
use super::http::serve_http;
use super::logs::init_logs;
use super::open::{Needs, layered, open, pubsub_is_emulated};
use super::ports::Ports;
use super::push::{PushDelivery, PushSettings, serve_push};
use super::settings::{DeliveryMode, RuntimeSettings};
use super::shutdown::Shutdown;

/// Something failed.
const FAILED: u8 = 1;
/// The configuration is wrong.
const MISCONFIGURED: u8 = 2;
/// How long blocking work may hold up the end of the process.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Runs one stage as a process, from its environment to its drain.
///
/// Installs the TLS provider, reads [`RuntimeSettings`], starts logs, opens the ports the stage
/// needs, builds the stage, serves HTTP and takes messages, pulled or pushed, until SIGTERM or
/// SIGINT, also while a port is being opened. `build` is called within the async runtime.
///
/// Exits with 0 after a drain, with 2 when the configuration is wrong and 1 when something failed.
pub fn main(stage: &'static str, needs: Needs, build: impl FnOnce(&Env, &Ports) -> anyhow::Result<Stage>) -> ExitCode {
    let mut logs_started = false;
    let Err(error) = start(stage, needs, build, &mut logs_started) else { return ExitCode::SUCCESS };
    match logs_started {
        true => tracing::error!(stage, error = format!("{error:#}"), "failed"),
        false => eprintln!("{stage}: {error:#}"),
    }
    ExitCode::from(exit_status(&error))
}

/// Installs the process's TLS provider; without one the first TLS client panics.
pub fn install_tls() {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
}

fn exit_status(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<ConfigError>()) { MISCONFIGURED } else { FAILED }
}

fn start(
    stage: &'static str,
    needs: Needs,
    build: impl FnOnce(&Env, &Ports) -> anyhow::Result<Stage>,
    logs_started: &mut bool,
) -> anyhow::Result<()> {
    let env = Env::from_process()?;
    let settings: RuntimeSettings = env.read::<RuntimeSettings>()?.checked()?;
    let push = env.read::<PushSettings>()?;
    let push = match settings.delivery {
        DeliveryMode::Pull => None,
        DeliveryMode::Push => Some(push.checked(pubsub_is_emulated()?)?),
    };
    init_logs(settings.log_format, &settings.log, settings.trace_project.as_deref())
        .map_err(|error| ConfigError::new("PODLEDGER_LOG", format!("{error:#}")))?;
    *logs_started = true;
    install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let ended = runtime.block_on(live(stage, needs, build, env, settings, push));
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

async fn live(
    stage_name: &'static str,
    needs: Needs,
    build: impl FnOnce(&Env, &Ports) -> anyhow::Result<Stage>,
    env: Env,
    settings: RuntimeSettings,
    push: Option<PushDelivery>,
) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    shutdown.on_signals().context("listen to signals")?;
    let monitor = Monitor::of_process();
    let faults = settings.injected_faults();
    if faults.are_on() {
        tracing::warn!(spec = ?settings.faults, "faults are switched on");
    }
    // A service that hangs holds this up: a process that is asked to stop meanwhile has nothing in hand.
    let opened = tokio::select! {
        biased;
        () = shutdown.requested() => {
            tracing::info!(stage = stage_name, "stopped before its ports were open");
            return Ok(());
        }
        opened = open(&settings, needs) => opened?,
    };
    let ports = layered(&opened, stage_name, &settings, &faults);
    let env = env.with(monitor.metrics().clone(), faults.points(stage_name));
    let stage = build(&env, &ports).with_context(|| format!("build stage {stage_name}"))?;
    env.warn_of_unknown();
    if let Some(push) = push {
        serve_push(stage, &ports, &settings, &push, &monitor, &shutdown).await?.run().await;
        return Ok(());
    }
    let server = serve_http(settings.http, &monitor, &ports, &shutdown).await?;
    let ended = run_monitored(stage, &ports, &settings, shutdown, &monitor).await;
    server.close().await;
    ended
}
