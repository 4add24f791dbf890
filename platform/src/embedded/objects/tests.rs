//! What only this adapter promises.

use std::time::{Duration, SystemTime};

use super::*;

fn store() -> (tempfile::TempDir, DirObjects, Arc<dyn Objects>) {
    let folder = tempfile::tempdir().unwrap();
    let objects = DirObjects::open(folder.path()).unwrap();
    let port: Arc<dyn Objects> = Arc::new(objects.clone());
    (folder, objects, port)
}

#[tokio::test]
async fn a_killed_writers_left_overs_are_never_listed_and_removed_when_old() {
    let (folder, objects, port) = store();
    let (old, young) = (objects.store.folder.staging().join("old"), objects.store.folder.staging().join("young"));
    for path in [&old, &young] {
        std::fs::write(path, "half a body").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(port.list("").await.unwrap(), []);
    let again = DirObjects::open(folder.path()).unwrap();
    assert!(!old.exists(), "an old one goes");
    assert!(young.exists(), "a young one may still be written to");
    assert_eq!(Objects::list(&again, "").await.unwrap(), []);
}

#[tokio::test]
async fn a_create_that_is_dropped_half_way_leaves_nothing() {
    let (_folder, objects, port) = store();
    let (sender, pieces) = tokio::sync::mpsc::channel(1);
    let body: ByteStream = Box::pin(tokio_stream::wrappers::ReceiverStream::new(pieces));
    sender.send(Ok(Bytes::from_static(b"half"))).await.unwrap();
    let creating = tokio::spawn(async move { port.create("k", body).await.map(drop) });
    sender.send(Ok(Bytes::from_static(b"more"))).await.unwrap(); // goes through once the first was taken
    creating.abort();
    assert!(creating.await.unwrap_err().is_cancelled());
    let staged = || std::fs::read_dir(objects.store.folder.staging()).unwrap().count();
    for _ in 0..10_000 {
        if staged() == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(staged(), 0);
    assert!(objects.read("k").await.unwrap().is_none());
}

#[tokio::test]
async fn what_others_put_into_the_folder_is_not_listed() {
    let (folder, _, port) = store();
    port.create_bytes("a/b.json", "x").await.unwrap();
    for stranger in [".DS_Store", "Thumbs.db", "a/README", "a/100%", "a/%zz%f", "a/b.json%f"] {
        std::fs::write(folder.path().join(stranger), "x").unwrap();
    }
    let keys: Vec<String> = port.list("").await.unwrap().into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["a/b.json"]);
}

#[test]
fn a_folder_of_a_newer_layout_is_refused_by_name() {
    let (folder, _, _) = store();
    std::fs::write(folder.path().join(".podledger-objects"), "2\n").unwrap();
    let error = DirObjects::open(folder.path()).unwrap_err();
    assert!(matches!(error, PortError::NeverWill { .. }));
    let text = error.to_string();
    assert!(text.contains("newer") && text.contains(&folder.path().display().to_string()), "{text}");
}

#[test]
fn a_file_in_the_folders_place_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("objects");
    std::fs::write(&file, "").unwrap();
    let error = DirObjects::open(&file).unwrap_err();
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}
