//! How fast the embedded warehouse takes a large snapshot, and answers about it.

#![allow(clippy::expect_used)] // A failed step is a failed measurement.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use podledger_platform::embedded::warehouse::SqliteWarehouse;
use podledger_platform::ports::{LoadJob, SnapshotPart, SnapshotRows, Warehouse};
use podledger_platform::testkit::memory::MemoryObjects;
use podledger_platform::testkit::warehouse::parts::stored;
use podledger_platform::testkit::warehouse::rows::{autoscaler, declaration, deployment, october, pod, prod};
use schemas::{GkePods, Json, Row, RowWriter};

/// A debug build only sees that every benchmark runs, and on little.
const PODS: usize = if cfg!(debug_assertions) { 500 } else { 50_000 };
const WORKLOADS: usize = if cfg!(debug_assertions) { 100 } else { 10_000 };
/// Rows of a part, about as many as a normalizer writes.
const PART: usize = 5_000;

fn name(number: usize) -> String {
    format!("workload-{number:05}")
}

/// A pod with what a real one has.
fn full_pod(number: usize) -> GkePods {
    GkePods {
        deployment_name: Some(name(number / 5)),
        node_name: Some(format!("gke-prod-pool-1-{:04x}", number % 500)),
        started_at: Some(october(1, 1)),
        containers: Json::parse(
            r#"[{"name":"app","image":"europe-docker.pkg.dev/p/r/app:1.2.3","requests":{"cpu":"500m","memory":"512Mi"},"limits":{"cpu":"1","memory":"1Gi"}}]"#,
        )
        .ok(),
        ..pod("s1", &format!("{}-5d4f8c7b9-{number:05}", name(number / 5)))
    }
}

async fn job<R: Row>(objects: &MemoryObjects, rows: &[R]) -> LoadJob {
    let mut parts: Vec<SnapshotPart> = Vec::new();
    for (number, rows) in rows.chunks(PART).enumerate() {
        parts.push(stored(objects, &format!("{}-{number}", R::TABLE), rows).await);
    }
    let snapshots = vec![SnapshotRows { snapshot_id: "s1".into(), revision: 0, parts }];
    LoadJob { id: R::TABLE.to_string(), table: R::TABLE, snapshots }
}

fn large_snapshot(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime starts");
    let objects = MemoryObjects::default();
    let jobs = runtime.block_on(async {
        let pods: Vec<_> = (0..PODS).map(full_pod).collect();
        let deployments: Vec<_> = (0..WORKLOADS).map(|n| deployment("s1", october(2, 0), &name(n), 5)).collect();
        let autoscalers: Vec<_> = (0..WORKLOADS).map(|n| autoscaler("s1", october(2, 0), &name(n), 6)).collect();
        [job(&objects, &pods).await, job(&objects, &deployments).await, job(&objects, &autoscalers).await]
    });
    let declarations = {
        let mut writer = RowWriter::new().expect("the schema is known");
        for number in 0..WORKLOADS {
            writer
                .push(&declaration(&format!("d{number}"), october(1, 0), &name(number), 4))
                .expect("a row is written");
        }
        writer.finish().expect("the file is written")
    };

    let mut group = criterion.benchmark_group("warehouse");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function("load 50,000 pods, 10,000 deployments, 10,000 autoscalers", |bencher| {
        bencher.iter_batched(
            || {
                let folder = tempfile::tempdir().expect("a folder is made");
                let warehouse = SqliteWarehouse::open(folder.path().join("w.db")).expect("it opens");
                (folder, warehouse)
            },
            |(folder, warehouse)| {
                runtime.block_on(async {
                    for job in &jobs {
                        black_box(warehouse.load(job, &objects).await.expect("it loads"));
                    }
                });
                (folder, warehouse)
            },
            BatchSize::PerIteration,
        );
    });

    let folder = tempfile::tempdir().expect("a folder is made");
    let warehouse = SqliteWarehouse::open(folder.path().join("w.db")).expect("it opens");
    runtime.block_on(async {
        for job in &jobs {
            warehouse.load(job, &objects).await.expect("it loads");
        }
        warehouse.upsert(schemas::Table::LimitDeclarations, declarations.clone()).await.expect("it upserts");
    });
    group.bench_function("upsert 10,000 declarations again", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(warehouse.upsert(schemas::Table::LimitDeclarations, declarations.clone()))
                .expect("it upserts");
        });
    });
    group.bench_function("limits as of a time, 10,000 workloads", |bencher| {
        bencher.iter(|| {
            let limits = runtime.block_on(warehouse.limits_as_of(&prod(), october(3, 0))).expect("it answers");
            assert_eq!(limits.len(), WORKLOADS);
        });
    });
    for view in ["compliance_now", "billing_monthly", "pod_metrics"] {
        let question = podledger_platform::ports::Question::Rows { name: view.to_owned(), limit: WORKLOADS as u64 };
        group.bench_function(format!("{view}, 10,000 workloads"), |bencher| {
            bencher.iter(|| {
                let answer = runtime.block_on(warehouse.ask(&question)).expect("it answers");
                assert_eq!(answer.rows.len(), WORKLOADS);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, large_snapshot);
criterion_main!(benches);
