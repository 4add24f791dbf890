//! A list of many pods, and what it costs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use platform::kubernetes::{KubeCluster, KubeSettings};
use platform::testkit::kubernetes::ControlPlane;

use crate::kubernetes_lab::{Lab, PART_OBJECTS};
use crate::{pods_listed, turn};

/// Pods that are listed where the environment does not say.
const DEFAULT_COUNT: u64 = 2_000;
/// What a snapshot may take beyond what the process has before it, in mebibytes.
const GROWTH_BOUND_MIB: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_many_pods_is_complete_in_bounded_memory() {
    let _turn = turn().await;
    let Some(plane) = ControlPlane::start_api_server_alone(&[]) else { return };
    let count = pods_listed(DEFAULT_COUNT);
    plane.create_namespace("team").await;
    let began = Instant::now();
    plane.create_pods("team", 0..count).await;
    println!("created {count} pods in {:.1?}", began.elapsed());

    let cluster = KubeCluster::with_config(plane.config("admin").await, KubeSettings::default()).unwrap();
    let lab = Lab::new();
    let before = forget_peak();
    let began = Instant::now();
    let manifest = lab.snapshot("large", Arc::new(cluster)).await.unwrap();
    let (elapsed, peak) = (began.elapsed(), peak_mebibytes());
    let (growth, memory) = match before.zip(peak) {
        Some((before, peak)) => (peak - before, format!("resident at most {peak} MiB, {before} MiB before")),
        None => (0, "this system does not tell its memory".to_owned()),
    };

    let pods = &manifest.kinds["pods"];
    assert!(pods.complete && pods.object_count == i64::try_from(count).unwrap(), "{pods:?}");
    let (mut names, mut bytes) = (HashSet::new(), 0);
    let counts = lab.each(pods, |line| {
        bytes += line.len();
        assert!(!line.contains("secret-of-"), "a literal value of a variable was stored");
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        names.insert(object["metadata"]["name"].as_str().unwrap().to_owned());
    });
    let counts = counts.await;
    assert!(counts.iter().all(|count| *count <= PART_OBJECTS.parse().unwrap()), "{counts:?}");
    assert_eq!(names.len() as u64, count, "each pod once");
    println!(
        "listed {count} pods of {} bytes as stored in {elapsed:.2?}, {} parts; {memory}",
        bytes / names.len(),
        pods.parts.len(),
    );
    assert!(growth <= GROWTH_BOUND_MIB, "{growth} MiB more than before");
}

/// Forgets how much memory this process ever had; what it has now, in mebibytes. None where the
/// system does not tell.
fn forget_peak() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    peak_mebibytes()
}

/// The most memory this process had resident, in mebibytes.
fn peak_mebibytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1024)
}
