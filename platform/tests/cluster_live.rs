//! The live adapter against a scripted API server: the wire format, and everything that goes wrong.

// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use podledger_platform::kubernetes::{KubeCluster, KubeSettings};
use podledger_platform::ports::{Cluster, ClusterError, Kind, RawObject};
use podledger_platform::testkit::cluster::{ApiServer, Fault, Served, Source, Subject, contract, drain};
use schemas::Timestamp;

const PODS: &str = "/api/v1/pods";
const AT: Timestamp = Timestamp::MIN;

fn pod(index: u64) -> Bytes {
    format!(r#"{{"metadata":{{"name":"p{index}","namespace":"n{}"}},"spec":{{}}}}"#, index % 3).into()
}

fn settings() -> KubeSettings {
    KubeSettings { page_limit: 10, ..KubeSettings::default() }
}

/// Time-outs that a test can wait for; nothing else depends on them.
fn impatient() -> KubeSettings {
    KubeSettings {
        response_timeout: Duration::from_millis(200),
        read_timeout: Duration::from_millis(200),
        ..settings()
    }
}

async fn serving_pods(count: u64) -> ApiServer {
    ApiServer::start(Served::default().with(Kind::Pods, Source::generated(count, pod))).await
}

fn cluster(server: &ApiServer, settings: KubeSettings) -> KubeCluster {
    KubeCluster::with_config(server.config(), settings).unwrap()
}

async fn failure(server: &ApiServer, settings: KubeSettings, kind: Kind) -> ClusterError {
    drain(&cluster(server, settings), kind, AT).await.expect_err("the listing must fail")
}

#[tokio::test]
async fn it_keeps_the_ports_promises() {
    let namespaced = |prefix: &'static str, count: u64| {
        Source::generated(count, move |index| {
            format!(r#"{{"metadata":{{"name":"{prefix}{index}","namespace":"n"}}}}"#).into()
        })
    };
    let counts = contract(async || {
        let served = Served::default()
            .with(Kind::Pods, Source::generated(1234, pod))
            .with(Kind::Deployments, namespaced("d", 20))
            .with(Kind::HorizontalPodAutoscalers, namespaced("h", 21))
            .with(Kind::Nodes, Source::given([r#"{"metadata":{"name":"node"}}"#]));
        let server = ApiServer::start(served).await;
        Subject { cluster: Arc::new(cluster(&server, KubeSettings::default())), at: AT, source: Box::new(server) }
    })
    .await;
    assert_eq!(counts[&Kind::Pods], 1234);
    assert_eq!(counts[&Kind::Deployments], 20);
    assert_eq!(counts[&Kind::ReplicaSets], 0);
}

#[tokio::test]
async fn a_list_is_followed_through_its_pages_within_one_version() {
    let server = serving_pods(25).await;
    let cluster = cluster(&server, settings());
    let listing = cluster.list(Kind::Pods, AT).await.unwrap();
    assert_eq!((listing.api_version.as_str(), listing.resource_version.as_str()), ("v1", "1000"));
    let objects: Vec<_> =
        listing.pages.try_collect::<Vec<_>>().await.unwrap().into_iter().flat_map(|page| page.objects).collect();
    assert_eq!(objects, (0..25).map(|index| RawObject::Json(pod(index))).collect::<Vec<_>>());
    let seen = server.seen();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(seen[0], "/api/v1/pods?limit=10");
    assert!(seen[1].starts_with("/api/v1/pods?limit=10&continue="), "{seen:?}");
    assert!(seen.iter().all(|uri| !uri.contains("resourceVersion")), "{seen:?}");
}

#[tokio::test]
async fn the_next_page_is_asked_for_when_it_is_wanted_and_not_before() {
    let server = serving_pods(10_000).await;
    let mut listing = cluster(&server, settings()).list(Kind::Pods, AT).await.unwrap();
    for wanted in 1..=3 {
        listing.pages.try_next().await.unwrap().unwrap();
        assert_eq!(server.requests(PODS), wanted);
    }
}

#[tokio::test]
async fn excluded_namespaces_are_left_out_by_the_server() {
    let server = serving_pods(9).await;
    let excluding = KubeSettings { excluded_namespaces: vec!["n0".to_owned(), "n2".to_owned()], ..settings() };
    let objects = drain(&cluster(&server, excluding), Kind::Pods, AT).await.unwrap();
    assert_eq!(objects, [1, 4, 7].map(|index| RawObject::Json(pod(index))));
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let server = serving_pods(30).await;
    let mut listing = cluster(&server, settings()).list(Kind::Pods, AT).await.unwrap();
    listing.pages.try_next().await.unwrap();
    server.expire_tokens();
    let error = listing.pages.try_next().await.unwrap_err();
    assert!(matches!(error, ClusterError::Expired { kind: Kind::Pods }), "{error}");
    assert!(listing.pages.try_next().await.unwrap().is_none(), "nothing comes after the error");
}

#[tokio::test]
async fn pages_of_two_versions_are_never_mixed() {
    let server = serving_pods(30).await;
    server.fault(PODS, 2, Fault::OtherVersion);
    let error = failure(&server, settings(), Kind::Pods).await;
    assert!(matches!(error, ClusterError::Expired { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_permission_is_refused_by_its_name() {
    let server = serving_pods(1).await;
    server.fault(PODS, 1, Fault::Status(403));
    server.fault("/version", 1, Fault::Status(403));
    let error = failure(&server, settings(), Kind::Pods).await;
    assert!(matches!(error, ClusterError::Refused { .. }));
    let text = error.to_string();
    assert!(text.contains(r#"{apiGroups: [""], resources: ["pods"], verbs: ["list"]}"#), "{text}");
    assert!(failure(&server, settings(), Kind::Clusters).await.to_string().contains("nonResourceURLs"));
}

#[tokio::test]
async fn autoscalers_are_read_in_the_newest_version_served() {
    let path = |version| format!("/apis/autoscaling/{version}/horizontalpodautoscalers");
    let object = || Source::given([r#"{"metadata":{"name":"h","namespace":"n"}}"#]);
    let served = Served::default().without(&path("v2"));
    for version in ["v2beta2", "v1"] {
        let api_version = format!("autoscaling/{version}");
        let served = served.clone().at(&path(version), &api_version, "HorizontalPodAutoscalerList", object());
        let server = ApiServer::start(served).await;
        let listing = cluster(&server, settings()).list(Kind::HorizontalPodAutoscalers, AT).await.unwrap();
        assert_eq!(listing.api_version, api_version);
    }
    let server = ApiServer::start(served).await;
    let error = failure(&server, settings(), Kind::HorizontalPodAutoscalers).await;
    assert!(matches!(error, ClusterError::Refused { .. }), "{error}");
    assert_eq!(server.seen().len(), 3, "every version was tried");
}

#[tokio::test]
async fn what_may_pass_is_unavailable() {
    for fault in [Fault::Status(500), Fault::Aborted, Fault::CutOff, Fault::Body(Bytes::new()), Fault::NoAnswer] {
        for nth in [1, 2] {
            let server = serving_pods(30).await;
            server.fault(PODS, nth, fault.clone());
            let settings = if fault == Fault::NoAnswer { impatient() } else { settings() };
            let error = failure(&server, settings, Kind::Pods).await;
            assert!(matches!(error, ClusterError::Unavailable { .. }), "{fault:?} on {nth}: {error}");
        }
    }
}

#[tokio::test]
async fn a_response_that_stands_still_is_given_up() {
    let server = serving_pods(30).await;
    server.fault(PODS, 2, Fault::StandStill);
    let error = failure(&server, impatient(), Kind::Pods).await;
    assert!(error.to_string().contains("stood still"), "{error}");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_for_a_bounded_time() {
    let server = serving_pods(30).await;
    server.fault(PODS, 2, Fault::Status(429));
    assert_eq!(drain(&cluster(&server, settings()), Kind::Pods, AT).await.unwrap().len(), 30);
    assert_eq!(server.requests(PODS), 4, "three pages, one of them twice");

    server.fault_from(PODS, 5, Fault::RetryAfter(429, 3600));
    let error = failure(&server, impatient(), Kind::Pods).await;
    assert!(matches!(error, ClusterError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago and that nobody listens on.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let config = kube::Config::new(format!("http://127.0.0.1:{port}").parse().unwrap());
    let cluster = KubeCluster::with_config(config, impatient()).unwrap();
    let error = drain(&cluster, Kind::Pods, AT).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_body_that_is_no_list_is_told_apart() {
    for (body, refused) in [
        (&br#"{"kind":"Status","status":"Success"}"#[..], true),
        (br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":{}}"#, true),
        (br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":1},"items":[]}"#, false),
        (b"<html>", false),
    ] {
        let server = serving_pods(1).await;
        server.fault(PODS, 1, Fault::Body(body.into()));
        let error = failure(&server, settings(), Kind::Pods).await;
        assert_eq!(matches!(error, ClusterError::Refused { .. }), refused, "{error}");
    }
}

#[tokio::test]
async fn null_items_are_an_empty_list() {
    let server = serving_pods(1).await;
    let body = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":null}"#;
    server.fault(PODS, 1, Fault::Body(body.into()));
    assert_eq!(drain(&cluster(&server, settings()), Kind::Pods, AT).await.unwrap(), []);
}

#[tokio::test]
async fn one_bad_item_stands_in_its_place_and_costs_no_other() {
    let big = format!(r#"{{"x":"{}"}}"#, "y".repeat(300));
    let objects = [Bytes::from_static(b"null"), pod(1), big.into(), Bytes::from_static(b"{\"a\":\"\xff\"}"), pod(2)];
    let server = ApiServer::start(Served::default().with(Kind::Pods, Source::given(objects))).await;
    let bounded = KubeSettings { object_bound_bytes: 200, ..settings() };
    let found = drain(&cluster(&server, bounded), Kind::Pods, AT).await.unwrap();
    let unreadable = |index: usize, reason: &str| RawObject::Unreadable {
        place: format!("pods list, item {index}"),
        reason: reason.to_owned(),
    };
    assert_eq!(
        found,
        [
            unreadable(0, "it is null, expected an object"),
            RawObject::Json(pod(1)),
            unreadable(2, "it is larger than 200 bytes"),
            unreadable(3, "it is not UTF-8: invalid byte at 6 of it"),
            RawObject::Json(pod(2)),
        ]
    );
}

#[tokio::test]
async fn metadata_after_the_items_is_found() {
    let server = serving_pods(1).await;
    let body = r#"{"items":[{"metadata":{"name":"a","namespace":"b"}}],"kind":"PodList","metadata":{"resourceVersion":"9"},"apiVersion":"v1"}"#;
    server.fault(PODS, 1, Fault::Body(body.into()));
    let listing = cluster(&server, settings()).list(Kind::Pods, AT).await.unwrap();
    assert_eq!((listing.api_version.as_str(), listing.resource_version.as_str()), ("v1", "9"));
}

#[tokio::test]
async fn the_cluster_is_its_version() {
    let server = serving_pods(1).await;
    let found = drain(&cluster(&server, settings()), Kind::Clusters, AT).await.unwrap();
    assert_eq!(found, [RawObject::Json(r#"{"gitVersion":"v1.35.0","platform":"linux/amd64"}"#.into())]);
}

#[tokio::test]
async fn an_unknown_context_is_a_configuration_error() {
    let error = KubeCluster::connect(Some("no-such-context")).await.err().expect("there is no such context");
    assert!(!error.is_outage(), "{error}");
}
