//! How fast pods become compressed, redacted parts: redaction alone, and the whole stage from
//! pages of raw objects to an object store that keeps nothing.

#![allow(clippy::expect_used)] // What cannot start has nothing to measure.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use platform::ports::{
    Backlog, Broker, ByteStream, Cluster, ClusterError, Created, Flow, Generation, Incoming, Kind, KindPage, Listing,
    ObjectMeta, Objects, Outgoing, PortResult, RawObject, Receiver, Replaced, SeekTo, StoredObject, SubscriptionCounts,
};
use platform::runtime::{Env, Ports};
use podledger_snapshotter::redaction::redact;
use schemas::{ClusterName, Message as _, Purpose, SnapshotRequest, Subscription, Timestamp, Topic};
use serde_json::json;

/// Pods of one snapshot; few in a debug build, which only sees that it runs.
const PODS: usize = if cfg!(debug_assertions) { 1_000 } else { 20_000 };
/// Pods of one page, as the API is asked for.
const PAGE: usize = 500;
/// Size of one pod in bytes, that of an ordinary one with its managed fields.
const POD_BYTES: usize = 6_500;

/// A pod of about the usual size, as the API writes it.
fn pod(index: usize) -> Bytes {
    let uid = format!("{index:08x}-{:04x}-4f6b-9d2e-{:012x}", index * 7 % 65_536, index * 104_729);
    let name = format!("orders-api-{:09x}-{:05x}", index / 8 * 7_919, index * 31_337 % 1_048_576);
    let env: Vec<_> = (0..12)
        .map(|variable| match variable % 3 {
            0 => json!({"name": format!("DATABASE_{variable}"), "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}),
            _ => json!({"name": format!("SETTING_{variable}"), "value": format!("value-{}", index * variable)}),
        })
        .collect();
    let fields: serde_json::Map<_, _> =
        (0..24).map(|field| (format!("f:field{field}"), json!({".": {}, "f:name": {}, "f:value": {}}))).collect();
    let mut pod = json!({
        "metadata": {
            "name": name, "generateName": "orders-api-5d9c7b6f4-", "namespace": "payments", "uid": uid,
            "resourceVersion": (1_000_000 + index).to_string(), "creationTimestamp": "2026-10-01T08:00:00Z",
            "labels": {"app": "orders-api", "team_id": "payments", "api_id": "orders", "pod-template-hash": "5d9c7b6f4"},
            "annotations": {"prometheus.io/scrape": "true", "checksum/config": uid},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "orders-api-5d9c7b6f4", "uid": uid, "controller": true, "blockOwnerDeletion": true}],
            "managedFields": [
                {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": "2026-10-01T08:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields},
            ],
        },
        "spec": {
            "containers": [{
                "name": "api", "image": "registry.example.com/payments/orders-api:1.42.0", "env": env,
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
                "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": true}],
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "failureThreshold": 3},
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5, "failureThreshold": 3},
                "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent",
            }],
            "nodeName": format!("node-{}", index % 400), "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "orders-api", "schedulerName": "default-scheduler", "priority": 0,
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
            "volumes": [{"name": "config", "configMap": {"name": "orders-api", "defaultMode": 420}}],
        },
        "status": {
            "phase": "Running", "podIP": format!("10.{}.{}.{}", index % 256, index / 256 % 256, index % 199), "qosClass": "Burstable",
            "startTime": "2026-10-01T08:00:01Z",
            "conditions": (["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(|condition| json!({"type": condition, "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-10-01T08:00:20Z"}))),
            "containerStatuses": [{"name": "api", "ready": true, "restartCount": index % 3, "started": true, "containerID": format!("containerd://{:064x}", index * 15_485_863)}],
        },
    });
    let missing = POD_BYTES.saturating_sub(pod.to_string().len());
    pod["metadata"]["annotations"]["example.com/description"] =
        "a word about this workload; ".repeat(missing / 28).into();
    pod.to_string().into()
}

/// Pages of the same pods, again and again.
struct Pages(Vec<RawObject>);

