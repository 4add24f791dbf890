//! What goes wrong between a name at Google and a list, and what is said about it.

use std::time::Duration;

use podledger_platform::kubernetes::{GkeRoute, GkeSettings};
use podledger_platform::ports::ClusterError;
use podledger_platform::testkit::cluster::Gate;
use serde_json::json;

use crate::google::{Google, described, failure};
use crate::{all_pods, impatient, pods, shared};

fn refused(error: &ClusterError) -> String {
    assert!(matches!(error, ClusterError::Refused { .. }), "{error}");
    error.to_string()
}

fn unavailable(error: &ClusterError) -> String {
    assert!(matches!(error, ClusterError::Unavailable { .. }), "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_there_is_told_with_the_nearest_one() {
    let google = Google::start().await;
    google.gives(["t"]);
    google.has("europe-west2/prod-uk", json!({}));
    google.has("us-central1/batch", json!({}));
    let wrong_place = google.cluster("europe-west2-a/prod-uk", GkeRoute::Endpoint);
    let error = refused(&pods(&wrong_place).await.unwrap_err());
    assert!(
        error.contains(
            "project p has no cluster prod-uk in europe-west2-a, did you mean gke:p/europe-west2/prod-uk? (404; it says: Not found:"
        ),
        "{error}"
    );
    let wrong_project = google.cluster("europe-west2/zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", GkeRoute::Endpoint);
    let error = refused(&pods(&wrong_project).await.unwrap_err());
    assert!(!error.contains("did you mean gke:p/us"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_names_itself_and_the_role_that_has_it() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("nobody")]);
    google.has("l/c", described(plane.address(), &plane.authority()));
    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    google.answers(403, failure(403, "Required \"container.clusters.get\" permission(s)."));
    let error = refused(&pods(&cluster).await.unwrap_err());
    assert!(error.contains("permission container.clusters.get on project p is missing"), "{error}");
    assert!(error.contains("roles/container.clusterViewer"), "{error}");
    // Who may look the cluster up may still not read what is in it.
    let error = refused(&pods(&cluster).await.unwrap_err());
    assert!(error.contains("permission to list pods in the core group is missing"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_shows_another_certificate_is_not_read_and_looked_up_again() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("reader")]);
    let another = std::fs::read(plane.file("admin.crt")).unwrap(); // a certificate, but no authority's
    google.has("l/c", described(plane.address(), &another));
    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    let error = unavailable(&pods(&cluster).await.unwrap_err());
    assert!(error.contains("certificate"), "{error}");
    google.has("l/c", described(plane.address(), &plane.authority()));
    all_pods(&pods(&cluster).await.unwrap());
    assert_eq!(google.lookups().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_moved_is_found_again() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("reader")]);
    let gate = Gate::open(plane).await;
    google.has("l/c", described(&gate.address(), &plane.authority()));
    let settings = GkeSettings { kube: impatient(), ..GkeSettings::default() };
    let cluster = google.cluster_with("l/c", GkeRoute::Endpoint, settings);
    all_pods(&pods(&cluster).await.unwrap());
    drop(gate);
    google.has("l/c", described(plane.address(), &plane.authority()));
    let mut found = pods(&cluster).await;
    if let Err(error) = &found {
        unavailable(error);
        found = pods(&cluster).await;
    }
    all_pods(&found.unwrap());
    assert_eq!(google.lookups().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_never_accepted_is_tried_twice_and_refused() {
    let Some(plane) = shared().await else { return };
    let (google, gate) = (Google::start().await, Gate::open(plane).await);
    google.gives(["one", "two"]);
    gate.admit("neither", 1, "x");
    google.has("l/c", described(&gate.address(), &plane.authority()));
    let error = refused(&pods(&google.cluster("l/c", GkeRoute::Endpoint)).await.unwrap_err());
    assert!(error.contains("does not accept the credentials (401"), "{error}");
    assert_eq!((gate.turned_away(), google.tokens_given()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_container_api_too_is_asked_again_with_a_new_token() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives(["stale", &plane.token("reader")]);
    google.does_not_know("stale");
    google.has("l/c", described(plane.address(), &plane.authority()));
    all_pods(&pods(&google.cluster("l/c", GkeRoute::Endpoint)).await.unwrap());
    assert_eq!((google.lookups().len(), google.tokens_given()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_api_that_fails_is_asked_again_by_the_next_list() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("reader")]);
    google.has("l/c", described(plane.address(), &plane.authority()));
    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    for code in [429, 500, 503] {
        google.answers(code, failure(code, "Try again."));
        let error = unavailable(&pods(&cluster).await.unwrap_err());
        assert!(error.contains("look up gke:p/l/c") && error.contains("Try again."), "{error}");
    }
    all_pods(&pods(&cluster).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_describes_no_cluster_is_refused_with_the_reason() {
    let google = Google::start().await;
    google.gives(["t"]);
    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    for (answer, reason) in [
        (json!("a cluster"), "what Google says of it"),
        (json!({"endpoint": 7}), "what Google says of it"),
        (json!({"endpoint": "h"}), "CA certificate cannot be read"),
        (json!({"status": "PROVISIONING"}), "has no endpoint and is PROVISIONING"),
        (described("a b", b"-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"), "no address"),
        (described("h", b"-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"), "gke:p/l/c: "),
        (json!({"endpoint": "x".repeat(5 << 20)}), ""),
    ] {
        google.answers(200, answer);
        let error = pods(&cluster).await.unwrap_err();
        let text = if reason.is_empty() { unavailable(&error) } else { refused(&error) };
        assert!(text.contains(reason) && text.len() < 2_000, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_do_not_answer_are_given_up_and_tried_anew() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    google.gives([&plane.token("reader")]);
    google.has("l/c", described(plane.address(), &plane.authority()));
    google.is_silent(true);
    let impatient = google.tokens().with_patience(Duration::from_millis(500));
    let cluster = google.cluster_by("l/c", GkeRoute::Endpoint, GkeSettings::default(), impatient);
    let error = unavailable(&pods(&cluster).await.unwrap_err());
    assert!(error.contains("get a Google access token: no answer within 500ms"), "{error}");
    google.is_silent(false);
    all_pods(&pods(&cluster).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_failed_are_tried_anew_by_the_next_list() {
    let Some(plane) = shared().await else { return };
    let google = Google::start().await;
    // The first is thought to pass, the second to be final.
    google.gives_no_token(503, "temporarily_unavailable");
    google.gives_no_token(400, "invalid_grant");
    google.gives([&plane.token("reader")]);
    google.has("l/c", described(plane.address(), &plane.authority()));
    let cluster = google.cluster("l/c", GkeRoute::Endpoint);
    for _ in 0..2 {
        let error = unavailable(&pods(&cluster).await.unwrap_err());
        assert!(error.contains("get a Google access token"), "{error}");
    }
    all_pods(&pods(&cluster).await.unwrap());
}
