//! Pub/Sub, as its stand-in serves it, keeps the port's promises.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

#[path = "google_broker/expiry.rs"]
mod expiry;
#[path = "google_broker/faults.rs"]
mod faults;
#[path = "google_broker/killed.rs"]
mod killed;
#[path = "google_broker/settling.rs"]
mod settling;
#[path = "google_broker/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use podledger_platform::google::PubsubSettings;
use podledger_platform::ports::Outgoing;
use podledger_platform::testkit::broker::{ORDERED, PLAIN, Subject, contract};
use podledger_platform::testkit::pubsub::{Provision, provision};

use world::{
    ABILITIES, FLOW, PROVISION, came_to, expire_leases, fault, keyed, message, next, open, open_new,
    publish_in_the_end, start, text,
};

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
        assert_eq!(came_to(&publish().await.unwrap_err()), outcome, "code {code}");
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
