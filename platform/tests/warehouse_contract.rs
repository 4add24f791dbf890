//! The embedded warehouse keeps the promises of its port.

#![allow(clippy::unwrap_used)] // A failed unwrap here is a failed test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt as _;
use podledger_platform::embedded::warehouse::SqliteWarehouse;
use podledger_platform::ports::Warehouse;
use podledger_platform::testkit::memory::MemoryObjects;
use podledger_platform::testkit::warehouse::{Fixture, contract};

#[tokio::test]
async fn the_embedded_warehouse_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let made = AtomicU32::new(0);
    contract(async || {
        let path = folder.path().join(format!("{}.db", made.fetch_add(1, Ordering::Relaxed)));
        Fixture {
            warehouse: Arc::new(SqliteWarehouse::open(&path).unwrap()),
            objects: Arc::new(MemoryObjects::default()),
            reopen: Box::new(move || {
                let path = path.clone();
                async move { Arc::new(SqliteWarehouse::open(path).unwrap()) as Arc<dyn Warehouse> }.boxed()
            }),
        }
    })
    .await;
}
