//! `up --once`: declarations in, one snapshot through all stages, a report out.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::TryStreamExt as _;
use platform::ports::{FixedClock, Outgoing, Question};
use platform::runtime::{Env, Ports, RuntimeSettings, Shutdown};
use schemas::keys::SnapshotKeys;
use schemas::{ClusterName, IdBuilder, Purpose, Topic, Violation};
use sha2::{Digest as _, Sha256};

use super::progress::Progress;
use super::report::{Declarations, RejectedFile, Report};
use super::source::Source;
use super::{collect, idle, stages};
use crate::args::{Format, UpArgs};
use crate::commands::snapshot::request;
use crate::data_dir::DataDir;
use crate::exit::{Exit, UsageError};
use crate::registration::files::{Stamps, read};
use crate::registration::{self, History};
use crate::house;

/// Audit entries published together.
const ENTRIES_AT_ONCE: usize = 500;

/// Runs once and prints the report.
#[allow(clippy::too_many_arguments)] // Everything `up` opened, handed on once.
pub async fn run(
    args: &UpArgs,
    env: Env,
    settings: RuntimeSettings,
    mut adapters: Ports,
    source: Option<&Source>,
    data: &DataDir,
    format: Format,
    out: &mut impl Write,
) -> Result<Exit> {
    let started = std::time::Instant::now();
    let cluster = match (source, adapters.clusters.keys().collect::<Vec<_>>().as_slice()) {
        (Some(source), _) => source.cluster.clone(),
        (None, [only]) => (*only).clone(),
        (None, several) => {
            let names: Vec<_> = several.iter().map(|name| name.as_str()).collect();
            return Err(UsageError(format!("--once observes one cluster, PODLEDGER_CLUSTERS has {}", names.join(", "))).into());
        }
    };
    if let Some(at) = args.at.or(source.and_then(|source| source.taken_at)) {
        adapters.clock = Arc::new(FixedClock(at));
    }
    let progress = Progress::new();
    let shutdown = Shutdown::new();
    shutdown.on_signals().context("listen to signals")?;
    let running = stages::start(args, &env, &settings, &adapters, &shutdown)?;
    let work = carry(args, &adapters, &cluster, source, data, &progress);
    let report = tokio::select! {
        report = work => report,
        () = shutdown.requested() => Err(anyhow::anyhow!("stopped before the end; what is stored stays, another run goes on with it")),
    };
    shutdown.trigger();
    running.stopped().await?;
    progress.clear();
    let mut report = report?;
    report.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.write(format, out)?;
    let refused = args.fail_on.is_some_and(|severity| report.reaches(severity));
    Ok(if refused { Exit::Refused } else { Exit::Fine })
}

/// The steps of one run: declarations and audit entries first, so that the snapshot is judged by them.
async fn carry(
    args: &UpArgs,
    ports: &Ports,
    cluster: &ClusterName,
    source: Option<&Source>,
    data: &DataDir,
    progress: &Progress,
) -> Result<Report> {
    let broker = ports.broker.as_ref();
    let warehouse = house::warehouse(ports)?.as_ref();
    let before = sent(ports).await?;

    progress.doing("registering declarations");
    idle::wait(broker, args.timeout, progress).await?; // what an earlier run left behind
    let declarations = register(args, ports).await?;
    publish_audit_entries(ports, cluster).await?;
    idle::wait(broker, args.timeout, progress).await?;

    progress.doing("taking a snapshot");
    let now = ports.clock.now();
    let id = source.and_then(Source::dump).filter(|_| is_fixed(args, source)).map(|folder| id_of(cluster, now, folder)).transpose()?;
    let request = request(cluster.as_str(), Vec::new(), id.as_deref(), now, Purpose::Manual);
    let keys = SnapshotKeys::new(cluster.clone(), now, request.request_id.as_str().into());
    broker.publish_messages(std::slice::from_ref(&request)).await.context("cannot ask for a snapshot")?;
    idle::wait(broker, args.timeout, progress).await?;

    let manifest = collect::manifest(ports.objects.as_ref(), &keys)
        .await?
        .context("the snapshot was given up: see the dead letters and the log")?;
    let (kinds, rejects) = collect::outcome(ports.objects.as_ref(), &keys, &manifest).await?;
    let mut violations = open_episodes(warehouse, cluster).await?;
    violations.sort_by(|a, b| {
        (b.severity, a.alert_type, &a.namespace, &a.deployment_name).cmp(&(a.severity, b.alert_type, &b.namespace, &b.deployment_name))
    });
    let (judged, in_grace) = collect::standing(ports.objects.as_ref(), &manifest).await?;
    let after = sent(ports).await?;
    Ok(Report {
        snapshot_id: manifest.snapshot_id,
        cluster: manifest.cluster,
        observed_at: manifest.observed_at,
        judged,
        kinds,
        rejects,
        declarations,
        violations,
        in_grace,
        notifications: after.notifications - before.notifications,
        dead_letters: after.dead_letters - before.dead_letters,
        data: data.path().display().to_string(),
        elapsed_ms: 0,
    })
}

