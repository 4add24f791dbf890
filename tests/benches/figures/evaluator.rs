//! The evaluator: verdicts in memory, and the whole handler from stored rows, limits and state to
//! stored state and published violations, on the embedded adapters.

use std::sync::Arc;
use std::time::Instant;

use evaluator::{Changes, Coverage, Policy, Snapshot, State, WorkloadParts, judge};
use platform::embedded::{BrokerSettings, DirObjects, SqliteBroker, SqliteWarehouse};
use platform::ports::{Incoming, Kind, Limit, Objects, Warehouse};
use platform::runtime::{Env, Ports};
use platform::testkit::warehouse::rows;
use schemas::keys::{self, SnapshotKeys};
use schemas::manifest::{KindManifest, Manifest, PartManifest};
use schemas::{
    ClusterName, GkeDeployments, HpaData, Message as _, Purpose, Row, RowBatch, RowWriter, Table, Timestamp,
};

use crate::table::{Figure, Target, median};
use crate::{Effort, machine};

/// One workload in so many is over its limit.
const VIOLATORS: usize = 100;
/// One in so many has an autoscaler.
const SCALED: usize = 2;
/// Rows of a part, the snapshotter's default number of objects.
const PART_ROWS: usize = 5_000;
/// The limit of every workload.
const LIMIT: i64 = 4;
/// First day of the snapshots.
const DAY: u32 = 3;

pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    let workloads = effort.choose(100_000, 500);
    vec![in_memory(workloads, effort.choose(9, 1)), whole(workloads, effort.choose(5, 1))]
}

fn name(number: usize) -> String {
    format!("service-{number}-api")
}

fn at(hour: u32) -> Timestamp {
    rows::october(DAY, hour)
}

fn deployments(snapshot: &str, at: Timestamp, workloads: usize) -> Vec<GkeDeployments> {
    let replicas = |number| if number % VIOLATORS == 0 { LIMIT + 2 } else { LIMIT - 1 };
    (0..workloads).map(|number| rows::deployment(snapshot, at, &name(number), replicas(number))).collect()
}

fn autoscalers(snapshot: &str, at: Timestamp, workloads: usize) -> Vec<HpaData> {
    (0..workloads).step_by(SCALED).map(|number| rows::autoscaler(snapshot, at, &name(number), LIMIT)).collect()
}

fn limit(number: usize) -> Limit {
    Limit {
        declaration_id: format!("declaration-{number}").into(),
        namespace: "payments".to_owned(),
        deployment_name: name(number),
        cluster: None,
        max_replicas: LIMIT,
        previous_max_replicas: None,
        initial_max_replicas: LIMIT,
        declared_at: rows::october(1, 0),
        updated_by: "bob@example.com".to_owned(),
        change_reason: None,
        api_id: None,
        team_id: None,
        user_id: None,
        source: None,
    }
}

/// Judges a snapshot whose violators are known from the one before, as most snapshots are.
fn in_memory(workloads: usize, runs: usize) -> Figure {
    let snapshot = |hour: u32| {
        let mut parts = WorkloadParts::default();
        deployments("s", at(hour), workloads).into_iter().for_each(|row| parts.add_deployment(row));
        autoscalers("s", at(hour), workloads).into_iter().for_each(|row| parts.add_autoscaler(row));
        Snapshot {
            cluster: rows::prod(),
            snapshot_id: format!("s{hour}").into(),
            observed_at: at(hour),
            workloads: parts.join((0..workloads).map(limit).collect()),
            changes: Changes::default(),
            coverage: Coverage::complete(),
        }
    };
    let policy = Policy::default();
    let mut state = judge(&policy, &State::default(), &snapshot(0)).state;
    state.pending.clear();
    let next = snapshot(1);
    let (mut rates, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (started, before) = (Instant::now(), machine::cpu_of_thread());
        let judged = judge(&policy, &state, &next);
        rates.push(workloads as f64 / started.elapsed().as_secs_f64());
        cpu.push(workloads as f64 / (machine::cpu_of_thread() - before).as_secs_f64());
        assert_eq!(judged.summary.workloads, workloads as u64);
        assert!(
            judged.summary.open.values().sum::<u64>() >= (workloads / VIOLATORS) as u64,
            "nobody is over the limit"
        );
    }
    Figure::new("evaluator, workloads judged in memory", "workloads/s", Target::AtLeast(1e6), rates)
        .noting(format!("{:.0} workloads a second of it", median(&cpu)))
}

fn file<R: Row>(rows: &[R]) -> Vec<u8> {
    let mut writer = RowWriter::new().unwrap();
    rows.iter().for_each(|row| writer.push(row).unwrap());
    writer.finish().unwrap()
}

