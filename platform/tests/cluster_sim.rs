//! The simulation keeps the port's promises, and the three adapters agree on what it shows.

// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use podledger_platform::kubernetes::{DumpCluster, KubeCluster, KubeSettings, SimCluster, SimSettings};
use podledger_platform::ports::{Cluster, Kind, RawObject};
use podledger_platform::testkit::cluster::{ApiServer, Served, Source, Subject, contract, drain};
use schemas::Timestamp;

fn at() -> Timestamp {
    Timestamp::parse("2026-02-03T11:22:33Z").unwrap()
}

fn simulated() -> SimCluster {
    SimCluster::new(9, SimSettings { deployments: 200, ..SimSettings::default() })
}

async fn objects(cluster: &dyn Cluster, kind: Kind) -> Vec<Bytes> {
    let json = |object| match object {
        RawObject::Json(bytes) => bytes,
        RawObject::Unreadable { place, reason } => panic!("{place}: {reason}"),
    };
    drain(cluster, kind, at()).await.unwrap().into_iter().map(json).collect()
}

#[tokio::test]
async fn it_keeps_the_ports_promises() {
    let counts = contract(async || Subject { cluster: Arc::new(simulated()), at: at(), source: Box::new(()) }).await;
    assert_eq!(counts[&Kind::Deployments], 200);
    assert!(counts[&Kind::Pods] > 500, "{counts:?}");
    assert!((60..140).contains(&counts[&Kind::HorizontalPodAutoscalers]), "{counts:?}");
}

#[tokio::test]
async fn another_seed_or_time_is_another_cluster() {
    let cluster = simulated();
    let other = SimCluster::new(10, SimSettings { deployments: 200, ..SimSettings::default() });
    assert_ne!(objects(&cluster, Kind::Deployments).await, objects(&other, Kind::Deployments).await);
    let later = Timestamp::parse("2026-02-04T11:22:33Z").unwrap();
    let later = drain(&cluster, Kind::Deployments, later).await.unwrap();
    assert_ne!(drain(&cluster, Kind::Deployments, at()).await.unwrap(), later);
}

/// The same objects through an API server, and through files, are the same bytes.
#[tokio::test]
async fn a_server_and_a_dump_of_it_show_the_same() {
    let cluster = simulated();
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::default();
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Clusters) {
        let listed = objects(&cluster, *kind).await;
        let texts: Vec<_> = listed.iter().map(|object| std::str::from_utf8(object).unwrap()).collect();
        let list = format!(r#"{{"apiVersion":"v1","items":[{}],"kind":"List"}}"#, texts.join(",\n"));
        fs::write(folder.path().join(format!("{kind}.json")), list).unwrap();
        served = served.with(*kind, Source::given(listed));
    }
    let server = ApiServer::start(served).await;
    let live = KubeCluster::with_config(server.config(), KubeSettings::default()).unwrap();
    let dump = DumpCluster::open(folder.path()).unwrap();
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Clusters) {
        let expected = objects(&cluster, *kind).await;
        assert!(objects(&live, *kind).await == expected, "{kind}: live differs");
        assert!(objects(&dump, *kind).await == expected, "{kind}: dump differs");
    }
}
