//! Pub/Sub, as its stand-in serves it, keeps the port's promises.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use podledger_platform::google::{PubsubBroker, PubsubEmulator, PubsubSettings};
use podledger_platform::ports::{Broker, Delivery, Flow, Outgoing, PortError, Receiver};
use podledger_platform::testkit::broker::{Abilities, ORDERED, PLAIN, Subject, contract};
use podledger_platform::testkit::pubsub::{Provision, provision};
use podledger_platform::testkit::servers::{Built, Server};

const ABILITIES: Abilities = Abilities {
    shortest_lease: Duration::from_secs(10), // Pub/Sub's
    max_delivery_attempts: 5,                // Pub/Sub's fewest
    keeps_nack_delay: true,
    knows_lost_leases: false, // acknowledgements are confirmed only where delivery is exactly once
    counts: false,
    seeks_exactly: true, // the stand-in does; Google's service after a while
    extends_leases_itself: true,
    seek_reaches_receivers: false,
    counts_attempts_without_policy: false,
    dead_letters_name_their_message: false,
    largest_payload: 9_999_000, // the rest of the 10 MB is the request around it
    patience: Duration::from_secs(60),
};
const PROVISION: Provision = Provision { max_delivery_attempts: 5, exactly_once: false };
const FLOW: Flow = Flow { max_outstanding: 100, lease: Duration::from_secs(10) };
/// What the child process is to do.
const ROLE: &str = "PODLEDGER_TEST_ROLE";
const DATA: &str = "PODLEDGER_TEST_DATA";
const ADMIN: &str = "PODLEDGER_TEST_ADMIN";
const PROJECT: &str = "killed";

/// A running server, and settings for it with short times.
fn start(arguments: &[&str]) -> Option<(Server, PubsubSettings)> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does; another test may have
    let server = Built::find("pubsub")?.start(arguments);
    let settings = settings(server.url("grpc"), server.url("rest"));
    Some((server, settings))
}

fn settings(data: String, admin: String) -> PubsubSettings {
    PubsubSettings {
        emulator: Some(PubsubEmulator { data, admin }),
        call_within: Duration::from_secs(5),
        longest_lease: Duration::from_secs(10),
        look_after: Duration::from_secs(2),
        ..PubsubSettings::default()
    }
}

async fn open(project: &str, settings: &PubsubSettings) -> Arc<dyn Broker> {
    Arc::new(PubsubBroker::open(project, settings.clone()).await.unwrap())
}

async fn open_new(project: &str, server: &Server, settings: &PubsubSettings) -> Arc<dyn Broker> {
    provision(&server.url("rest"), project, PROVISION).await;
    open(project, settings).await
}

fn message(text: impl std::fmt::Display) -> Outgoing {
    Outgoing { payload: text.to_string().into_bytes(), ..Outgoing::default() }
}

fn keyed(key: &str, text: impl std::fmt::Display) -> Outgoing {
    Outgoing { ordering_key: Some(key.to_owned()), ..message(text) }
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.message.payload.clone()).unwrap()
}

async fn next(receiver: &mut Box<dyn Receiver>) -> Delivery {
    tokio::time::timeout(ABILITIES.patience, receiver.next()).await.expect("a message comes").unwrap()
}

