//! Every file under `PODLEDGER_REAL_DATA` through `explain`: nothing crashes it, and every item is
//! accounted for exactly once, as a second, simpler reader counts them.
#![allow(clippy::unwrap_used)] // In a test a failed unwrap is a failed claim.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use podledger_cli::explain::{Options, run};
use serde_json::Value;

/// What the lines of a folder come to.
#[derive(Default)]
struct Counts {
    files: usize,
    compared: usize,
    items: usize,
    rows: usize,
    messages: usize,
    rejects: usize,
    skips: usize,
}

#[test]
fn every_object_of_the_real_files_is_accounted_for_once() {
    let Some(root) = std::env::var_os("PODLEDGER_REAL_DATA").map(PathBuf::from) else {
        println!("skipped: PODLEDGER_REAL_DATA is not set");
        return;
    };
    if !root.is_dir() {
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!in_ci, "{} is missing", root.display());
        println!("skipped: {} is missing", root.display());
        return;
    }
    let mut files = Vec::new();
    walk(&root, &mut files);
    assert!(!files.is_empty(), "{} holds no files", root.display());
    let mut folders: BTreeMap<String, Counts> = BTreeMap::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for file in &files {
        let relative = file.strip_prefix(&root).unwrap();
        let folder = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        explain_one(file, folders.entry(folder).or_default(), &mut reasons);
    }
    println!(
        "{:<14} {:>5} {:>8} {:>6} {:>6} {:>8} {:>7} {:>6}",
        "folder", "files", "compared", "items", "rows", "messages", "rejects", "skips"
    );
    for (folder, c) in &folders {
        println!(
            "{folder:<14} {:>5} {:>8} {:>6} {:>6} {:>8} {:>7} {:>6}",
            c.files, c.compared, c.items, c.rows, c.messages, c.rejects, c.skips
        );
    }
    println!("reasons of rejects:");
    for (reason, count) in &reasons {
        println!("{count:>5} {reason}");
    }
    let compared: usize = folders.values().map(|counts| counts.compared).sum();
    assert!(compared * 10 >= files.len() * 8, "only {compared} of {} files could be counted twice", files.len());
}

/// Explains one file and compares its items with the simple count.
fn explain_one(file: &Path, counts: &mut Counts, reasons: &mut BTreeMap<String, usize>) {
    let mut out = Vec::new();
    let exit = run(&[file.to_owned()], &Options::default(), &mut out).unwrap();
    assert_eq!(exit.code(), 0, "{}", file.display());
    let mut indexes = Vec::new();
    for line in out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line).unwrap();
        let about = line.get("reject").or(line.get("skip")).unwrap_or(&line);
        indexes.push(usize::try_from(about["index"].as_u64().unwrap()).unwrap());
        match () {
            () if line.get("table").is_some() => counts.rows += 1,
            () if line.get("topic").is_some() => counts.messages += 1,
            () if line.get("skip").is_some() => counts.skips += 1,
            () => {
                counts.rejects += 1;
                let reason = about["reason"].as_str().unwrap();
                *reasons.entry(format!("{reason} ({})", file.file_name().unwrap().to_string_lossy())).or_default() += 1;
            }
        }
    }
    indexes.dedup();
    let items = indexes.len();
    assert_eq!(indexes, (0..items).collect::<Vec<_>>(), "{}: indexes without gaps, in order", file.display());
    assert!(items > 0, "{}: no line", file.display());
    counts.files += 1;
    counts.items += items;
    if let Some(expected) = counted(&std::fs::read(file).unwrap()) {
        assert_eq!(items, expected, "{}", file.display());
        counts.compared += 1;
    }
}

/// Files below a folder, in order.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() { walk(&entry, files) } else { files.push(entry) }
    }
}

/// How many items bytes hold, by reading them whole; none where they cannot be read so.
fn counted(bytes: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(bytes).ok()?;
    let values: Vec<Value> =
        match serde_json::Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>() {
            Ok(values) => values,
            Err(_) => serde_saphyr::from_multiple(text).ok()?,
        };
    let values: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
    Some(values.into_iter().map(items).sum::<usize>().max(1))
}

/// How many items a value holds.
fn items(value: &Value) -> usize {
    let all = |values: &Vec<Value>| values.iter().map(items).sum::<usize>().max(1);
    if let Some(values) = value.as_array() {
        return all(values);
    }
    match value["kind"].as_str() {
        Some(kind) if kind.ends_with("List") => value["items"].as_array().map_or(1, all),
        Some(_) => 1,
        None => {
            if let Some(tests) = value["Tests"].as_array() {
                return tests
                    .iter()
                    .map(|test| if test["Log"].is_null() { 1 } else { items(&test["Log"]) })
                    .sum::<usize>()
                    .max(1);
            }
            if let Some(data) = value["message"]["data"].as_str() {
                let payload = base64::engine::general_purpose::STANDARD.decode(data).unwrap_or_default();
                return counted(&payload).unwrap_or(1);
            }
            if value["data"].is_object() && value["protoPayload"].is_null() { items(&value["data"]) } else { 1 }
        }
    }
}
