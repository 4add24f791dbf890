//! A cluster made up for measuring: workloads as teams run them, each a Deployment with its
//! ReplicaSet, an autoscaler and five pods, under a declared limit.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use bytes::Bytes;
use serde::Serialize as _;
use serde_json::{Value, json};

/// Pods of a workload, and its wish.
pub(crate) const PODS: u64 = 5;
/// The limit most workloads declared.
const LIMIT: i64 = 6;
/// One workload in so many declared too little, and breaks that.
const VIOLATORS: u64 = 100;
/// Namespaces, and files of declarations.
const TEAMS: u64 = 100;
/// What the API server's field manager tracks of a pod.
const MANAGED_FIELDS: usize = 39;
const CREATED: &str = "2026-09-01T08:00:00Z";

/// One workload, by its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload(pub(crate) u64);

impl Workload {
    pub(crate) fn name(self) -> String {
        format!("service-{}-api", self.0)
    }

    pub(crate) fn namespace(self) -> String {
        format!("team-{}", self.0 % TEAMS)
    }

    fn limit(self) -> i64 {
        if self.0 % VIOLATORS == VIOLATORS - 1 { LIMIT - 2 } else { LIMIT }
    }

    fn hash(self) -> String {
        format!("{:010x}", self.0.wrapping_mul(0x9e37_79b9) & 0xff_ffff_ffff)
    }

    /// A uid of one of its objects.
    fn uid(self, sort: u64) -> String {
        let mixed = (self.0 * 64 + sort).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            "{:08x}-{:04x}-4{:03x}-9d2e-{:012x}",
            mixed >> 32,
            mixed >> 16 & 0xffff,
            mixed & 0xfff,
            self.0 * 64 + sort
        )
    }

    fn metadata(self, name: &str, sort: u64) -> Value {
        json!({
            "name": name, "namespace": self.namespace(), "uid": self.uid(sort), "creationTimestamp": CREATED,
            "resourceVersion": (1_000_000 + self.0 * 64 + sort).to_string(), "generation": 3,
            "labels": {"app": self.name(), "team_id": self.namespace(), "api_id": format!("api-{}", self.0)},
        })
    }

    fn template(self) -> Value {
        json!({"containers": [self.container()], "restartPolicy": "Always", "serviceAccountName": self.name()})
    }

    fn container(self) -> Value {
        let env: Vec<Value> = (0..12)
            .map(|variable| match variable % 3 {
                0 => json!({"name": format!("DATABASE_{variable}"), "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}),
                _ => json!({"name": format!("SETTING_{variable}"), "value": format!("value-{}", self.0 * variable)}),
            })
            .collect();
        json!({
            "name": "api", "image": format!("registry.example.com/{}/{}:1.{}.0", self.namespace(), self.name(), self.0 % 60), "env": env,
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "resources": {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": true}],
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "failureThreshold": 3},
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5, "failureThreshold": 3},
            "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent",
        })
    }

    /// Its Deployment, with that many pods wished for and running.
    pub(crate) fn deployment(self, replicas: u64) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": self.metadata(&self.name(), 0),
            "spec": {
                "replicas": replicas, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
                "selector": {"matchLabels": {"app": self.name()}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "template": {"metadata": {"labels": {"app": self.name()}}, "spec": self.template()},
            },
            "status": {
                "observedGeneration": 3, "replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas,
                "availableReplicas": replicas,
                "conditions": [
                    {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "lastTransitionTime": CREATED, "lastUpdateTime": CREATED},
                    {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastTransitionTime": CREATED, "lastUpdateTime": CREATED},
                ],
            },
        })
    }

    /// Its ReplicaSet.
    pub(crate) fn replica_set(self) -> Value {
        let mut metadata = self.metadata(&format!("{}-{}", self.name(), self.hash()), 1);
        metadata["labels"]["pod-template-hash"] = self.hash().into();
        metadata["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name(), "uid": self.uid(0), "controller": true, "blockOwnerDeletion": true}]);
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata,
            "spec": {"replicas": PODS, "selector": {"matchLabels": {"app": self.name()}}, "template": {"spec": self.template()}},
            "status": {"observedGeneration": 3, "replicas": PODS, "readyReplicas": PODS, "availableReplicas": PODS},
        })
    }

    /// Its autoscaler.
    pub(crate) fn autoscaler(self) -> Value {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": self.metadata(&self.name(), 2),
            "spec": {
                "minReplicas": 2, "maxReplicas": LIMIT,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name()},
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
            },
            "status": {
                "currentReplicas": PODS, "desiredReplicas": PODS, "lastScaleTime": CREATED,
                "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 50, "averageValue": "250m"}}}],
                "conditions": [
                    {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "recommended size matches current size", "lastTransitionTime": CREATED},
                    {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "the HPA was able to compute the replica count", "lastTransitionTime": CREATED},
                ],
            },
        })
    }

    /// One of its pods as the API server writes it: about 6.5 KB, managed fields included.
    pub(crate) fn pod(self, ordinal: u64) -> Value {
        let fields: serde_json::Map<_, _> = (0..MANAGED_FIELDS)
            .map(|field| (format!("f:field{field}"), json!({".": {}, "f:name": {}, "f:value": {}, "f:readOnly": {}})))
            .collect();
        let (number, uid) = (self.0 * PODS + ordinal, self.uid(8 + ordinal));
        let mut metadata =
            self.metadata(&format!("{}-{}-{:05x}", self.name(), self.hash(), number * 31_337 % 1_048_576), 8 + ordinal);
        metadata["generateName"] = format!("{}-{}-", self.name(), self.hash()).into();
        metadata["labels"]["pod-template-hash"] = self.hash().into();
        metadata["annotations"] = json!({
            "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "checksum/config": uid,
            "example.com/description": format!("a word about what {} is for, who runs it and where its pages are; ", self.name()).repeat(11),
        });
        metadata["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{}-{}", self.name(), self.hash()), "uid": self.uid(1), "controller": true, "blockOwnerDeletion": true}]);
        metadata["managedFields"] = json!([
            {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": CREATED, "fieldsType": "FieldsV1", "fieldsV1": fields},
        ]);
        let mut spec = self.template();
        spec["nodeName"] = format!("node-{}", number % 400).into();
        spec["schedulerName"] = "default-scheduler".into();
        spec["priority"] = 0.into();
        spec["tolerations"] = json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]);
        spec["volumes"] = json!([{"name": "config", "configMap": {"name": self.name(), "defaultMode": 420}}]);
        let conditions = ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(|condition| {
            json!({"type": condition, "status": "True", "lastProbeTime": null, "lastTransitionTime": CREATED})
        });
        let address = format!("10.{}.{}.{}", number / 50_000 % 256, number / 199 % 256, number % 199);
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
            "status": {
                "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "qosClass": "Burstable", "startTime": CREATED,
                "conditions": conditions,
                "containerStatuses": [{
                    "name": "api", "ready": true, "restartCount": number % 3, "started": true,
                    "containerID": format!("containerd://{:032x}{:032x}", number * 15_485_863, number * 179_424_673),
                    "state": {"running": {"startedAt": CREATED}},
                }],
            },
        })
    }

    fn declaration(self) -> String {
        format!(
            "apiVersion: podledger/v1\nkind: ReplicaLimit\nmetadata: {{api: api-{number}, team: {team}, user: carol@example.com}}\n\
             spec:\n  namespace: {team}\n  deployment: {name}\n  maxReplicas: {limit}\n  resources:\n    limits: {{cpu: \"2\", memory: 4Gi}}\n\
             \x20   requests: {{cpu: 500m, memory: 1Gi}}\n  changeReason: first declaration\n",
            number = self.0,
            team = self.namespace(),
            name = self.name(),
            limit = self.limit(),
        )
    }
}

