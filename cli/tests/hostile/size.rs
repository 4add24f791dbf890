//! Objects of 200 MB: the memory they take is bounded, and what stands beside them is read.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::house::{House, UP};
use crate::workload::deployment;

/// Size of the object.
const OBJECT_BYTES: u64 = 200 << 20;
/// The most memory the whole process may ever have held: a dozen objects of the largest size that
/// is read (8 MiB), far below what the object has.
const PEAK_BOUND_KIB: u64 = 96 << 10;
/// The most memory `explain` may have held: it reads a file at once, 256 MiB of it at most.
const EXPLAIN_BOUND_KIB: u64 = 288 << 10;
/// Text written at once.
static FILLING: [u8; 1 << 20] = [b'a'; 1 << 20];

/// Runs the program to its end and returns its exit code, its output and the most memory it was seen
/// to hold, in KiB.
fn peak_of(house: &House, arguments: &[&str]) -> (Option<i32>, String, u64) {
    // Into a file: nobody reads while it runs.
    let out = house.path("out");
    let mut child = house.command(arguments).stdout(File::create(&out).unwrap()).spawn().unwrap();
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        // The kernel keeps the highest value itself: what is missed between two looks is in the next.
        let status = std::fs::read_to_string(&status_file).unwrap_or_default();
        let seen =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        peak = peak.max(seen.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    (ended.code(), std::fs::read_to_string(out).unwrap(), peak)
}

/// A list with an object of 200 MB between two right ones.
fn list_with_a_giant(path: &Path) {
    let mut file = File::create(path).unwrap();
    let giant = "{\"metadata\":{\"name\":\"giant\",\"namespace\":\"shop\",\"annotations\":{\"note\":\"";
    write!(
        file,
        "{{\"apiVersion\":\"apps/v1\",\"kind\":\"DeploymentList\",\"items\":[{},{giant}",
        deployment("before", 2)
    )
    .unwrap();
    for _ in 0..OBJECT_BYTES / FILLING.len() as u64 {
        file.write_all(&FILLING).unwrap();
    }
    write!(file, "\"}}}}}},{}]}}", deployment("after", 2)).unwrap();
}

/// One object of 200 MB, most of it a hole in the file.
fn sparse_giant(path: &Path) {
    let mut file = File::create(path).unwrap();
    // Longer than the look that finds the form of a file, so that it is taken for JSON.
    let note = "a".repeat(512 << 10);
    write!(
        file,
        "{{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{{\"annotations\":{{\"note\":\"{note}"
    )
    .unwrap();
    file.seek(SeekFrom::Current(i64::try_from(OBJECT_BYTES).unwrap())).unwrap();
    write!(file, "\"}}}}}}").unwrap();
}

#[test]
fn an_object_of_200_mb_is_rejected_in_bounded_memory() {
    let house = House::new();
    list_with_a_giant(&house.path("dump/list.json"));
    sparse_giant(&house.path("dump/single.json"));
    let (code, out, peak) = peak_of(&house, &[UP, &["--format", "json"]].concat());
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(house.deployments(), ["after", "before"]);
    let mut reasons = house.column("SELECT reason FROM rejected_rows");
    reasons.sort();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons[0].starts_with("list.json, line 1, byte ") && reasons[0].contains("item 1: it is larger than"),
        "{reasons:?}"
    );
    assert!(reasons[1].starts_with("single.json, line 1, byte "), "{reasons:?}");
    assert!((1..PEAK_BOUND_KIB).contains(&peak), "{peak} KiB at the peak, at most {PEAK_BOUND_KIB} are allowed");
    house.assert_whole();
}

#[test]
fn explain_holds_no_more_than_the_largest_file_it_reads() {
    let house = House::new();
    list_with_a_giant(&house.path("list.json"));
    let (code, out, peak) = peak_of(&house, &["explain", "list.json"]);
    assert_eq!(code, Some(0), "{out}");
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert_eq!((&lines[0]["row"]["name"], &lines[2]["row"]["name"]), (&"before".into(), &"after".into()));
    assert_eq!(lines[1]["reject"]["index"], 1);
    assert!((1..EXPLAIN_BOUND_KIB).contains(&peak), "{peak} KiB at the peak, at most {EXPLAIN_BOUND_KIB} are allowed");
}
