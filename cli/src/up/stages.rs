//! The five stages in this process.

use anyhow::{Context, Result};
use platform::runtime::{Env, Monitor, Ports, RuntimeSettings, Shutdown, Stage, layered, run};
use tokio::task::JoinSet;

use crate::args::UpArgs;

/// Stages that run until the shutdown is asked for.
pub(super) struct Running {
    tasks: JoinSet<Result<()>>,
}

impl Running {
    /// Waits for every stage to end; the first failure is the error.
    pub(super) async fn stopped(mut self) -> Result<()> {
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a stage panicked")??;
        }
        Ok(())
    }
}

/// Starts all five.
pub(super) fn start(
    args: &UpArgs,
    env: &Env,
    settings: &RuntimeSettings,
    adapters: &Ports,
    shutdown: &Shutdown,
) -> Result<Running> {
    let mut evaluator: evaluator::Config = env.read()?;
    if let Some(policy) = &args.policy {
        evaluator.policy = Some(policy.clone());
    }
    let mut normalizer: normalizer::Config = env.read()?;
    if let [only] = settings.clusters.0.keys().collect::<Vec<_>>().as_slice() {
        // Whatever the log calls it, entries that come to a process with one cluster are of that one.
        normalizer.audit_default_cluster = only.to_string();
        normalizer.audit_clusters.push(format!("*={only}"));
    }
    let faults = settings.injected_faults();
    let mut tasks = JoinSet::new();
    let mut start = |name: &'static str, build: &dyn Fn(&Env, &Ports) -> Result<Stage>| -> Result<()> {
        let ports = layered(adapters, name, settings, &faults);
        let env = env.for_stage(Monitor::of_process().metrics().clone(), faults.points(name));
        let stage = build(&env, &ports).with_context(|| format!("build stage {name}"))?;
        let (settings, shutdown) = (settings.clone(), shutdown.clone());
        tasks.spawn(async move { run(stage, &ports, &settings, shutdown).await });
        Ok(())
    };
    start("snapshotter", &|env, ports| snapshotter::stage(&env.read()?, ports))?;
    start("normalizer", &|_, ports| normalizer::stage(&normalizer, ports))?;
    start("loader", &|env, ports| loader::stage(&env.read()?, ports))?;
    start("evaluator", &|env, ports| evaluator::stage_shown(&evaluator, ports, env.metrics()))?;
    start("notifier", &|env, ports| notifier::stage(&env.read()?, ports, env.points()))?;
    Ok(Running { tasks })
}