/// Pods as the API server lists them: without kind and version of their own.
pub(crate) fn listed_pods(count: u64) -> Vec<Bytes> {
    let pod = |number: u64| {
        let mut pod = Workload(number / PODS).pod(number % PODS);
        let fields = pod.as_object_mut().unwrap();
        fields.remove("kind");
        fields.remove("apiVersion");
        Bytes::from(serde_json::to_vec(&pod).unwrap())
    };
    (0..count).map(pod).collect()
}

/// Writes a list as `kubectl get … --output json` prints it: indented by four, without managed fields.
pub(crate) fn write_list(file: &Path, objects: impl Iterator<Item = Value>) {
    let mut out = BufWriter::new(File::create(file).unwrap());
    out.write_all(b"{\n    \"apiVersion\": \"v1\",\n    \"items\": [").unwrap();
    for (place, mut object) in objects.enumerate() {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let mut text = Vec::new();
        let four = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        object.serialize(&mut serde_json::Serializer::with_formatter(&mut text, four)).unwrap();
        out.write_all(if place == 0 { b"\n" } else { b",\n" }).unwrap();
        let indented = String::from_utf8(text).unwrap().replace('\n', "\n        ");
        write!(out, "        {indented}").unwrap();
    }
    out.write_all(
        b"\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n",
    )
    .unwrap();
    out.flush().unwrap();
}

/// Writes the Deployments of a dump, each with that many pods.
pub(crate) fn write_deployments(folder: &Path, workloads: u64, replicas: impl Fn(Workload) -> u64) {
    let aside = folder.with_extension("next"); // beside the dump, so that no reader finds half a file
    write_list(&aside, (0..workloads).map(Workload).map(|workload| workload.deployment(replicas(workload))));
    std::fs::rename(aside, folder.join("deployments.json")).unwrap();
}

/// Writes a dump of a cluster; returns its size in megabytes.
pub(crate) fn write_dump(folder: &Path, workloads: u64) -> f64 {
    std::fs::create_dir_all(folder).unwrap();
    let all = || (0..workloads).map(Workload);
    write_deployments(folder, workloads, |_| PODS);
    write_list(&folder.join("replicasets.json"), all().map(Workload::replica_set));
    write_list(&folder.join("hpas.json"), all().map(Workload::autoscaler));
    let pods = all().flat_map(|workload| (0..PODS).map(move |ordinal| workload.pod(ordinal)));
    write_list(&folder.join("pods.json"), pods);
    let sizes = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    sizes.sum::<u64>() as f64 / 1e6
}

/// Writes the declarations, a file per team.
pub(crate) fn write_declarations(folder: &Path, workloads: u64) {
    std::fs::create_dir_all(folder).unwrap();
    for team in 0..TEAMS.min(workloads) {
        let mut text = String::new();
        for workload in (team..workloads).step_by(usize::try_from(TEAMS).unwrap()).map(Workload) {
            // Writing into a String cannot fail.
            writeln!(text, "---\n{}", workload.declaration()).unwrap();
        }
        std::fs::write(folder.join(format!("team-{team}.yaml")), text).unwrap();
    }
}
