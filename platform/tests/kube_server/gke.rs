//! Clusters of GKE: found by name, read with tokens that come and go.

use std::sync::Arc;

use futures::TryStreamExt as _;
use podledger_platform::kubernetes::{GkeRoute, GkeSettings};
use podledger_platform::ports::{Cluster as _, Kind, RawObject};
use podledger_platform::testkit::cluster::{Gate, Subject, contract, drain};
use podledger_platform::testkit::kubernetes::ControlPlane;
use serde_json::{Value, json};

use crate::child::{self, answer};
use crate::google::{Google, described};
use crate::{AT, PAGES, PODS, SHARED_PODS, all_pods, name, pods, settings, shared};

/// More uses than any test makes.
const MANY: u64 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_gke_cluster_keeps_the_ports_promises() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("reader")]);
    google.has("europe-west2/prod-uk", described(plane.address(), &plane.authority()));
    let counts = contract(async || {
        let settings = GkeSettings::default(); // pages as large as they are in earnest
        let cluster = google.cluster_with("europe-west2/prod-uk", GkeRoute::Endpoint, settings);
        Subject { cluster: Arc::new(cluster), at: AT, source: Box::new(()) }
    })
    .await;
    assert_eq!((counts[&Kind::Pods] as u64, counts[&Kind::Deployments]), (SHARED_PODS, 1));
    let lookups = google.lookups();
    assert_eq!(lookups, ["/v1/projects/p/locations/europe-west2/clusters/prod-uk"; 2], "one for each adapter");
    assert_eq!(google.tokens_given(), 2, "a token is kept for as long as it is valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_in_mid_list_is_replaced_and_the_list_stays_one() {
    let Some(plane) = shared().await else { return };
    let (google, gate) = (Google::start().await, Gate::open(plane).await);
    let reader = plane.token("reader");
    for (token, uses) in [("first", 2), ("second", 3), ("third", MANY)] {
        gate.admit(token, uses, &reader);
    }
    google.gives(["first", "second", "third"]);
    google.has("l/c", described(&gate.address(), &plane.authority()));

    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    let listing = cluster.list(Kind::Pods, AT).await.unwrap();
    let pages: Vec<_> = listing.pages.try_collect().await.unwrap();
    all_pods(&pages.iter().flat_map(|page| &page.objects).map(name).collect::<Vec<_>>());
    assert_eq!((gate.turned_away(), google.tokens_given()), (2, 3));
    let seen = gate.seen();
    assert_eq!(seen.len() as u64, PAGES + 2, "each page once, and again the two that were turned away");
    let repeated: Vec<_> = (1..seen.len()).filter(|at| seen[*at] == seen[*at - 1]).collect();
    assert_eq!(repeated, [3, 7], "the same continue token is asked for again: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_listed_at_once_replace_an_expired_token_once() {
    let Some(plane) = shared().await else { return };
    let (google, gate) = (Google::start().await, Gate::open(plane).await);
    gate.admit("first", 4, &plane.token("reader"));
    gate.admit("second", MANY, &plane.token("reader"));
    google.gives(["first", "second"]);
    google.has("l/c", described(&gate.address(), &plane.authority()));
    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    let lists = (0..4).map(|_| pods(&cluster));
    for found in futures::future::join_all(lists).await {
        all_pods(&found.unwrap());
    }
    assert_eq!(google.tokens_given(), 2, "however many requests were turned away at once");
    assert_eq!(google.lookups().len(), 1, "lists that begin at once wait for one lookup");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_the_api_server_itself_no_longer_knows_is_replaced() {
    let users = ["--user=reader,system:masters"];
    let Some(plane) = ControlPlane::start_api_server_alone(&users) else { return };
    plane.create_namespace("team").await;
    plane.create_pods("team", 0..250).await;
    let google = Google::start().await;
    let old = plane.token("reader");
    google.gives([&old, "another"]);
    google.has("l/c", described(plane.address(), &plane.authority()));
    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    let mut listing = cluster.list(Kind::Pods, AT).await.unwrap();
    let mut found = listing.pages.try_next().await.unwrap().unwrap().objects;

    plane.stop_api_server().await;
    let tokens = std::fs::read_to_string(plane.file("tokens.csv")).unwrap();
    std::fs::write(plane.file("tokens.csv"), tokens.replace(&old, "another")).unwrap();
    plane.start_api_server().await;

    while let Some(page) = listing.pages.try_next().await.unwrap() {
        found.extend(page.objects);
    }
    assert_eq!(found.len(), 250);
    assert_eq!(google.tokens_given(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connect_gateway_of_the_clusters_fleet_is_a_way_in() {
    let Some(plane) = shared().await else { return };
    let path = "/v1/projects/123/locations/europe-west2/gkeMemberships/prod-uk-1";
    let (google, gate) = (Google::start().await, Gate::open_plain(plane, path).await);
    google.gives([&plane.token("reader")]);
    let member = "//gkehub.googleapis.com/projects/123/locations/europe-west2/memberships/prod-uk-1";
    google.has("europe-west2/prod-uk", json!({"status": "RUNNING", "fleet": {"membership": member}}));
    let settings = GkeSettings { connect_gateway: Some(gate.url()), kube: settings(), ..GkeSettings::default() };
    let cluster = google.cluster_with("europe-west2/prod-uk", GkeRoute::ConnectGateway, settings);
    all_pods(&pods(&cluster).await.unwrap());
    assert_eq!(gate.requests(PODS), PAGES);
    let version = drain(&cluster, Kind::Clusters, AT).await.unwrap();
    assert_eq!(version.len(), 1, "paths that are no resources go the same way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gke_cluster_says_its_name_at_google_beside_its_version() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("reader")]);
    google.has("europe-west2/prod-uk", described(plane.address(), &plane.authority()));
    let cluster = google.cluster("europe-west2/prod-uk", GkeRoute::Endpoint);
    let found = drain(&cluster, Kind::Clusters, AT).await.unwrap();
    let [RawObject::Json(object)] = &found[..] else { panic!("{found:?}") };
    let object: Value = serde_json::from_slice(object).unwrap();
    assert_eq!([&object["name"], &object["project"], &object["location"]], ["prod-uk", "p", "europe-west2"]);
    assert_eq!(object["gitVersion"], plane.get("/version").await["gitVersion"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_endpoint_is_a_way_in() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("reader")]);
    let mut description = described("203.0.113.1", &plane.authority()); // nobody is there
    description["privateClusterConfig"] = json!({"privateEndpoint": plane.address()});
    google.has("l/c", description);
    all_pods(&pods(&google.cluster("l/c", GkeRoute::PrivateEndpoint)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_credentials_of_a_process_are_taken() {
    let Some(plane) = shared().await else { return };
    let (google, home) = (Google::start().await, tempfile::tempdir().unwrap());
    google.gives([&plane.token("reader")]);
    google.has("l/c", described(plane.address(), &plane.authority()));
    let file = home.path().join("credentials.json");
    let as_said = async |credentials: &str| {
        std::fs::write(&file, credentials).unwrap();
        let mut command = child::command("gke:p/l/c", home.path());
        command.env("GOOGLE_APPLICATION_CREDENTIALS", &file);
        child::with_container_api(&mut command, &google.url());
        answer(command).await
    };
    assert_eq!(as_said(&google.credentials().to_string()).await, format!("listed {SHARED_PODS}"));
    let failed = as_said("{").await;
    assert!(failed.starts_with("failed: open cluster gke:p/l/c"), "{failed}");
    assert!(failed.contains("default credentials"), "{failed}");
}
