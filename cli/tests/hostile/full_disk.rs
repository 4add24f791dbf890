//! No room: a bound on the size of every file stands for a disk that is full. The program says so,
//! leaves nothing half-written, and with room again ends where an undisturbed run ends.

use std::process::Command;

use crate::house::{House, UP, ended};
use crate::workload::{declaration, deployment, list};

/// The bound of the first run, in KiB: less than the smallest database.
const SMALLEST_KIB: u64 = 32;
/// By then every run has room.
const LARGEST_KIB: u64 = 64 << 10;
/// Waits are short, for tests.
const SHORT: [(&str, &str); 5] = [
    ("PODLEDGER_RETRY_FOR", "1s"),
    ("PODLEDGER_LEASE", "1s"),
    ("PODLEDGER_DRAIN", "2s"),
    ("PODLEDGER_NACK_FIRST", "100ms"),
    ("PODLEDGER_NACK_MAX", "1s"),
];
/// What is said of a write that found no room, by SQLite and by the system.
const TOLD: [&str; 3] = ["disk I/O error", "disk is full", "File too large"];
/// What must be the same in the end. The ledger also tells how often and when.
const TABLES: [&str; 5] = ["gke_deployments", "deployment_config", "alert_log", "rejected_rows", "dead_letters"];

fn house() -> House {
    let house = House::new();
    let names: Vec<_> = (0..40).map(|number| format!("workload-{number}")).collect();
    house.write("dump/right.json", list(names.iter().map(|name| deployment(name, 5))).to_string());
    house.write("dump/wrong.json", "{\"kind\": \"DeploymentList\", \"items\": [null]}");
    house.write("ped/right.yaml", names.iter().map(|name| declaration(name, "3")).collect::<Vec<_>>().join("---\n"));
    house
}

/// Runs with no file larger than a bound; a write beyond it fails, as on a full disk.
fn cramped(house: &House, kib: u64) -> crate::house::Ended {
    // The signal that comes with the failed write is ignored, the error is what counts.
    let script = "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", &kib.to_string(), env!("CARGO_BIN_EXE_podledger")]);
    command.args([UP, &["--ped", "ped"]].concat());
    command.args(["--timeout", "2s"]);
    house.settle(&mut command);
    ended(command.envs(SHORT).env("PODLEDGER_LOG", "warn,podledger_notifier=off"))
}

fn tables(house: &House) -> Vec<(&'static str, Vec<Vec<String>>)> {
    TABLES.map(|table| (table, house.rows(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5, 6")))).to_vec()
}

#[test]
fn a_full_disk_is_told_and_with_room_the_next_run_completes() {
    let undisturbed = house();
    assert_eq!(undisturbed.up(&["--ped", "ped"]).code, Some(0));
    let expected = tables(&undisturbed);
    let (mut at_start, mut in_the_middle) = (0, 0);
    let mut kib = SMALLEST_KIB;
    loop {
        let house = house();
        let cramped = cramped(&house, kib);
        if !TOLD.iter().any(|told| cramped.err.contains(told)) {
            break; // it had room, whether or not it was in time
        }
        assert_eq!(cramped.code, Some(1), "{kib} KiB: {cramped:?}");
        let last = cramped.err.lines().last().unwrap_or_default();
        assert!(last.starts_with("podledger: "), "{kib} KiB: {cramped:?}");
        assert!(cramped.err.contains("data/"), "{kib} KiB: the place is named: {cramped:?}");
        assert!(cramped.out.is_empty(), "{kib} KiB: no report of half a run: {cramped:?}");
        match last.starts_with("podledger: open ") {
            true => at_start += 1,
            false => in_the_middle += 1,
        }
        let mut command = house.command([UP, &["--ped", "ped"]].concat());
        let again = ended(command.envs(SHORT));
        assert_eq!(again.code, Some(0), "{kib} KiB: {again:?}");
        assert_eq!(tables(&house), expected, "{kib} KiB");
        house.assert_whole();
        kib *= 2;
        assert!(kib < LARGEST_KIB, "no run had room");
    }
    assert!(at_start > 0 && in_the_middle > 0, "{at_start} failed at the start, {in_the_middle} in the middle");
}
