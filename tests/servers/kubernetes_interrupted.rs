//! What happens to the server while it is being listed: the snapshot takes another attempt, and holds
//! the pages of one only.

use std::collections::BTreeSet;
use std::sync::Arc;

use platform::kubernetes::{KubeCluster, KubeSettings};
use platform::ports::{Cluster, Kind};
use platform::testkit::cluster::{Fault, Gate, Interrupted};
use platform::testkit::kubernetes::ControlPlane;
use schemas::manifest::Manifest;

use crate::kubernetes_lab::Lab;
use crate::{PODS, pods_listed, turn};

/// Pods before the interruption where the environment does not say, and those that come with it.
const DEFAULT_BEFORE: u64 = 1_600;
const DURING: u64 = 40;
fn before() -> u64 {
    pods_listed(DEFAULT_BEFORE)
}

/// Pages of the first list that are read before it.
const PAGES_BEFORE: usize = 2;

/// A server with pods, whose continue tokens expire as soon as history is dropped: its cache would
/// keep snapshots of its own for a while.
async fn plane() -> Option<Arc<ControlPlane>> {
    let plane = ControlPlane::start_api_server_alone(&[
        "--user=reader,system:masters",
        "--apiserver-arg=--feature-gates=ListFromCacheSnapshot=false",
    ])?;
    plane.create_namespace("team").await;
    plane.create_pods("team", 0..before()).await;
    Some(Arc::new(plane))
}

async fn cluster(plane: &ControlPlane) -> Arc<dyn Cluster> {
    Arc::new(KubeCluster::with_config(plane.config("admin").await, KubeSettings::default()).unwrap())
}

/// The pods' parts are those of one attempt, `attempt`, and hold so many pods, each once; parts of the
/// first one lie beside them and are part of nothing.
async fn holds_one_attempt(lab: &Lab, id: &str, manifest: &Manifest, pods: u64) {
    let listed = &manifest.kinds["pods"];
    assert!(listed.complete, "{listed:?}");
    let names = lab.names(listed).await;
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!((names.len() as u64, distinct.len() as u64), (pods, pods));
    let prefix = format!("raw/prod/2026-10-01/{id}/");
    let attempt = |key: &str| key.strip_prefix(&prefix).unwrap().split('/').next().unwrap().to_owned();
    let attempts: BTreeSet<_> = listed.parts.iter().map(|part| attempt(&part.object)).collect();
    assert_eq!(attempts.len(), 1, "parts of one attempt: {attempts:?}");
    assert!(!attempts.contains("1"), "and not of the one that was interrupted");
    let stored = lab.keys(id).await;
    let left = stored.iter().filter(|key| key.contains("/pods-") && attempt(key) == "1").count();
    assert!(left > 0, "the first attempt had stored parts: {stored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_dropped_in_the_middle_means_a_second_attempt() {
    let _turn = turn().await;
    let Some(plane) = plane().await else { return };
    let at_server = Arc::clone(&plane);
    let happens = async move {
        at_server.create_pods("team", before()..before() + DURING).await;
        at_server.compact().await;
    };
    let interrupted = Arc::new(Interrupted::new(cluster(&plane).await, Kind::Pods, PAGES_BEFORE, happens));
    let lab = Lab::new();
    let manifest = lab.snapshot("compacted", interrupted.clone()).await.unwrap();
    assert!(interrupted.happened());
    // The second list is of a later version, so it has the pods that came in between.
    holds_one_attempt(&lab, "compacted", &manifest, before() + DURING).await;
    assert!(manifest.kinds.values().all(|kind| kind.complete), "{manifest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_whose_version_is_dropped_ends_expired_and_not_short() {
    let _turn = turn().await;
    let Some(plane) = plane().await else { return };
    let at_server = Arc::clone(&plane);
    let happens = async move { at_server.compact().await };
    let interrupted = Interrupted::new(cluster(&plane).await, Kind::Pods, PAGES_BEFORE, happens);
    let listed = platform::testkit::cluster::drain(&interrupted, Kind::Pods, schemas::Timestamp::MIN).await;
    let error = listed.unwrap_err();
    assert!(matches!(error, platform::ports::ClusterError::Expired { kind: Kind::Pods }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_means_another_attempt_once_it_is_back() {
    let _turn = turn().await;
    let Some(plane) = plane().await else { return };
    let at_server = Arc::clone(&plane);
    let happens = async move {
        at_server.kill_api_server().await;
        // It comes back while the lists of all kinds are being tried again.
        tokio::spawn(async move {
            at_server.start_api_server().await;
            at_server.create_pods("team", before()..before() + DURING).await;
        });
    };
    let interrupted = Arc::new(Interrupted::new(cluster(&plane).await, Kind::Pods, PAGES_BEFORE, happens));
    let lab = Lab::new();
    let manifest = lab.snapshot("killed", interrupted.clone()).await.unwrap();
    assert!(interrupted.happened());
    let listed = u64::try_from(manifest.kinds["pods"].object_count).unwrap();
    assert!((before()..=before() + DURING).contains(&listed), "{listed}");
    holds_one_attempt(&lab, "killed", &manifest, listed).await;
    assert!(manifest.kinds.values().all(|kind| kind.complete), "{manifest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_and_refused_answers_mean_another_attempt_and_never_a_part_of_a_list() {
    let _turn = turn().await;
    let Some(plane) = plane().await else { return };
    let gate = Gate::open(&plane).await;
    // Pages are asked for in the order of their numbers; whatever fails ends the attempt it is in.
    gate.fault(PODS, 3..=3, Fault::CutOff);
    gate.fault(PODS, 5..=5, Fault::Aborted);
    gate.fault(PODS, 7..=7, Fault::Status(500));
    gate.fault(PODS, 9..=14, Fault::Status(429));
    gate.fault("/apis/apps/v1/deployments", 1..=4, Fault::Status(503));
    let mut config = plane.config_with_token(&plane.token("reader")).await;
    config.cluster_url = gate.url().parse().unwrap();
    let cluster = KubeCluster::with_config(config, KubeSettings::default()).unwrap();
    let lab = Lab::new();
    let manifest = lab.snapshot("troubled", Arc::new(cluster)).await.unwrap();
    holds_one_attempt(&lab, "troubled", &manifest, before()).await;
    assert!(manifest.kinds.values().all(|kind| kind.complete), "{manifest:?}");
}