#[async_trait]
impl Cluster for Pages {
    async fn list(&self, kind: Kind, _: Timestamp) -> Result<Listing, ClusterError> {
        let pages = if kind == Kind::Pods { PODS / PAGE } else { 0 };
        let chunks: Vec<KindPage> =
            self.0.chunks(PAGE).cycle().take(pages).map(|objects| KindPage { objects: objects.to_vec() }).collect();
        let pages = stream::iter(chunks.into_iter().map(Ok)).boxed();
        Ok(Listing { api_version: "v1".to_owned(), resource_version: "1".to_owned(), known_gaps: None, pages })
    }
}

/// Objects and messages that are taken and forgotten.
struct Sink;

#[async_trait]
impl Objects for Sink {
    async fn create(&self, _: &str, body: ByteStream) -> PortResult<Created> {
        let pieces: std::io::Result<Vec<Bytes>> = body.try_collect().await;
        black_box(pieces).map_err(|error| platform::ports::PortError::did_not_happen("create", error))?;
        Ok(Created::New(Generation(1)))
    }

    async fn replace_if(&self, _: &str, _: Option<Generation>, _: Bytes) -> PortResult<Replaced> {
        Ok(Replaced::LostRace)
    }

    async fn read(&self, _: &str) -> PortResult<Option<StoredObject>> {
        Ok(None)
    }

    async fn list(&self, _: &str) -> PortResult<Vec<ObjectMeta>> {
        Ok(Vec::new())
    }

    async fn delete(&self, _: &str) -> PortResult<()> {
        Ok(())
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Broker for Sink {
    async fn publish(&self, _: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        Ok(messages.iter().map(|_| String::new()).collect())
    }

    async fn subscribe(&self, _: Subscription, _: Flow) -> PortResult<Box<dyn Receiver>> {
        unreachable!("nobody subscribes to the sink")
    }

    async fn seek(&self, _: Subscription, _: SeekTo) -> PortResult<()> {
        Ok(())
    }

    async fn backlog(&self, _: Subscription) -> PortResult<Backlog> {
        Ok(Backlog::default())
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        Ok(None)
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

fn redaction(criterion: &mut Criterion) {
    let pods: Vec<Bytes> = (0..PAGE).map(pod).collect();
    let mut group = criterion.benchmark_group("redaction");
    group.throughput(Throughput::Bytes(pods.iter().map(|pod| pod.len() as u64).sum()));
    group.bench_function("pods", |bencher| {
        let mut line = Vec::new();
        bencher.iter(|| {
            for pod in &pods {
                line.clear();
                assert!(redact(pod, &mut line).is_ok());
            }
            black_box(&line);
        });
    });
    group.finish();
}

fn snapshot(criterion: &mut Criterion) {
    let pods = (0..4 * PAGE).map(|index| RawObject::Json(pod(index))).collect();
    let sink = Arc::new(Sink);
    let ports = Ports {
        clusters: [(ClusterName::from("bench"), Arc::new(Pages(pods)) as Arc<dyn Cluster>)].into(),
        ..Ports::new(sink.clone(), sink)
    };
    let request = SnapshotRequest {
        request_id: "bench".to_owned(),
        cluster: "bench".to_owned(),
        kinds: Vec::new(),
        requested_at: 0,
        requested_by: "bench".to_owned(),
        purpose: Purpose::Manual,
    };
    let encoded = request.encode().expect("a request can be encoded");
    let incoming = Incoming {
        message_id: "bench".to_owned(),
        payload: encoded.bytes,
        attributes: encoded.attributes,
        ordering_key: None,
        published_at: Timestamp::from_seconds(1_790_000_000),
        delivery_attempt: 1,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime starts");
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10).throughput(Throughput::Elements(PODS as u64));
    for level in ["1", "2", "3"] {
        let env = Env::from_pairs([("PODLEDGER_SNAPSHOT_GZIP_LEVEL", level)]);
        let stage = env.read().map_err(Into::into).and_then(|config| podledger_snapshotter::stage(&config, &ports));
        let stage = stage.expect("the stage can be built");
        group.bench_function(format!("pods, gzip level {level}"), |bencher| {
            bencher.iter(|| {
                let handled = runtime.block_on(stage.consumers[0].handle.handle_incoming(&incoming));
                assert!(handled.is_ok(), "{handled:?}");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, redaction, snapshot);
criterion_main!(benches);
