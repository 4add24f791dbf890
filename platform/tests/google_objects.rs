//! Cloud Storage, as its stand-in serves it, keeps the port's promises.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

#[path = "google_objects/expiry.rs"]
mod expiry;
#[path = "google_objects/faults.rs"]
mod faults;
#[path = "google_objects/killed.rs"]
mod killed;
#[path = "google_objects/races.rs"]
mod races;
#[path = "google_objects/world.rs"]
mod world;

use std::sync::atomic::{AtomicU32, Ordering};

use podledger_platform::ports::{Created, PortError};
use podledger_platform::testkit::objects::{Abilities, contract};
use podledger_platform::testkit::storage::create_bucket;

use world::{open, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_contract() {
    let Some(server) = start() else { return };
    let buckets = AtomicU32::new(0);
    let make = async || {
        let bucket = format!("bucket-{}", buckets.fetch_add(1, Ordering::Relaxed));
        create_bucket(&server.url("http"), &bucket).await;
        open(&server, &bucket, "").await
    };
    contract(make, Abilities::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_keep_apart_what_shares_a_bucket() {
    let Some(server) = start() else { return };
    create_bucket(&server.url("http"), "shared").await;
    let (one, other) = (open(&server, "shared", "one/").await, open(&server, "shared", "one/other").await);
    one.create_bytes("k", "of one").await.unwrap();
    other.create_bytes("k", "of the other").await.unwrap();
    let listed: Vec<String> = one.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(listed, ["k", "other/k"]);
    let listed: Vec<String> = other.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(listed, ["k"]);
    assert_eq!(other.read_bytes("k", 100).await.unwrap().unwrap().1, "of the other");
    let long = one.create_bytes(&"k".repeat(1024), "x").await.unwrap_err();
    assert!(matches!(long, PortError::NeverWill { .. }), "with its prefix it is too long: {long}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_of_several_pages_is_complete() {
    let Some(server) = start() else { return };
    create_bucket(&server.url("http"), "pages").await;
    let objects = open(&server, "pages", "p").await;
    let keys: Vec<String> = (0..2100).map(|n| format!("k{n:04}")).collect();
    for some in keys.chunks(50) {
        futures::future::join_all(some.iter().map(|key| objects.create_bytes(key, "x"))).await;
    }
    let listed: Vec<String> = objects.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(listed, keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_an_error_and_not_a_missing_object() {
    let Some(server) = start() else { return };
    let objects = open(&server, "nowhere", "").await;
    for outcome in [
        objects.read("k").await.map(drop),
        objects.create_bytes("k", "x").await.map(drop),
        objects.list("").await.map(drop),
        objects.delete("k").await,
        objects.ping().await,
    ] {
        let error = outcome.unwrap_err();
        assert!(error.is_not_set_up(), "{error}");
        assert!(error.to_string().contains("gs://nowhere"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_is_an_outage_and_comes_back() {
    let Some(mut server) = start() else { return };
    create_bucket(&server.url("http"), "away").await;
    let objects = open(&server, "away", "").await;
    assert!(matches!(objects.create_bytes("before", "x").await.unwrap(), Created::New(_)));
    server.stop();
    let error = objects.replace_if("k", None, bytes::Bytes::from_static(b"x")).await.unwrap_err();
    assert!(error.is_outage(), "{error}");
    server.start_again(&[("-listen", "http")]);
    create_bucket(&server.url("http"), "away").await; // it was in memory
    assert!(matches!(objects.create_bytes("after", "x").await.unwrap(), Created::New(_)));
}
