//! `up`: all five stages in one process.

pub mod collect;
mod evidence;
mod idle;
mod once;
mod progress;
pub mod report;
mod source;
mod stages;

use std::io::Write;

use anyhow::{Context, Result};
use platform::runtime::{ConfigError, DeliveryMode, Env, Monitor, Needs, Shutdown, open, serve_http};
use schemas::Purpose;

use crate::args::{Format, UpArgs};
use crate::commands::snapshot::request;
use crate::data_dir::DataDir;
use crate::exit::{Exit, UsageError};
use crate::{house, registration};

/// Runs the stages: once, or until it is asked to stop.
pub async fn run(args: &UpArgs, env: Env, format: Format, out: &mut impl Write) -> Result<Exit> {
    if let Some(ped) = &args.ped {
        std::fs::metadata(ped).map_err(|error| UsageError(format!("declarations {}: {error}", ped.display())))?;
    }
    let data = DataDir::open(&args.data.data)?;
    let _lock = data.lock()?; // held until the end
    let mut settings = house::settings(&env, &data)?;
    if settings.delivery != DeliveryMode::Pull {
        let reason = "push is for stages in processes of their own (expected with up: pull)";
        return Err(ConfigError::new("PODLEDGER_DELIVERY", reason).into());
    }
    let source = source::of(args)?;
    if let Some(source) = &source {
        source.apply(&mut settings);
    }
    if settings.clusters.0.is_empty() && (args.once || settings.documents.0.is_empty()) {
        let reason = "no cluster to observe: give --dump DIR or --kube, or set PODLEDGER_CLUSTERS";
        return Err(UsageError(reason.into()).into());
    }
    let needs = Needs::MESSAGES_AND_OBJECTS.and_warehouse().and_clusters();
    let adapters = open(&settings, needs).await?;
    if args.once {
        return once::run(args, env, settings, adapters, source.as_ref(), &data, format, out).await;
    }

    let shutdown = Shutdown::new();
    shutdown.on_signals().context("listen to signals")?;
    let monitor = Monitor::of_process();
    let running = stages::start(args, &env, &settings, &adapters, &shutdown)?;
    let server = serve_http(settings.http, &monitor, &adapters, &shutdown).await?;
    if let Some(ped) = &args.ped {
        let (declared, rejected) = registration::files::read(
            std::slice::from_ref(ped),
            args.mapping.as_deref(),
            &registration::files::Stamps::default(),
            adapters.clock.now(),
        )?;
        for file in &rejected {
            tracing::warn!(file = file.file, reason = file.reason, "declaration rejected");
        }
        let plan = registration::History::read(house::warehouse(&adapters)?.as_ref()).await?.plan(declared)?;
        registration::publish(adapters.broker.as_ref(), &plan).await?;
        tracing::info!(
            registered = plan.changes.len(),
            unchanged = plan.unchanged.len(),
            rejected = rejected.len(),
            "declarations"
        );
    }
    let mut ticks = tokio::time::interval(args.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = shutdown.requested() => break,
            _ = ticks.tick() => {
                let now = adapters.clock.now();
                let requests: Vec<_> = adapters
                    .clusters
                    .keys()
                    .chain(adapters.documents.keys())
                    .map(|cluster| request(cluster.as_str(), Vec::new(), None, now, Purpose::Scheduled))
                    .collect();
                if let Err(error) = adapters.broker.publish_messages(&requests).await {
                    tracing::error!(error = format!("{error:#}"), "cannot ask for snapshots, the next tick tries again");
                }
            }
        }
    }
    running.stopped().await?;
    server.close().await;
    Ok(Exit::Fine)
}
