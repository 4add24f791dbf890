//! What happens on the real cluster, round by round: teams deploy, scale by hand, raise a ceiling, roll
//! out, an autoscaler scales, a workload is deleted. What happens to documents meanwhile is told by
//! [`crate::registry`].

use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::ports::{Clock as _, SystemClock};
use platform::testkit::kubernetes::{ControlPlane, until};
use schemas::keys::SnapshotKeys;
use schemas::{ClusterName, Purpose, SnapshotRequest, Timestamp};
use serde_json::{Value, json};

use crate::registry::{Recording, Registry, SOURCE};

/// The cluster's configured name.
pub(crate) const CLUSTER: &str = "prod";
const NAMESPACE: &str = "payments";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/payments/deployments";
const AUTOSCALERS: &str = "/apis/autoscaling/v2/namespaces/payments/horizontalpodautoscalers";
/// What keeps a pod of the pretended kubelets from becoming ready.
const HOLD: &str = "podledger.test/hold";
/// Time between two rounds.
const STEP: Duration = Duration::from_secs(10 * 60);
/// Time before the last round, in which grace times pass and reminders are due.
const LONG_STEP: Duration = Duration::from_secs(25 * 60 * 60);

/// One round: what is known before the look, and the look that is asked for.
pub(crate) struct Round {
    /// Its number, from 0.
    pub(crate) number: u32,
    /// What every clock shows.
    pub(crate) at: Timestamp,
    /// Declarations to register.
    pub(crate) peds: PathBuf,
    /// Entries of the API server's audit log since the round before.
    pub(crate) audit: Vec<Vec<u8>>,
    /// What the document database holds.
    pub(crate) documents: Recording,
    /// The snapshots: of the documents, and of the cluster.
    pub(crate) requests: [SnapshotRequest; 2],
}

impl Round {
    /// What asks for the documents.
    pub(crate) fn documents_request(&self) -> &SnapshotRequest {
        &self.requests[0]
    }

    /// Where the documents' snapshot is.
    pub(crate) fn documents_keys(&self) -> SnapshotKeys {
        let request = self.documents_request();
        SnapshotKeys::new(ClusterName::from(SOURCE), self.at, request.request_id.clone().into())
    }
}

/// The cluster and the database, and how far their story went.
pub(crate) struct Story {
    cluster: ControlPlane,
    registry: Registry,
    peds: PathBuf,
    begins: Timestamp,
    next: u32,
    /// Bytes of the audit log that were told.
    told: u64,
}

impl Story {
    /// How many rounds it has.
    pub(crate) const ROUNDS: u32 = 4;

    /// Starts the cluster, none where it was not built; documents go to that endpoint.
    pub(crate) async fn start(folder: &Path, firestore: &str) -> Option<Self> {
        let cluster = ControlPlane::start(&[])?;
        cluster.create_namespace(NAMESPACE).await;
        let (registry, peds) = (Registry::connect(firestore).await, folder.join("peds"));
        Some(Self { cluster, registry, peds, begins: SystemClock.now(), next: 0, told: 0 })
    }