/// Stores rows and notes of one kind as the normalizer does; the manifest's entry and the last note.
async fn store<R: Row>(
    objects: &dyn Objects,
    keys: &SnapshotKeys,
    kind: Kind,
    at: Timestamp,
    rows: &[R],
) -> (KindManifest, RowBatch) {
    let chunks: Vec<&[R]> = rows.chunks(PART_ROWS).collect();
    let (mut parts, mut last) = (Vec::new(), None);
    for (part, rows) in (0..).zip(&chunks) {
        let (object, count) = (keys.rows_part(0, R::TABLE, part), i64::try_from(rows.len()).unwrap());
        objects.create_bytes(&object, file(rows)).await.unwrap();
        let batch = RowBatch {
            snapshot_id: keys.snapshot_id().clone(),
            cluster: keys.cluster().clone(),
            kind: kind.name().to_owned(),
            table: R::TABLE.name().to_owned(),
            part,
            parts: i64::try_from(chunks.len()).unwrap(),
            object,
            row_count: count,
            object_count: count,
            reject_object: String::new(),
            reject_count: 0,
            observed_at: at,
            manifest: keys.manifest(),
            purpose: Purpose::Scheduled,
            revision: 0,
        };
        objects.create_bytes(&keys.done_part(0, kind.name(), part), serde_json::to_vec(&batch).unwrap()).await.unwrap();
        parts.push(PartManifest { object: keys.raw_part(1, kind.name(), part), object_count: count, bytes: 1 });
        last = Some(batch);
    }
    let listed = KindManifest {
        complete: true,
        gap: None,
        api_version: "v1".to_owned(),
        resource_version: "1".to_owned(),
        object_count: i64::try_from(rows.len()).unwrap(),
        excluded_count: 0,
        parts,
    };
    (listed, last.unwrap())
}

/// Stores a whole snapshot; the message that completes it.
async fn snapshot(objects: &dyn Objects, cluster: &ClusterName, hour: u32, workloads: usize) -> Incoming {
    let (id, at) = (format!("s{hour}"), at(hour));
    let keys = SnapshotKeys::new(cluster.clone(), at, id.as_str().into());
    let (scaled, _) = store(objects, &keys, Kind::HorizontalPodAutoscalers, at, &autoscalers(&id, at, workloads)).await;
    let (deployed, last) = store(objects, &keys, Kind::Deployments, at, &deployments(&id, at, workloads)).await;
    let kinds = [(Kind::HorizontalPodAutoscalers, scaled), (Kind::Deployments, deployed)];
    let manifest = Manifest {
        format: 1,
        snapshot_id: id.as_str().into(),
        cluster: cluster.clone(),
        attempt: 1,
        requested_at: at,
        requested_by: "figures".to_owned(),
        observed_at: at,
        purpose: Purpose::Scheduled,
        kinds: kinds.into_iter().map(|(kind, listed)| (kind.name().to_owned(), listed)).collect(),
    };
    objects.create_bytes(&keys.manifest(), serde_json::to_vec(&manifest).unwrap()).await.unwrap();
    let encoded = last.encode().unwrap();
    Incoming {
        message_id: id,
        payload: encoded.bytes,
        attributes: encoded.attributes,
        ordering_key: None,
        published_at: at,
        delivery_attempt: 1,
    }
}

/// The handler on a snapshot whose parts are all there: rows, limits and state read, judged, stored.
fn whole(workloads: usize, runs: usize) -> Figure {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (times, cpu) = runtime.block_on(async {
        let objects: Arc<dyn Objects> = Arc::new(DirObjects::open(path.join("objects")).unwrap());
        let warehouse = SqliteWarehouse::open(path.join("warehouse.db")).unwrap();
        warehouse.prepare().await.unwrap();
        let declared: Vec<_> = (0..workloads)
            .map(|number| rows::declaration(&format!("d{number}"), rows::october(1, 0), &name(number), LIMIT))
            .collect();
        warehouse.upsert(Table::LimitDeclarations, file(&declared)).await.unwrap();
        let ports = Ports {
            warehouse: Some(Arc::new(warehouse)),
            ..Ports::new(
                Arc::new(SqliteBroker::open(path.join("broker.db"), BrokerSettings::default()).unwrap()),
                Arc::clone(&objects),
            )
        };
        let config = Env::from_pairs([("PODLEDGER_POLICY", "")]).read().unwrap();
        let stage = evaluator::stage(&config, &ports).unwrap();
        let handle = &stage.consumers[0].handle;
        let cluster = rows::prod();
        let (mut times, mut cpu) = (Vec::new(), Vec::new());
        for hour in (0..).take(runs + 1) {
            let message = snapshot(objects.as_ref(), &cluster, hour, workloads).await;
            let (before, started) = (machine::cpu(), Instant::now());
            handle.handle_incoming(&message).await.unwrap();
            let elapsed = started.elapsed();
            let (_, stored) = objects.read_bytes(&keys::evaluator_state(&cluster), u64::MAX).await.unwrap().unwrap();
            let state = State::parse("state", &stored).unwrap();
            assert!(state.newest.is_some_and(|newest| newest.observed_at == at(hour)), "the snapshot was not judged");
            // The first one opens every episode, which later ones only keep.
            if hour > 0 {
                times.push(elapsed.as_secs_f64());
                cpu.push((machine::cpu() - before).as_secs_f64());
            }
        }
        (times, cpu)
    });
    Figure::new(format!("evaluator, {workloads} workloads with rows, limits, state"), "s", Target::AtMost(1.5), times)
        .noting(format!("{:.2} s", median(&cpu)))
}
