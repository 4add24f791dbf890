//! Objects of 200 MB: the memory they take is bounded, and what stands beside them is read.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

use crate::house::{House, NOW};
use crate::workload::deployment;

/// Size of the object.
const OBJECT_BYTES: u64 = 200 << 20;
/// The most memory the whole process may ever have held: a dozen objects of the largest size that
/// is read (8 MiB), far below what the object has.
const PEAK_BOUND_KIB: u64 = 96 << 10;
/// Blanks written at once.
const BLANKS: [u8; 1 << 20] = [b'a'; 1 << 20];

/// Runs a child to its end and returns its output and the most memory it was seen to hold, in KiB.
fn peak_of(mut child: Child) -> (Option<i32>, String, u64) {
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
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    (ended.code(), out, peak)
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
    for _ in 0..OBJECT_BYTES / BLANKS.len() as u64 {
        file.write_all(&BLANKS).unwrap();
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
    let arguments =
        ["up", "--once", "--dump", "dump", "--cluster", "shop", "--at", NOW, "--data", "data", "--format", "json"];
    let child = house.command(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let (code, out, peak) = peak_of(child);
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