/// Whether the run's time is given rather than the machine's.
fn is_fixed(args: &UpArgs, source: Option<&Source>) -> bool {
    args.at.is_some() || source.is_some_and(|source| source.taken_at.is_some())
}

/// Registers the PED files; `--ped` absent registers nothing.
async fn register(args: &UpArgs, ports: &Ports) -> Result<Declarations> {
    let Some(ped) = &args.ped else { return Ok(Declarations::default()) };
    let now = ports.clock.now();
    // One look at one time: declarations hold from the run's time on, whenever they were committed.
    let stamps = Stamps { at: Some(now), ..Stamps::default() };
    let (declared, rejected) = read(std::slice::from_ref(ped), args.mapping.as_deref(), &stamps, now)?;
    let plan = History::read(house::warehouse(ports)?.as_ref()).await?.plan(declared)?;
    registration::publish(ports.broker.as_ref(), &plan).await?;
    Ok(Declarations {
        registered: plan.changes.len(),
        unchanged: plan.unchanged.len(),
        rejected: rejected.into_iter().map(|file| RejectedFile { file: file.file, reason: file.reason }).collect(),
    })
}

/// Publishes the audit entries that lie beside a dump's objects, as the log sink would.
async fn publish_audit_entries(ports: &Ports, cluster: &ClusterName) -> Result<()> {
    let Some(source) = ports.clusters.get(cluster) else { return Ok(()) };
    let mut entries = source.audit_entries().await?.try_chunks(ENTRIES_AT_ONCE);
    while let Some(chunk) = entries.try_next().await.map_err(|error| error.1)? {
        let messages = chunk.into_iter().map(|entry| Outgoing { payload: entry.entry.to_vec(), ..Outgoing::default() }).collect();
        ports.broker.publish(Topic::AuditLogs, messages).await.context("cannot publish audit entries")?;
    }
    Ok(())
}

/// Messages published so far.
struct Sent {
    notifications: u64,
    dead_letters: u64,
}

async fn sent(ports: &Ports) -> Result<Sent> {
    let counts = ports.broker.counts().await?.unwrap_or_default();
    let published = |topic: Topic| {
        let name = format!("{topic}--loader");
        counts.iter().filter(|count| count.subscription == name).map(|count| count.published).sum()
    };
    Ok(Sent { notifications: published(Topic::Notifications), dead_letters: published(Topic::DeadLetters) })
}

/// The newest transition of each open episode of a cluster.
async fn open_episodes(warehouse: &dyn platform::ports::Warehouse, cluster: &ClusterName) -> Result<Vec<Violation>> {
    let question = Question::Episodes { open_only: true, cluster: Some(cluster.clone()), since: None };
    let answer = warehouse.ask(&question).await.context("cannot read the episodes")?;
    answer
        .rows
        .into_iter()
        .map(|row| {
            let fields: serde_json::Map<_, _> = answer.columns.iter().cloned().zip(row).collect();
            // Through text: a field that is JSON is read from the text it is written as.
            let text = serde_json::to_string(&fields)?;
            serde_json::from_str(&text).context("an episode of the alert log cannot be read")
        })
        .collect()
}

/// Id of a snapshot of files at a given time: the same files at the same time are the same snapshot.
fn id_of(cluster: &ClusterName, at: schemas::Timestamp, folder: &std::path::Path) -> Result<String> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        digest.update(file.to_string_lossy().as_bytes());
        // A file that cannot be read is rejected by the snapshot itself, with its place.
        if let Ok(mut content) = std::fs::File::open(&file) {
            digest.update([0]);
            if std::io::copy(&mut content, &mut HashWriter(&mut digest)).is_err() {
                digest.update([1]);
            }
        }
    }
    Ok(IdBuilder::new("dump")
        .part("cluster", cluster.as_str())
        .part("at", at.micros().to_be_bytes())
        .part("content", digest.finalize())
        .finish())
}

/// Feeds a digest.
struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Regular files below a folder.
fn list(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("dump {}: cannot be listed", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}
