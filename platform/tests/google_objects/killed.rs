//! A process that is killed in the middle of an upload. The test starts this test binary again as a
//! child that runs `child_that_uploads`, which does nothing on its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use bytes::Bytes;
use futures::StreamExt as _;
use podledger_platform::google::CloudStorageObjects;
use podledger_platform::ports::{ByteStream, Created, Objects as _};
use podledger_platform::testkit::storage::create_bucket;

use super::world::{PATIENCE, content, open, start};

/// Set for the child only: where the store is.
const STORE: &str = "PODLEDGER_TEST_STORE";
const BUCKET: &str = "killed";
/// A piece of the body; the whole is too long for one request.
const PIECE_BYTES: usize = 3 << 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of another test"]
async fn child_that_uploads() {
    let Ok(store) = std::env::var(STORE) else { return };
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does
    let objects = CloudStorageObjects::open(BUCKET, "", Some(&store)).await.unwrap();
    let piece = |_| Ok(Bytes::from(vec![7; PIECE_BYTES]));
    let stuck = futures::stream::once(async {
        println!("report half");
        std::future::pending().await
    });
    let body: ByteStream = futures::stream::iter((0..4).map(piece)).chain(stuck).boxed();
    objects.create("k", body).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_process_was_killed_is_not_there_and_the_key_is_free() {
    let Some(server) = start() else { return };
    create_bucket(&server.url("http"), BUCKET).await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["killed::child_that_uploads", "--exact", "--ignored", "--nocapture"])
        .env(STORE, server.url("http"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let half = tokio::task::spawn_blocking(move || {
        lines.map(Result::unwrap).any(|line| line.ends_with("report half")) // libtest's own words may be before it
    });
    let half = tokio::time::timeout(PATIENCE, half).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(half.expect("the child gets half way").unwrap());
    assert_eq!(content(&server, BUCKET, "k").await, None);
    let objects = open(&server, BUCKET, "").await;
    assert!(objects.list("").await.unwrap().is_empty());
    assert!(matches!(objects.create_bytes("k", "whole").await.unwrap(), Created::New(_)));
}