/// Publishes until it is published: how long that takes after an outage is not the point.
async fn publish_in_the_end(broker: &Arc<dyn Broker>, message: Outgoing) {
    let published = async {
        while let Err(error) = broker.publish(PLAIN.topic, vec![message.clone()]).await {
            assert!(error.is_outage(), "{error}");
        }
    };
    tokio::time::timeout(ABILITIES.patience, published).await.expect("it is published in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_keeps_the_contract() {
    let Some((server, settings)) = start(&[]) else { return };
    let projects = AtomicU32::new(0);
    contract(async || {
        let project = format!("project-{}", projects.fetch_add(1, Ordering::Relaxed));
        provision(&server.url("rest"), &project, PROVISION).await;
        let settings = settings.clone();
        Subject::new(ABILITIES, move || {
            let (project, settings) = (project.clone(), settings.clone());
            async move { open(&project, &settings).await }
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exactly_once_subscription_confirms_acknowledgements() {
    let Some((server, settings)) = start(&[]) else { return };
    provision(&server.url("rest"), "exact", Provision { exactly_once: true, ..PROVISION }).await;
    let broker = open("exact", &settings).await;
    broker.publish(PLAIN.topic, vec![message("a"), message("b")]).await.unwrap();
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let (first, second) = (next(&mut receiver).await, next(&mut receiver).await);
    assert!(first.ack().await.unwrap());
    let gone = text(&second);
    expire_leases(&server, "exact").await;
    let again = next(&mut receiver).await;
    assert_eq!((text(&again), again.message.delivery_attempt), (gone, 2));
    assert!(!second.ack().await.unwrap(), "its lease was lost");
    assert!(again.ack().await.unwrap());
}

/// As if their holders had died a while ago.
async fn expire_leases(server: &Server, project: &str) {
    let subscription = format!("projects/{project}/subscriptions/{PLAIN}");
    let url = format!("{}/_test/expire?subscription={subscription}", server.url("rest"));
    reqwest::Client::new().post(url).send().await.unwrap().error_for_status().unwrap();
}

async fn fault(server: &Server, fault: serde_json::Value) {
    let url = format!("{}/_test/fault", server.url("rest"));
    reqwest::Client::new().post(url).json(&fault).send().await.unwrap().error_for_status().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_on_after_a_message_of_it_could_not_be_published() {
    const RESOURCE_EXHAUSTED: i32 = 8;
    const UNAVAILABLE: i32 = 14;
    const INVALID_ARGUMENT: i32 = 3;
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("faults", &server, &settings).await;
    let publish = || broker.publish(ORDERED.topic, vec![keyed("k", 1), keyed("k", 2)]);
    for (code, outcome) in [(RESOURCE_EXHAUSTED, "not"), (UNAVAILABLE, "perhaps"), (INVALID_ARGUMENT, "never")] {
        fault(&server, serde_json::json!({"method": "Publish", "code": code, "times": 1})).await;
        let came_to = match publish().await.unwrap_err() {
            PortError::DidNotHappen { .. } => "not",
            PortError::MayHaveHappened { .. } => "perhaps",
            PortError::NeverWill { .. } => "never",
        };
        assert_eq!(came_to, outcome, "code {code}");
    }
    assert_eq!(publish().await.unwrap().len(), 2);
    let mut receiver = broker.subscribe(ORDERED, FLOW).await.unwrap();
    for expected in ["1", "2"] {
        let delivery = next(&mut receiver).await;
        assert_eq!(text(&delivery), expected);
        assert!(delivery.ack().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_refused_with_its_batch_is_tried_alone() {
    const INVALID_ARGUMENT: i32 = 3;
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("batch", &server, &settings).await;
    fault(&server, serde_json::json!({"method": "Publish", "code": INVALID_ARGUMENT, "times": 1})).await;
    assert_eq!(broker.publish(PLAIN.topic, vec![message("innocent")]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_is_not_answered_ends_and_frees_its_memory() {
    let Some((server, settings)) = start(&[]) else { return };
    let within = Duration::from_millis(500);
    let small = PubsubSettings { call_within: within, publishing_bytes: 64 * 1024, ..settings };
    let broker = open_new("frozen", &server, &small).await;
    let large = || Outgoing { payload: vec![1; 60_000], ..Outgoing::default() };
    broker.publish(PLAIN.topic, vec![large()]).await.unwrap();
    server.freeze();
    let stuck = [broker.publish(PLAIN.topic, vec![large()]), broker.publish(PLAIN.topic, vec![large()])];
    for outcome in futures::future::join_all(stuck).await {
        assert!(outcome.unwrap_err().is_outage());
    }
    server.thaw();
    publish_in_the_end(&broker, large()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_loses_nothing() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("still", &server, &settings).await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    broker.publish(PLAIN.topic, vec![message("before")]).await.unwrap();
    let held = next(&mut receiver).await;
    server.freeze();
    assert!(held.ack().await.unwrap(), "it is sent once the server is back");
    server.thaw();
    publish_in_the_end(&broker, message("after")).await;
    assert_eq!(text(&next(&mut receiver).await), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_outlives_a_server_that_is_stopped_and_started() {
    let Some((mut server, settings)) = start(&[]) else { return };
    let broker = open_new("restart", &server, &settings).await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    broker.publish(PLAIN.topic, vec![message("before")]).await.unwrap();
    assert!(next(&mut receiver).await.ack().await.unwrap());
    server.stop();
    let error = broker.publish(PLAIN.topic, vec![message("lost")]).await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    assert!(broker.ping().await.is_err());
    server.start_again(&[("--grpc", "grpc"), ("--rest", "rest")]);
    provision(&server.url("rest"), "restart", PROVISION).await; // its state was in memory
    publish_in_the_end(&broker, message("after")).await;
    // The stream found no subscription in between, or never noticed: as the runtime does, open it
    // again after an error.
    let came = async {
        loop {
            match receiver.next().await {
                Ok(delivery) => return delivery,
                Err(error) => {
                    assert!(error.to_string().contains(&PLAIN.name()), "{error}");
                    receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
                }
            }
        }
    };
    let delivery = tokio::time::timeout(ABILITIES.patience, came).await.expect("it comes");
    assert_eq!(text(&delivery), "after");
    assert!(delivery.ack().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_the_service_ends_again_and_again_lose_nothing() {
    const MESSAGES: usize = 300;
    let Some((server, settings)) = start(&["--stream-lifetime", "200ms"]) else { return };
    let broker = open_new("short", &server, &settings).await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let publish = async {
        for some in (0..MESSAGES).collect::<Vec<_>>().chunks(10) {
            broker.publish(PLAIN.topic, some.iter().map(message).collect()).await.unwrap();
        }
    };
    let consume = async {
        let mut came = BTreeSet::new();
        while came.len() < MESSAGES {
            let delivery = next(&mut receiver).await;
            came.insert(text(&delivery));
            assert!(delivery.ack().await.unwrap());
        }
    };
    futures::join!(publish, consume);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_deleted_ends_its_receiver_with_an_error() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("deleted", &server, &settings).await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    broker.publish(PLAIN.topic, vec![message("one")]).await.unwrap();
    assert!(next(&mut receiver).await.ack().await.unwrap());
    let url = format!("{}/v1/projects/deleted/subscriptions/{PLAIN}", server.url("rest"));
    reqwest::Client::new().delete(url).send().await.unwrap().error_for_status().unwrap();
    for _ in 0..2 {
        let ended = tokio::time::timeout(ABILITIES.patience, receiver.next()).await.expect("it ends");
        assert!(ended.is_err_and(|error| error.to_string().contains(&PLAIN.name())));
    }
}

/// The child's part: takes a message, does its work, and is killed before it acknowledges.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let settings = settings(std::env::var(DATA).unwrap(), std::env::var(ADMIN).unwrap());
    let broker = open(PROJECT, &settings).await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let delivery = next(&mut receiver).await;
    println!("report {}", text(&delivery));
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_holder_was_killed_before_it_acknowledged_comes_again() {
    use std::io::{BufRead as _, BufReader};
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new(PROJECT, &server, &settings).await;
    broker.publish(PLAIN.topic, vec![message("work")]).await.unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .envs([(ROLE, "holder".to_owned()), (DATA, server.url("grpc")), (ADMIN, server.url("rest"))])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reported = tokio::task::spawn_blocking(move || {
        lines.map(Result::unwrap).find_map(|line| line.split_once("report ").map(|(_, text)| text.to_owned()))
    });
    let reported = tokio::time::timeout(ABILITIES.patience, reported).await.expect("the child reports").unwrap();
    assert_eq!(reported.as_deref(), Some("work"));
    child.kill().unwrap();
    child.wait().unwrap();
    // Its lease, which only it extended, runs out.
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let delivery = next(&mut receiver).await;
    assert_eq!((text(&delivery).as_str(), delivery.message.delivery_attempt), ("work", 2));
    assert!(delivery.ack().await.unwrap());
}
