//! The normalizer on one thread: stored parts of pods to files of rows, and audit entries to changes.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use normalizer::audit::{AuditContext, decode_message};
use normalizer::map::Seat;
use normalizer::part::{self, Source};
use normalizer::{LabelKeys, Owners};
use platform::ports::Kind;
use schemas::{ClusterName, Timestamp};
use serde_json::{Value, json};
use snapshotter::redaction::redact;

use crate::cluster::{self, Workload};
use crate::table::{Figure, Target, median};
use crate::{Effort, machine};

/// Pods of a part, the snapshotter's default.
const PART_PODS: u64 = 5_000;
/// The snapshotter's default effort of gzip.
const GZIP_LEVEL: u32 = 1;

/// Rates per second of processor time and of time, of one run.
struct Rate {
    of_cpu: f64,
    of_time: f64,
}

/// Does something on this thread; `count` things are done by it.
fn rate(count: u64, work: impl FnOnce()) -> Rate {
    let (cpu, started) = (machine::cpu_of_thread(), std::time::Instant::now());
    work();
    let (cpu, elapsed) = (machine::cpu_of_thread() - cpu, started.elapsed());
    let per = |time: Duration| count as f64 / time.as_secs_f64();
    Rate { of_cpu: per(cpu), of_time: per(elapsed) }
}

fn figure(what: String, unit: &'static str, target: f64, rates: &[Rate]) -> Figure {
    let of_time: Vec<f64> = rates.iter().map(|rate| rate.of_time).collect();
    Figure::new(what, unit, Target::AtLeast(target), rates.iter().map(|rate| rate.of_cpu).collect())
        .noting(format!("is what is divided by; {:.0} a second of waiting", median(&of_time)))
}

pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    vec![pods(effort), audit_entries(effort)]
}

/// What a part's mapping needs besides the part.
struct Stored {
    part: Vec<u8>,
    owners: Owners,
    pods: u64,
}

/// A part as the snapshotter stores it: redacted, a line each, gzip.
fn stored(pods: u64) -> Stored {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    let mut line = Vec::new();
    for pod in cluster::listed_pods(pods) {
        line.clear();
        redact(&pod, &mut line).unwrap();
        line.push(b'\n');
        gzip.write_all(&line).unwrap();
    }
    let mut owners = Owners::new();
    for workload in (0..pods.div_ceil(cluster::PODS)).map(Workload) {
        owners.learn(workload.replica_set().to_string().as_bytes()).unwrap();
    }
    Stored { part: gzip.finish().unwrap(), owners, pods }
}

fn pods(effort: Effort) -> Figure {
    let (runs, parts, pods) = effort.choose((7, 4, PART_PODS), (1, 1, 100));
    let Stored { part, owners, pods } = stored(pods);
    let label_keys = LabelKeys::default();
    let seat = Seat {
        cluster: ClusterName::from("bench"),
        snapshot_id: "s1".into(),
        observed_at: Timestamp::from_seconds(1_790_000_000),
        label_keys: &label_keys,
        owners: &owners,
        node_count: Some(400),
    };
    let source = Source { kind: Kind::Pods, object: "raw/bench/pods-0.ndjson.gz", object_count: pods };
    let run = || {
        for _ in 0..parts {
            let mapped = part::map(part.as_slice(), &source, &seat).unwrap();
            assert_eq!((mapped.row_count, mapped.reject_count), (pods, 0), "every pod is a row");
        }
    };
    let rates: Vec<Rate> = (0..runs).map(|_| rate(parts * pods, run)).collect();
    figure("normalizer, stored pods to rows".to_owned(), "pods/s per core", 60_000.0, &rates)
}

