//! Pods a second on one core, from gzip NDJSON to the bytes of an Avro file.

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use platform::ports::Kind;
use podledger_normalizer::map::{self, Seat};
use podledger_normalizer::part::{self, Source};
use podledger_normalizer::{LabelKeys, Owners};
use schemas::{IdBuilder, Timestamp};
use serde_json::{Value, json};

/// Pods in the part; few where speed is not measured but only that it still runs.
const PODS: u64 = if cfg!(debug_assertions) { 200 } else { 5_000 };
/// The size of a pod that figures are quoted for, in bytes.
const POD_BYTES: usize = 6_500;

/// Hex digits that differ from pod to pod, so that the part packs as badly as a real one.
fn digits(what: &str, n: u64) -> String {
    IdBuilder::new(what).part("n", n.to_string()).finish()
}

fn container(name: &str, n: u64) -> Value {
    let variables: Vec<Value> = (0..16)
        .map(|k| match k % 4 {
            0 => json!({"name": format!("SETTING_{k}"), "valueFrom": {"configMapKeyRef": {"name": "settings", "key": format!("key-{k}")}}}),
            _ => json!({"name": format!("SETTING_{k}"), "value": "***"}),
        })
        .collect();
    json!({
        "name": name,
        "image": format!("europe-docker.pkg.dev/project/images/{name}:{}", &digits("image", n % 50)[..12]),
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": variables,
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "4Gi"}},
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5, "failureThreshold": 3},
        "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}],
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true},
    })
}

fn status(name: &str, n: u64) -> Value {
    json!({
        "name": name, "ready": true, "restartCount": n % 3, "started": true,
        "image": format!("europe-docker.pkg.dev/project/images/{name}:{}", &digits("image", n % 50)[..12]),
        "imageID": format!("europe-docker.pkg.dev/project/images/{name}@sha256:{0}{0}", digits("digest", n % 50)),
        "containerID": format!("containerd://{}{}", digits("container", n), digits(name, n)),
        "state": {"running": {"startedAt": "2026-10-01T10:00:05Z"}}, "lastState": {},
    })
}

/// A pod as an API server gives it, after redaction.
fn pod(n: u64) -> String {
    let app = format!("api-{}", n / 5);
    let hash = &digits("template", n / 5)[..10];
    let condition = |name: &str| json!({"type": name, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-10-01T10:00:10Z"});
    let toleration =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    let mut pod = json!({
        "metadata": {
            "name": format!("{app}-{hash}-{}", &digits("pod", n)[..5]), "generateName": format!("{app}-{hash}-"),
            "namespace": format!("team-{}", n % 40), "uid": digits("uid", n), "resourceVersion": (10_000_000 + n).to_string(),
            "creationTimestamp": "2026-10-01T10:00:00Z",
            "labels": {"api_id": app, "app.kubernetes.io/name": app, "pod-template-hash": hash, "team_id": format!("team-{}", n % 40)},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "checksum/config": digits("config", n / 5)},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-{hash}"), "uid": digits("set", n / 5), "controller": true, "blockOwnerDeletion": true}],
        },
        "spec": {
            "volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}],
            "containers": [container("app", n), container("proxy", n)],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst", "serviceAccountName": app,
            "nodeName": format!("gke-prod-uk-pool-{}", n % 300), "schedulerName": "default-scheduler", "priority": 0,
            "tolerations": [toleration("node.kubernetes.io/not-ready"), toleration("node.kubernetes.io/unreachable")],
        },
        "status": {
            "phase": "Running", "hostIP": "10.0.0.7", "podIP": "10.4.3.2", "startTime": "2026-10-01T10:00:01Z", "qosClass": "Burstable",
            "conditions": [condition("Initialized"), condition("Ready"), condition("ContainersReady"), condition("PodScheduled")],
            "containerStatuses": [status("app", n), status("proxy", n)],
        },
    });
    let missing = POD_BYTES.saturating_sub(pod.to_string().len());
    pod["metadata"]["annotations"]["example.com/description"] = "a word or two ".repeat(missing / 14).into();
    pod.to_string()
}

/// A part as the snapshotter stores it, and the `ReplicaSets` of its pods.
fn part_of(pods: &[String]) -> (Vec<u8>, Owners) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for pod in pods {
        writeln!(encoder, "{pod}").unwrap_or_else(|error| panic!("pack a pod: {error}"));
    }
    let packed = encoder.finish().unwrap_or_else(|error| panic!("pack the part: {error}"));
    let mut owners = Owners::new();
    for set in 0..PODS.div_ceil(5) {
        let owner = json!({"kind": "Deployment", "name": format!("api-{set}"), "controller": true});
        let json = json!({"metadata": {"name": "s", "uid": digits("set", set), "ownerReferences": [owner]}});
        owners.learn(json.to_string().as_bytes()).unwrap_or_else(|reject| panic!("{reject}"));
    }
    (packed, owners)
}

/// How long a core was busy with it, so that others on the machine do not slow it down; where the
/// kernel does not say (Linux does), how long it took.
fn on_core(times: u64, act: impl Fn()) -> Duration {
    let (began, busy_before) = (Instant::now(), busy());
    (0..times).for_each(|_| act());
    match (busy_before, busy()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => began.elapsed(),
    }
}

/// What this thread has used of a core: the first number of its `schedstat`, in nanoseconds.
fn busy() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn normalize(criterion: &mut Criterion) {
    let pods: Vec<String> = (0..PODS).map(pod).collect();
    let (packed, owners) = part_of(&pods);
    let bytes: usize = pods.iter().map(String::len).sum();
    println!("{PODS} pods of {} bytes, packed {} bytes each", bytes / pods.len(), packed.len() / pods.len());
    let label_keys = LabelKeys::default();
    let seat = Seat {
        cluster: "prod-uk".into(),
        snapshot_id: "s1".into(),
        observed_at: Timestamp::from_seconds(1_790_000_000),
        label_keys: &label_keys,
        owners: &owners,
        node_count: None,
    };
    let source = Source { kind: Kind::Pods, object: "raw/part", object_count: PODS };
    let mut group = criterion.benchmark_group("normalize");
    group.throughput(Throughput::Elements(PODS));
    let whole_part = || match part::map(black_box(&packed[..]), &source, &seat) {
        Ok(mapped) if mapped.row_count == PODS => drop(black_box(mapped)),
        other => panic!("not every pod became a row: {other:?}"),
    };
    let each_pod = || {
        let mapped = pods.iter().filter(|pod| map::object(Kind::Pods, black_box(pod.as_bytes()), &seat).is_ok());
        assert_eq!(mapped.count(), pods.len());
    };
    group.bench_function("pods, gzip NDJSON to Avro", |bench| bench.iter_custom(|times| on_core(times, whole_part)));
    group.bench_function("pods, JSON to rows", |bench| bench.iter_custom(|times| on_core(times, each_pod)));
    group.finish();
}

criterion_group!(benches, normalize);
criterion_main!(benches);
