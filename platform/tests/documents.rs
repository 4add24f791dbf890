//! Documents in files keep the port's promises.
#![allow(clippy::unwrap_used)] // A failed call is a failed test, also outside its function.

use std::sync::{Arc, Mutex};

use podledger_platform::embedded::DumpDocuments;
use podledger_platform::ports::{Document, Documents};
use podledger_platform::testkit::documents::{Abilities, contract};

#[tokio::test(flavor = "multi_thread")]
async fn files_keep_the_contract() {
    let folders = Mutex::new(Vec::new());
    let make = async |documents: Vec<Document>| {
        let folder = tempfile::tempdir().unwrap();
        // Half of them in one file, half in another: no list is in the order of files alone.
        for (number, half) in documents.chunks(documents.len().div_ceil(2).max(1)).enumerate() {
            let lines: Vec<u8> =
                half.iter().flat_map(|document| [document.to_wire().unwrap(), b"\n".to_vec()].concat()).collect();
            std::fs::write(folder.path().join(format!("{number}.ndjson")), lines).unwrap();
        }
        let source: Arc<dyn Documents> = Arc::new(DumpDocuments::open(folder.path()).unwrap());
        folders.lock().unwrap().push(folder);
        source
    };
    contract(make, Abilities { shows_one_moment: false, ..Abilities::default() }).await;
}
