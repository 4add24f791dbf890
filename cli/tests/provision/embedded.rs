//! Embedded places are made where they are missing.

use std::path::Path;

use crate::project::{Ended, ended, podledger};

async fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = podledger(arguments);
    let place = |name: &str| folder.join(name).display().to_string();
    command
        .env("PODLEDGER_BROKER", format!("sqlite:{}", place("broker.db")))
        .env("PODLEDGER_OBJECTS", format!("file:{}", place("objects")))
        .env("PODLEDGER_WAREHOUSE", format!("sqlite:{}", place("warehouse.db")));
    ended(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_makes_no_file_and_a_run_makes_all_with_their_tables() {
    let folder = tempfile::tempdir().unwrap();
    let planned = run(folder.path(), &["--dry-run"]).await.with(0);
    assert!(planned.ends_with("3 to create, 0 to change, 0 as they should be, 0 not in the topology\n"), "{planned}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let made = run(folder.path(), &[]).await.with(0);
    assert!(made.ends_with("3 created, 0 changed, 0 as they should be, 0 not in the topology\n"), "{made}");
    assert!(folder.path().join("objects").is_dir());
    let count = |file: &str, sql: &str| -> i64 {
        let connection = rusqlite::Connection::open(folder.path().join(file)).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count("broker.db", "SELECT count(*) FROM subscriptions"), 11);
    let tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('gke_pods', 'alert_log')";
    assert_eq!(count("warehouse.db", tables), 2);
    let second = run(folder.path(), &["--check"]).await.with(0);
    assert!(second.ends_with("0 to create, 0 to change, 3 as they should be, 0 not in the topology\n"), "{second}");
}
