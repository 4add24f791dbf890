//! The port's promises, kept on a real API server with everything that runs behind one.

use std::sync::Arc;

use futures::TryStreamExt as _;
use podledger_platform::kubernetes::{KubeCluster, KubeSettings};
use podledger_platform::ports::{Cluster as _, Kind};
use podledger_platform::testkit::cluster::{Subject, contract, drain};
use podledger_platform::testkit::kubernetes::{ControlPlane, until};
use serde_json::json;

use crate::{AT, PAGE, PAGES, SHARED_PODS, all_pods, deployment, name, pods, settings, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_cluster_keeps_the_ports_promises() {
    let Some(plane) = ControlPlane::start(&["--nodes=2", "--pod-delay=0s"]) else { return };
    plane.create_namespace("team").await;
    let deployments = "/apis/apps/v1/namespaces/team/deployments";
    plane.create(deployments, &deployment("orders-api", 3)).await;
    plane.create(deployments, &deployment("stock-api", 2)).await;
    let autoscalers = "/apis/autoscaling/v2/namespaces/team/horizontalpodautoscalers";
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "orders-api"});
    let autoscaler = json!({"metadata": {"name": "orders-api"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 6}});
    plane.create(autoscalers, &autoscaler).await;
    until("workloads are ready and judged by their autoscaler", async || {
        let ready = async |name: &str, replicas: u64| {
            plane.get(&format!("{deployments}/{name}")).await["status"]["readyReplicas"] == replicas
        };
        let judged = plane.get(&format!("{autoscalers}/orders-api")).await;
        ready("orders-api", 3).await && ready("stock-api", 2).await && judged["status"]["conditions"].is_array()
    })
    .await;

    let plane = Arc::new(plane);
    let counts = contract(async || {
        let config = plane.config("admin").await;
        let cluster = Arc::new(KubeCluster::with_config(config, KubeSettings::default()).unwrap());
        Subject { cluster, at: AT, source: Box::new(Arc::clone(&plane)) }
    })
    .await;
    let expected = [
        (Kind::Pods, 5),
        (Kind::Deployments, 2),
        (Kind::ReplicaSets, 2),
        (Kind::HorizontalPodAutoscalers, 1),
        (Kind::Nodes, 2),
        (Kind::Clusters, 1),
    ];
    assert_eq!(counts, expected.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_many_pages_is_complete_and_of_one_version() {
    let Some(plane) = shared().await else { return };
    let cluster = KubeCluster::with_config(plane.config("admin").await, settings()).unwrap();
    let listing = cluster.list(Kind::Pods, AT).await.unwrap();
    assert_eq!(listing.api_version, "v1");
    assert!(listing.resource_version.parse::<u64>().is_ok(), "{}", listing.resource_version);
    let pages: Vec<_> = listing.pages.try_collect().await.unwrap();
    assert_eq!(pages.len() as u64, PAGES);
    assert!(pages.iter().all(|page| page.objects.len() <= PAGE as usize));
    all_pods(&pages.iter().flat_map(|page| &page.objects).map(name).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn excluded_namespaces_are_left_out_by_the_server() {
    let Some(plane) = shared().await else { return };
    let excluding = |names: &[&str]| KubeSettings {
        excluded_namespaces: names.iter().map(|name| (*name).to_owned()).collect(),
        ..settings()
    };
    let listed = async |names: &[&str]| {
        let cluster = KubeCluster::with_config(plane.config("admin").await, excluding(names)).unwrap();
        pods(&cluster).await.unwrap().len() as u64
    };
    assert_eq!(listed(&["team", "kube-system"]).await, 0);
    assert_eq!(listed(&["kube-system", "default"]).await, SHARED_PODS);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_says_its_version() {
    let Some(plane) = shared().await else { return };
    let cluster = KubeCluster::with_config(plane.config("admin").await, settings()).unwrap();
    let found = drain(&cluster, Kind::Clusters, AT).await.unwrap();
    let version = plane.get("/version").await;
    let expected = json!({"gitVersion": version["gitVersion"], "platform": version["platform"]});
    assert_eq!(found, [podledger_platform::ports::RawObject::Json(expected.to_string().into())]);
    assert!(version["gitVersion"].as_str().unwrap().starts_with("v1."), "{version}");
}
