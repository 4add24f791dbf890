//! Data directories that are not for this process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::house::House;
use crate::workload::{deployment, list};

/// Longest wait for another process to do what it should.
const PATIENCE: Duration = Duration::from_secs(30);

fn house() -> House {
    let house = House::new();
    house.write("dump/right.json", list([deployment("right", 3)]).to_string());
    house
}

#[test]
fn a_directory_of_a_newer_version_is_left_as_it_is() {
    let house = house();
    std::fs::create_dir(house.path("data")).unwrap();
    house.write("data/format", "2\n");
    for arguments in [&["up", "--once", "--dump", "dump", "--data", "data"][..], &["alerts", "list", "--data", "data"]]
    {
        let ended = house.run(arguments);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("data directory data has format 2, written by a newer podledger"), "{ended:?}");
    }
    let left: Vec<_> = std::fs::read_dir(house.path("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["format"], "nothing was added");
}

#[test]
fn a_folder_of_something_else_is_left_as_it_is() {
    let house = house();
    let ended = house.run(&["up", "--once", "--dump", "dump", "--data", "dump"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("dump is not a data directory and not empty (it holds right.json)"), "{ended:?}");
    let ended = house.run(&["up", "--once", "--dump", "dump", "--data", "dump/right.json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("dump/right.json"), "{ended:?}");
    assert_eq!(std::fs::read_dir(house.path("dump")).unwrap().count(), 1);
}

#[test]
fn a_database_that_is_none_is_named_and_not_overwritten() {
    let house = house();
    assert_eq!(house.up(&[]).code, Some(0));
    for database in ["broker.db", "warehouse.db"] {
        let path = house.path(&format!("data/{database}"));
        let aside = house.path("aside.db");
        // Without its log, which may hold the whole of it.
        checkpointed(&path);
        std::fs::rename(&path, &aside).unwrap();
        let garbage = [b'x'; 8_192];
        std::fs::write(&path, garbage).unwrap();
        let ended = house.up(&[]);
        assert_eq!(ended.code, Some(1), "{database}: {ended:?}");
        assert!(ended.err.contains(database), "{database}: {ended:?}");
        assert_eq!(std::fs::read(&path).unwrap(), garbage, "{database} was changed");
        std::fs::rename(&aside, &path).unwrap();
    }
    assert_eq!(house.up(&[]).code, Some(0));
    house.assert_whole();
}

/// Puts all of a database into its one file.
fn checkpointed(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
}

/// A running `up`, ended with the test.
struct Running(Child);

impl Running {
    /// Asks it to stop and waits for the end.
    fn stop(mut self) -> Option<i32> {
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(told.success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; there is nobody left to tell.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Waits for a condition.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_directory_in_use_is_not_used_twice_and_its_user_goes_on() {
    let house = house();
    let first = house
        .command(["up", "--dump", "dump", "--cluster", "shop", "--data", "data", "--every", "1h"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = first.id().to_string();
    let first = Running(first);
    until("the first one has the directory", || {
        std::fs::read_to_string(house.path("data/up.lock")).is_ok_and(|holder| holder == process)
    });
    let second = house.up(&[]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("data directory data is in use by another `podledger up`"), "{second:?}");
    assert!(second.err.contains(&process), "{second:?}");
    assert!(second.out.is_empty(), "{second:?}");
    // Asking is allowed meanwhile, and the first one does its work to the end.
    until("the first one's snapshot is loaded", || {
        let listed = house.run(&["verify", "--data", "data", "--format", "json"]);
        listed.code == Some(0)
            && listed.json()["compared"].as_i64().is_some_and(|compared| compared > 0)
            && house.deployments() == ["right"]
    });
    let asked = house.run(&["snapshot", "--cluster", "shop", "--wait", "--data", "data", "--format", "json"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let (asked, kind) = (asked.json(), "deployments");
    assert_eq!((&asked["kinds"][kind]["rows"], &asked["kinds"][kind]["rejects"]), (&1.into(), &0.into()), "{asked}");
    let id = asked["request_id"].as_str().unwrap();
    let loaded = house.column(&format!("SELECT name FROM gke_deployments WHERE snapshot_id = '{id}'"));
    assert_eq!(loaded, ["right"], "who waited finds the rows");
    assert_eq!(first.stop(), Some(0));
    assert_eq!(house.up(&[]).code, Some(0), "free again");
    house.assert_whole();
}
