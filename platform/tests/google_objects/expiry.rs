//! Credentials that expire while the store is in use.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use podledger_platform::google::{CloudStorageObjects, StorageSettings};
use podledger_platform::ports::{Created, Objects, Replaced};
use podledger_platform::testkit::proxy::{ALWAYS, Answer, Fault};
use podledger_platform::testkit::tokens::TokenServer;

use super::world::{behind_a_proxy, came_to, content, retried, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_delays_a_write_and_doubles_none() {
    let Some(server) = start() else { return };
    let (proxy, _) = behind_a_proxy(&server, "tokens").await;
    let tokens = TokenServer::start(Duration::from_secs(2)).await;
    let settings = StorageSettings { emulator: Some(proxy.url()), credentials: Some(tokens.credentials()) };
    let objects: Arc<dyn Objects> = Arc::new(CloudStorageObjects::open_with("tokens", "", &settings).await.unwrap());
    let good =
        |number| Fault::Answer(Answer::next(ALWAYS, 401).unless(format!("Bearer {}", TokenServer::token(number))));
    proxy.set(good(1)).await;
    assert!(matches!(objects.create_bytes("before", "x").await.unwrap(), Created::New(_)));
    proxy.set(good(2)).await;
    let error = objects.replace_if("state", None, Bytes::from_static(b"1")).await.unwrap_err();
    assert_eq!(came_to(&error), "not", "so that even a swap is tried again: {error}");
    let refused = proxy.counts().answered;
    assert!(refused > 0, "the fault struck");
    let swapped = retried(&objects).replace_if("state", None, Bytes::from_static(b"1")).await.unwrap();
    assert!(matches!(swapped, Replaced::Done(_)), "{swapped:?}");
    assert_eq!(content(&server, "tokens", "state").await.as_deref(), Some(&b"1"[..]));
    assert!(tokens.issued() >= 2, "with a new token");
}