fn audit_entries(effort: Effort) -> Figure {
    let (runs, count) = effort.choose((7, 50_000), (1, 200));
    // A tenth of what is measured is different; decoding keeps nothing from one entry to the next.
    let entries: Vec<Vec<u8>> = (0..count / 10).map(|number| entry(number).to_string().into_bytes()).collect();
    let size = entries.iter().map(Vec::len).sum::<usize>() / entries.len();
    let context =
        AuditContext::new(ClusterName::from("bench")).with_pipeline("deployer@acme-prod.iam.gserviceaccount.com");
    let run = || {
        let mut changes = 0_u64;
        for entry in entries.iter().cycle().take(usize::try_from(count).unwrap()) {
            for decoded in decode_message(entry, &context) {
                changes += decoded.changes.map_or(0, |changes| changes.len() as u64);
            }
        }
        // Scales of Deployments and raised ceilings change a number, patches of images do not.
        assert_eq!(changes, count / 10 * 6, "not the changes that were put in");
    };
    let rates: Vec<Rate> = (0..runs).map(|_| rate(count, run)).collect();
    let what = format!("normalizer, audit entries ({:.1} KB on average)", size as f64 / 1e3);
    figure(what, "entries/s per core", 150_000.0, &rates)
}

/// An entry as the log sink writes it. Of ten, five are scales by the autoscaler, one is a ceiling
/// raised by a person, three are new images by the pipeline, one is a failed call.
fn entry(number: u64) -> Value {
    let workload = Workload(number);
    let (namespace, name) = (workload.namespace(), workload.name());
    let scaled = || {
        let scale = json!({
            "@type": "autoscaling.k8s.io/v1.Scale", "apiVersion": "autoscaling/v1", "kind": "Scale",
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1000001", "uid": "6f1e1c1a-0000-4000-8000-000000000000"},
            "spec": {"replicas": 4}, "status": {"replicas": 3, "selector": format!("app={name}")},
        });
        let resource = format!("apps/v1/namespaces/{namespace}/deployments/{name}/scale");
        let actor = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
        logged(number, "io.k8s.apps.v1.deployments.scale.update", &resource, actor, &scale, &scale)
    };
    match number % 10 {
        0..5 => scaled(),
        5 => {
            let resource = format!("autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{name}");
            let patch = json!({"@type": "autoscaling.k8s.io/v2.HorizontalPodAutoscaler", "spec": {"maxReplicas": 9}});
            let mut response = workload.autoscaler();
            response["spec"]["maxReplicas"] = 9.into();
            logged(
                number,
                "io.k8s.autoscaling.v2.horizontalpodautoscalers.patch",
                &resource,
                "alice@example.com",
                &patch,
                &response,
            )
        }
        6..9 => {
            let resource = format!("apps/v1/namespaces/{namespace}/deployments/{name}");
            let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "api", "image": "registry.example.com/new:1.2.3"}]}}}});
            let actor = "deployer@acme-prod.iam.gserviceaccount.com";
            logged(
                number,
                "io.k8s.apps.v1.deployments.patch",
                &resource,
                actor,
                &patch,
                &workload.deployment(cluster::PODS),
            )
        }
        _ => {
            let mut failed = scaled();
            failed["protoPayload"]["status"] = json!({"code": 10, "message": "the object has been modified"});
            failed
        }
    }
}

fn logged(number: u64, method: &str, resource: &str, actor: &str, request: &Value, response: &Value) -> Value {
    json!({
        "insertId": format!("{number:08x}-5f1c-4d7e-9a55-1a2b3c4d5e6f"),
        "labels": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by ClusterRoleBinding"},
        "logName": "projects/acme-prod/logs/cloudaudit.googleapis.com%2Factivity",
        "operation": {"first": true, "id": format!("{number:08x}"), "last": true, "producer": "k8s.io"},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "authenticationInfo": {"principalEmail": actor},
            "authorizationInfo": [{"granted": true, "permission": method, "resource": resource}],
            "methodName": method,
            "request": request,
            "requestMetadata": {"callerIp": "203.0.113.7", "callerSuppliedUserAgent": "kube-controller-manager/v1.33.4 (linux/amd64)"},
            "resourceName": resource,
            "response": response,
            "serviceName": "k8s.io",
            "status": {"code": 0},
        },
        "receiveTimestamp": "2026-10-05T09:12:01.123456789Z",
        "resource": {"labels": {"cluster_name": "bench", "location": "europe-west2", "project_id": "acme-prod"}, "type": "k8s_cluster"},
        "timestamp": "2026-10-05T09:12:00.987654321Z",
    })
}
