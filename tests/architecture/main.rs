//! The rules of the house that the compiler does not keep.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A broken rule is a failed test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const STAGES: [&str; 5] = ["snapshotter", "normalizer", "loader", "evaluator", "notifier"];
/// Crates that only adapters may use.
const SDKS: [&str; 8] = [
    "kube",
    "k8s-openapi",
    "rusqlite",
    "gcp-bigquery-client",
    "google-cloud-pubsub",
    "google-cloud-storage",
    "google-cloud-auth",
    "firestore",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Normal (not test-only) dependencies of every package of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let normal = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect();
            (package["name"].as_str().unwrap().to_owned(), normal)
        })
        .collect()
}

/// Every Rust file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Files below a folder with a line of product code that holds one of the words.
fn naming(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    sources(folder, &mut files);
    assert!(!files.is_empty(), "no sources below {}", folder.display());
    files
        .into_iter()
        .filter(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let product = text.split("#[cfg(test)]").next().unwrap();
            !file.to_string_lossy().contains("/tests") && words.iter().any(|word| product.contains(word))
        })
        .map(|file| file.strip_prefix(root()).unwrap().display().to_string())
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let dependencies = dependencies();
    let ours = |package: &str| -> BTreeSet<String> {
        dependencies[package].iter().filter(|name| name.starts_with("podledger-")).cloned().collect()
    };
    assert_eq!(ours("podledger-schemas"), BTreeSet::new());
    assert_eq!(ours("podledger-platform"), BTreeSet::from(["podledger-schemas".to_owned()]));
    for stage in STAGES {
        let package = format!("podledger-{stage}");
        let allowed = BTreeSet::from(["podledger-schemas".to_owned(), "podledger-platform".to_owned()]);
        assert!(ours(&package).is_subset(&allowed), "{package} depends on {:?}", ours(&package));
        for sdk in SDKS {
            assert!(!dependencies[&package].contains(sdk), "{package} depends on the SDK {sdk}");
        }
    }
}

#[test]
fn only_runtime_open_names_adapters() {
    let adapters = ["embedded::", "google::", "kubernetes::"];
    let namers = naming(
        &root().join("platform/src/runtime"),
        &adapters.map(|adapter| ["crate::", adapter].concat()).each_ref().map(String::as_str),
    );
    assert!(namers.iter().all(|file| file.contains("runtime/open")), "{namers:?}");
    for stage in STAGES {
        let named = naming(
            &root().join("stages").join(stage).join("src"),
            &["platform::embedded", "platform::google", "platform::kubernetes"],
        );
        assert_eq!(named, Vec::<String>::new(), "{stage} names an adapter");
    }
}

#[test]
fn only_the_retry_module_uses_backoff() {
    // The crate, and no module of another one whose name ends so.
    let namers = naming(&root().join("platform/src"), &[" backoff::", "(backoff::", "<backoff::"]);
    assert!(!namers.is_empty(), "the words do not fit any more");
    assert!(namers.iter().all(|file| file.contains("layers/retry")), "{namers:?}");
}
