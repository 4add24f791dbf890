//! The embedded object store keeps the port's promises.

use std::sync::Arc;

use podledger_platform::embedded::DirObjects;
use podledger_platform::ports::Objects;
use podledger_platform::testkit::objects::{Abilities, contract};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let opened = std::cell::Cell::new(0);
    contract(
        async || {
            opened.set(opened.get() + 1);
            Arc::new(DirObjects::open(path.join(opened.get().to_string())).unwrap()) as Arc<dyn Objects>
        },
        Abilities::default(),
    )
    .await;
    assert!(opened.get() > 10, "each promise was run");
}
