//! What the tests of the Cloud Storage adapter share: a server, a bucket, a proxy before it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use podledger_platform::google::CloudStorageObjects;
use podledger_platform::layers::{RetryObjects, RetryPolicy};
use podledger_platform::ports::{Objects, PortError};
use podledger_platform::testkit::proxy::Proxy;
use podledger_platform::testkit::servers::{Built, Server};
use podledger_platform::testkit::storage::create_bucket;

/// How long something that must come is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn start() -> Option<Server> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does; another test may have
    Built::find("storage").map(|storage| storage.start(&[]))
}

pub(crate) async fn open(server: &Server, bucket: &str, prefix: &str) -> Arc<dyn Objects> {
    Arc::new(CloudStorageObjects::open(bucket, prefix, Some(&server.url("http"))).await.unwrap())
}

/// A new bucket, reached through a proxy. Addresses of long uploads lead through it as well.
pub(crate) async fn behind_a_proxy(server: &Server, bucket: &str) -> (Proxy, Arc<dyn Objects>) {
    create_bucket(&server.url("http"), bucket).await;
    let proxy = Proxy::start(server.address("http")).await;
    let url = format!("{}/_test/address?is={}", server.url("http"), proxy.address());
    reqwest::Client::new().post(url).send().await.unwrap().error_for_status().unwrap();
    let objects = CloudStorageObjects::open(bucket, "", Some(&proxy.url())).await.unwrap();
    (proxy, Arc::new(objects))
}

/// As a stage has it.
pub(crate) fn retried(objects: &Arc<dyn Objects>) -> Arc<dyn Objects> {
    let policy = RetryPolicy { first: Duration::from_millis(20), within: PATIENCE, ..RetryPolicy::default() };
    Arc::new(RetryObjects::new(Arc::clone(objects), policy))
}

/// Bytes in which no piece is like another.
pub(crate) fn bytes(length: usize) -> Bytes {
    (0..length).map(|place| u8::try_from((place * 31 + place / 251) % 256).unwrap()).collect()
}

/// What a failed call came to, in a word.
pub(crate) fn came_to(error: &PortError) -> &'static str {
    match error {
        PortError::DidNotHappen { .. } => "not",
        PortError::MayHaveHappened { .. } => "perhaps",
        error if error.is_not_set_up() => "not set up",
        PortError::NeverWill { .. } => "never",
    }
}

/// What an object holds, read without the proxy.
pub(crate) async fn content(server: &Server, bucket: &str, key: &str) -> Option<Bytes> {
    let direct = open(server, bucket, "").await;
    direct.read_bytes(key, 1 << 30).await.unwrap().map(|(_, bytes)| bytes)
}