    /// By which the snapshotter finds it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.cluster.kubeconfig("admin")
    }

    /// Lets the next round happen; none after the last.
    pub(crate) async fn next(&mut self) -> Option<Round> {
        let number = self.next;
        if number == Self::ROUNDS {
            return None;
        }
        self.next += 1;
        let at = self.begins.plus(match number {
            3 => LONG_STEP,
            number => STEP * number,
        });
        let peds = self.peds.join(number.to_string());
        std::fs::create_dir_all(&peds).unwrap();
        let declare = |name: &str, limit: u32| {
            std::fs::write(peds.join(format!("{name}.yaml")), declaration(name, limit)).unwrap();
        };
        match number {
            0 => {
                declare("orders-api", 4);
                declare("refunds-api", 4);
                declare("product-api", 6);
                self.deploy_everything().await;
            }
            1 => {
                declare("orders-api", 5);
                self.scale("refunds-api", 6).await;
                self.set_autoscaler(2, 10).await;
                self.roll_out("orders-api", "2.0.0", true).await;
                self.settled(&["refunds-api", "product-api", "search-api"]).await;
                self.has_unready_pods("orders-api").await;
            }
            2 => {
                declare("refunds-api", 3);
                self.set_autoscaler(5, 10).await;
                self.roll_out("orders-api", "2.0.1", false).await;
                self.cluster.delete(&format!("{DEPLOYMENTS}/legacy-api")).await;
                until("the autoscaler scales", async || self.deployment("product-api").await["spec"]["replicas"] == 5)
                    .await;
                self.settled(&["orders-api", "refunds-api", "product-api", "search-api"]).await;
            }
            _ => {
                declare("search-api", 8);
                self.scale("refunds-api", 3).await;
                self.settled(&["orders-api", "refunds-api", "product-api", "search-api"]).await;
            }
        }
        let request = |source: &str| SnapshotRequest {
            request_id: format!("{source}-round-{number}"),
            cluster: source.to_owned(),
            kinds: Vec::new(),
            requested_at: at.micros(),
            requested_by: "a test".to_owned(),
            purpose: Purpose::Scheduled,
        };
        let (documents, requests) = (self.registry.change(number).await, [request(SOURCE), request(CLUSTER)]);
        Some(Round { number, at, peds, audit: self.audit_entries(), documents, requests })
    }

    async fn deploy_everything(&self) {
        for (name, replicas) in
            [("orders-api", 3), ("refunds-api", 3), ("product-api", 2), ("search-api", 2), ("legacy-api", 1)]
        {
            self.cluster.create(DEPLOYMENTS, &deployment(name, replicas)).await;
        }
        self.cluster.create(AUTOSCALERS, &autoscaler(2, 6)).await;
        self.settled(&["orders-api", "refunds-api", "product-api", "search-api", "legacy-api"]).await;
    }

    /// As `kubectl scale` does.
    async fn scale(&self, name: &str, replicas: u32) {
        let path = format!("{DEPLOYMENTS}/{name}/scale");
        let mut scale = self.cluster.get(&path).await;
        scale["spec"]["replicas"] = json!(replicas);
        self.cluster.replace(&path, &scale).await;
    }

    async fn set_autoscaler(&self, least: u32, most: u32) {
        let path = format!("{AUTOSCALERS}/product-api");
        // Its status is written meanwhile: a conflict is tried again.
        until("the autoscaler is changed", async || {
            let mut found = self.cluster.get(&path).await;
            found["spec"]["minReplicas"] = json!(least);
            found["spec"]["maxReplicas"] = json!(most);
            self.cluster.try_replace(&path, &found).await
        })
        .await;
    }

    /// Another image; held back, its pods never become ready.
    async fn roll_out(&self, name: &str, version: &str, held_back: bool) {
        let path = format!("{DEPLOYMENTS}/{name}");
        until("the rollout begins", async || {
            let mut found = self.cluster.get(&path).await;
            let template = &mut found["spec"]["template"];
            template["spec"]["containers"][0]["image"] = json!(format!("registry.example.com/{name}:{version}"));
            template["metadata"]["annotations"] = if held_back { json!({HOLD: "unready"}) } else { Value::Null };
            self.cluster.try_replace(&path, &found).await
        })
        .await;
    }

    async fn deployment(&self, name: &str) -> Value {
        self.cluster.get(&format!("{DEPLOYMENTS}/{name}")).await
    }

    /// Waits until Deployments run what they should.
    async fn settled(&self, names: &[&str]) {
        for name in names {
            until(&format!("{name} settles"), async || {
                let found = self.deployment(name).await;
                let (wished, status) = (&found["spec"]["replicas"], &found["status"]);
                status["observedGeneration"] == found["metadata"]["generation"]
                    && ["replicas", "readyReplicas", "updatedReplicas"].iter().all(|field| status[field] == *wished)
            })
            .await;
        }
    }

    /// Waits until a rollout stands still with a pod too many.
    async fn has_unready_pods(&self, name: &str) {
        until(&format!("{name} has pods that are not ready"), async || {
            let found = self.deployment(name).await;
            found["status"]["observedGeneration"] == found["metadata"]["generation"]
                && found["status"]["unavailableReplicas"].as_u64().is_some_and(|pods| pods > 0)
        })
        .await;
    }

    /// What the audit log says since it was asked last, of workloads and autoscalers.
    fn audit_entries(&mut self) -> Vec<Vec<u8>> {
        let mut log = std::fs::File::open(self.cluster.file("audit.log")).unwrap();
        log.seek(SeekFrom::Start(self.told)).unwrap();
        let mut entries = Vec::new();
        for line in BufReader::new(log).split(b'\n') {
            let line = line.unwrap();
            let Ok(entry) = serde_json::from_slice::<Value>(&line) else { break }; // still being written
            self.told += line.len() as u64 + 1;
            let of_scale =
                ["deployments", "horizontalpodautoscalers"].iter().any(|kind| entry["objectRef"]["resource"] == *kind);
            let writes = ["create", "update", "patch", "delete"].iter().any(|verb| entry["verb"] == *verb);
            if of_scale && writes && entry["objectRef"]["subresource"] != "status" {
                entries.push(line);
            }
        }
        entries
    }
}

fn declaration(name: &str, limit: u32) -> String {
    format!(
        "apiVersion: podledger/v1\nkind: ReplicaLimit\nmetadata: {{api: {name}, team: payments, user: alice@example.com}}\n\
         spec:\n  namespace: {NAMESPACE}\n  deployment: {name}\n  maxReplicas: {limit}\n  changeReason: limit {limit}\n"
    )
}

fn deployment(name: &str, replicas: u32) -> Value {
    let labels = json!({"app": name, "team_id": "payments"});
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": "main",
                    "image": format!("registry.example.com/{name}:1.0.0"),
                    "env": [{"name": "PASSWORD", "value": "a planted credential"}],
                    "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                }]},
            },
        },
    })
}

fn autoscaler(least: u32, most: u32) -> Value {
    let target = json!({"type": "Utilization", "averageUtilization": 70});
    json!({
        "metadata": {"name": "product-api"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "product-api"},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    })
}
