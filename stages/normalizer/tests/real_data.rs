//! Every object of real files through the mapping: each is rows or a reject, none is a crash.
//!
//! The files are not ours and are not in the repository: `PODLEDGER_REAL_DATA` says where they
//! lie. Without it the test says so and does nothing.

#![allow(clippy::unwrap_used)] // Helpers of a test fail it as the test itself would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use platform::ports::Kind;
use podledger_normalizer::map::{Seat, object};
use podledger_normalizer::{LabelKeys, Owners};
use schemas::Timestamp;
use serde_json::Value;

/// Largest file read, in bytes.
const MAX_FILE: u64 = 16 << 20;

#[test]
fn every_real_object_is_rows_or_a_reject() {
    let Some(root) = std::env::var_os("PODLEDGER_REAL_DATA") else {
        println!("skipped: PODLEDGER_REAL_DATA is not set");
        return;
    };
    let label_keys = LabelKeys::default();
    let mut counts: BTreeMap<(String, Kind), (usize, usize)> = BTreeMap::new();
    let mut found = 0_usize;
    for file in files(Path::new(&root)) {
        let folder = file
            .strip_prefix(&root)
            .unwrap()
            .components()
            .next()
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        let objects: Vec<(Kind, Value)> = documents(&file).into_iter().flat_map(items).collect();
        let mut owners = Owners::new();
        for (_, set) in objects.iter().filter(|(kind, _)| *kind == Kind::ReplicaSets) {
            if let Err(reject) = owners.learn(set.to_string().as_bytes()) {
                println!("{}: {reject}", file.display());
            }
        }
        let seat = Seat {
            cluster: "real".into(),
            snapshot_id: "real".into(),
            observed_at: Timestamp::from_seconds(0),
            label_keys: &label_keys,
            owners: &owners,
            node_count: None,
        };
        for (kind, json) in objects {
            found += 1;
            let count = counts.entry((folder.clone().unwrap_or_default(), kind)).or_default();
            match object(kind, json.to_string().as_bytes(), &seat) {
                Ok(rows) => {
                    assert!(rows.to_json().is_ok() && !rows.identity().1.is_empty());
                    count.0 += 1;
                }
                Err(reject) => {
                    assert!(reject.reason.len() < 1_000, "{reject}");
                    println!("{}: {reject}", file.display());
                    count.1 += 1;
                }
            }
        }
    }
    for ((folder, kind), (mapped, rejected)) in counts {
        println!("{folder:12} {kind:24} {mapped:5} mapped {rejected:5} rejected");
    }
    assert!(found > 0, "PODLEDGER_REAL_DATA holds no object of a known kind");
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The documents of a JSON or YAML file, as far as they read.
fn documents(file: &Path) -> Vec<Value> {
    assert!(file.metadata().unwrap().len() < MAX_FILE, "{} is large", file.display());
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let json: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    json.unwrap_or_else(|_| {
        let whole = serde_saphyr::from_multiple::<Value>(&text).ok();
        whole.unwrap_or_else(|| text.split("\n---").filter_map(|part| serde_saphyr::from_str(part).ok()).collect())
    })
}

/// The objects of known kinds in a document, lists taken apart.
fn items(document: Value) -> Vec<(Kind, Value)> {
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    match (document, kind.strip_suffix("List")) {
        (Value::Array(documents), _) => documents.into_iter().flat_map(items).collect(),
        (Value::Object(mut list), Some(item_kind)) => {
            let items_of_list = match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            let typed = |item: Value| match Kind::of_object(item_kind) {
                Some(kind) => vec![(kind, item)],
                None => items(item),
            };
            items_of_list.into_iter().flat_map(typed).collect()
        }
        (document, None) => Kind::of_object(&kind).map(|kind| (kind, document)).into_iter().collect(),
        _ => Vec::new(),
    }
}
