//! How fast snapshots are judged: in memory, and from stored rows and state to stored state.

#![allow(missing_docs, clippy::unwrap_used)] // criterion's macros are not documented; a failed unwrap ends the bench

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use platform::ports::Limit;
use podledger_evaluator::{Changes, Coverage, Policy, Snapshot, State, Workload, WorkloadParts, judge};
use schemas::{GkeDeployments, HpaData, Row, RowReader, RowWriter, Timestamp};

/// Workloads of one snapshot; few in a debug build, which only sees that it runs.
const WORKLOADS: i64 = if cfg!(debug_assertions) { 1_000 } else { 100_000 };
/// One in so many is over its limit.
const VIOLATORS: i64 = 100;
/// One in so many has an autoscaler.
const SCALED: i64 = 2;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_seconds(1_790_856_000 + minutes * 60)
}

fn place(number: i64) -> (String, String) {
    (format!("team-{}", number % 500), format!("service-{number}-api"))
}

fn deployment(number: i64) -> GkeDeployments {
    let (namespace, name) = place(number);
    let pods = if number % VIOLATORS == 0 { 6 } else { 3 };
    GkeDeployments {
        cluster: "prod-uk".into(),
        snapshot_id: "snapshot-1".into(),
        observed_at: at(0),
        namespace,
        name,
        uid: Some(format!("6f1e1c1a-0000-4000-8000-{number:012}")),
        generation: Some(3),
        observed_generation: Some(3),
        created_at: Some(at(-100_000)),
        desired_replicas: pods,
        actual_replicas: pods,
        ready_replicas: pods,
        available_replicas: pods,
        updated_replicas: pods,
        unavailable_replicas: 0,
        strategy: "RollingUpdate".to_owned(),
        max_surge: Some("25%".to_owned()),
        max_unavailable: Some("25%".to_owned()),
        progress_deadline_seconds: Some(600),
        paused: false,
        progressing: number % 50 == 0,
        progressing_since: Some(at(-1)),
        image: Some("registry.example.com/service:1.2.3".to_owned()),
        resource_limits_cpu: Some("2".to_owned()),
        resource_limits_memory: Some("4Gi".to_owned()),
        resource_requests_cpu: Some("500m".to_owned()),
        resource_requests_memory: Some("1Gi".to_owned()),
        cpu_request_millicores: Some(500),
        cpu_limit_millicores: Some(2_000),
        memory_request_bytes: Some(1 << 30),
        memory_limit_bytes: Some(4 << 30),
        api_id: Some(format!("api-{number}")),
        team_id: Some(format!("team-{}", number % 500)),
        labels: None,
        conditions: Vec::new(),
    }
}

fn autoscaler(number: i64) -> HpaData {
    let (namespace, target) = place(number);
    HpaData {
        cluster: "prod-uk".into(),
        snapshot_id: "snapshot-1".into(),
        observed_at: at(0),
        name: target.clone(),
        namespace,
        creation_timestamp: None,
        resource_version: None,
        uid: None,
        scale_target_kind: Some("Deployment".to_owned()),
        scale_target_name: Some(target),
        min_replicas: Some(2),
        max_replicas: Some(4),
        metric_type: Some("Resource".to_owned()),
        metric_name: Some("cpu".to_owned()),
        target_utilization: Some(70),
        current_utilization: Some(50),
        current_value: None,
        current_replicas: Some(3),
        desired_replicas: Some(3),
        last_scale_time: None,
        scaling_conditions: Vec::new(),
        metric_index: Some(0),
        metric_container: None,
        metric_selector: None,
        target_type: Some("Utilization".to_owned()),
        target_value: None,
        behavior: None,
        api_id: None,
        team_id: None,
        labels: None,
    }
}

fn limits() -> Vec<Limit> {
    let one = |number| {
        let (namespace, deployment_name) = place(number);
        Limit {
            declaration_id: format!("declaration-{number}").into(),
            namespace,
            deployment_name,
            cluster: None,
            max_replicas: 4,
            previous_max_replicas: None,
            initial_max_replicas: 4,
            declared_at: at(-200_000),
            updated_by: "bob@example.com".to_owned(),
            change_reason: None,
            api_id: None,
            team_id: None,
            user_id: None,
            source: None,
        }
    };
    (0..WORKLOADS).map(one).collect()
}

fn file<R: Row>(rows: impl Iterator<Item = R>) -> Vec<u8> {
    let mut writer = RowWriter::new().unwrap();
    rows.for_each(|row| writer.push(&row).unwrap());
    writer.finish().unwrap()
}

fn snapshot(minutes: i64, workloads: Vec<Workload>) -> Snapshot {
    Snapshot {
        cluster: "prod-uk".into(),
        snapshot_id: format!("snapshot-{minutes:06}").into(),
        observed_at: at(minutes),
        workloads,
        changes: Changes::default(),
        coverage: Coverage::complete(),
    }
}

fn read(deployments: &[u8], autoscalers: &[u8], limits: Vec<Limit>) -> Vec<Workload> {
    let mut parts = WorkloadParts::default();
    RowReader::read(deployments).unwrap().for_each(|row| parts.add_deployment(row.unwrap()));
    RowReader::read(autoscalers).unwrap().for_each(|row| parts.add_autoscaler(row.unwrap()));
    parts.join(limits)
}

fn evaluate(criterion: &mut Criterion) {
    let deployments = file((0..WORKLOADS).map(deployment));
    let autoscalers = file((0..WORKLOADS / SCALED).map(|number| autoscaler(number * SCALED)));
    let policy = Policy::default();
    let workloads = read(&deployments, &autoscalers, limits());
    let first = judge(&policy, &State::default(), &snapshot(0, workloads.clone()));
    assert_eq!(first.summary.workloads, WORKLOADS.unsigned_abs());
    assert!(first.summary.open.values().sum::<u64>() >= (WORKLOADS / VIOLATORS).unsigned_abs());
    let mut state = first.state;
    state.pending.clear();
    let next = snapshot(5, workloads);
    let stored = state.to_bytes().unwrap();

    let mut group = criterion.benchmark_group("evaluate");
    group.sample_size(10);
    group.throughput(Throughput::Elements(WORKLOADS.unsigned_abs()));
    group.bench_function("judge 100,000 workloads, 1,000 over their limit for a while", |bencher| {
        bencher.iter(|| black_box(judge(&policy, &state, &next)));
    });
    group.bench_function("judge 100,000 workloads for the first time", |bencher| {
        bencher.iter(|| black_box(judge(&policy, &State::default(), &next)));
    });
    group.bench_function("rows, limits and state of 100,000 workloads to the next state", |bencher| {
        bencher.iter_batched(
            limits,
            |limits| {
                let state = State::parse("state", &stored).unwrap();
                let next = snapshot(5, read(&deployments, &autoscalers, limits));
                black_box(judge(&policy, &state, &next).state.to_bytes().unwrap())
            },
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
