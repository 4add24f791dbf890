//! Clusters read from a real API server: by kubeconfig, from within, and as clusters of GKE.

// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod child;
mod contract;
mod gke;
mod gke_failures;
mod google;
mod kubeconfig;
mod troubles;

use std::collections::BTreeSet;
use std::time::Duration;

use podledger_platform::kubernetes::{KubeCluster, KubeSettings};
use podledger_platform::ports::{Cluster, ClusterError, Kind, RawObject};
use podledger_platform::testkit::cluster::{Gate, drain};
use podledger_platform::testkit::kubernetes::ControlPlane;
use schemas::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const AT: Timestamp = Timestamp::MIN;
/// Path of the pods' list.
const PODS: &str = "/api/v1/pods";
/// Pods of the shared server.
const SHARED_PODS: u64 = 640;
/// Objects asked for per request, so that they are several pages.
const PAGE: u32 = 100;
/// Requests for the whole list then.
const PAGES: u64 = SHARED_PODS.div_ceil(PAGE as u64);

/// An API server that all tests read and none changes: pods and one Deployment. `reader` may read
/// everything, `nobody` nothing.
async fn shared() -> Option<&'static ControlPlane> {
    static SHARED: OnceCell<Option<ControlPlane>> = OnceCell::const_new();
    let start = async || {
        let users = ["--user=reader,system:masters", "--user=nobody"];
        let plane = ControlPlane::start_api_server_alone(&users)?;
        plane.create_namespace("team").await;
        plane.create_pods("team", 0..SHARED_PODS).await;
        plane.create("/apis/apps/v1/namespaces/team/deployments", &deployment("orders-api", 3)).await;
        Some(plane)
    };
    SHARED.get_or_init(start).await.as_ref()
}

fn deployment(name: &str, replicas: u32) -> Value {
    let labels = json!({"app": name});
    json!({
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "registry.example.com/api:1"}]},
        }},
    })
}

fn settings() -> KubeSettings {
    KubeSettings { page_limit: PAGE, ..KubeSettings::default() }
}

/// Time-outs that a test can wait for; nothing else depends on them.
fn impatient() -> KubeSettings {
    KubeSettings { response_timeout: Duration::from_secs(2), read_timeout: Duration::from_secs(2), ..settings() }
}

/// The cluster behind a gate, read with the token of `reader`.
async fn through(gate: &Gate, plane: &ControlPlane, settings: KubeSettings) -> KubeCluster {
    let mut config = plane.config_with_token(&plane.token("reader")).await;
    config.cluster_url = gate.url().parse().unwrap();
    KubeCluster::with_config(config, settings).unwrap()
}

async fn pods(cluster: &dyn Cluster) -> Result<Vec<String>, ClusterError> {
    Ok(drain(cluster, Kind::Pods, AT).await?.iter().map(name).collect())
}

fn name(object: &RawObject) -> String {
    let RawObject::Json(bytes) = object else { panic!("unreadable: {object:?}") };
    let value: Value = serde_json::from_slice(bytes).unwrap();
    value["metadata"]["name"].as_str().unwrap().to_owned()
}

/// Every pod of the shared server is there, once.
fn all_pods(found: &[String]) {
    let distinct: BTreeSet<_> = found.iter().collect();
    assert_eq!((found.len() as u64, distinct.len() as u64), (SHARED_PODS, SHARED_PODS));
}
