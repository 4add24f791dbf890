//! The whole pipeline: `podledger up --once` as a user runs it, on a fresh data directory each time.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use podledger_tests::binaries;
use serde_json::Value;

use crate::table::{Figure, Target, median};
use crate::{Effort, cluster, machine};

pub(crate) fn figures(effort: Effort) -> Vec<Figure> {
    vec![large(effort), example(effort)]
}

/// One run: its report, how long it took from start to end, and the processor time of that.
fn once(dump: &Path, ped: &Path) -> (Value, f64, f64) {
    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut command = binaries::command("podledger");
    command.args(["up", "--once", "--format", "json"]);
    command.arg("--dump").arg(dump).arg("--ped").arg(ped).arg("--data").arg(data.path().join("data"));
    command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
    let (before, started) = (machine::cpu_of_ended(), Instant::now());
    let output = command.output().unwrap();
    let elapsed = started.elapsed();
    let cpu = machine::cpu_of_ended() - before;
    assert!(output.status.success(), "up --once: {}", String::from_utf8_lossy(&output.stderr));
    (serde_json::from_slice(&output.stdout).unwrap(), elapsed.as_secs_f64(), cpu.as_secs_f64())
}

fn large(effort: Effort) -> Figure {
    let (runs, workloads) = effort.choose((3, 10_000), (1, 20));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (dump, ped) = (folder.path().join("dump"), folder.path().join("ped"));
    let megabytes = cluster::write_dump(&dump, workloads);
    cluster::write_declarations(&ped, workloads);
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (report, elapsed, used) = once(&dump, &ped);
        let rows = |kind: &str| report["kinds"][kind]["rows"].as_u64();
        let found = [rows("deployments"), rows("horizontalpodautoscalers"), rows("pods")];
        assert_eq!(found, [Some(workloads), Some(workloads), Some(workloads * cluster::PODS)], "{report:.2000}");
        assert_eq!(report["declarations"]["registered"], workloads);
        assert!(report["judged"] == true && report["dead_letters"] == 0, "the snapshot was not judged");
        times.push(elapsed);
        cpu.push(used);
    }
    let what =
        format!("up --once, {workloads} Deployments and HPAs, {} pods, {megabytes:.0} MB", workloads * cluster::PODS);
    Figure::new(what, "s", Target::AtMost(10.0), times).noting(format!("{:.1} s", median(&cpu)))
}

fn example(effort: Effort) -> Figure {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..effort.choose(7, 1) {
        let (report, elapsed, used) = once(&examples.join("cluster"), &examples.join("ped"));
        assert!(report["judged"] == true && report["violations"].as_array().is_some_and(|found| !found.is_empty()));
        times.push(elapsed);
        cpu.push(used);
    }
    Figure::new("up --once on examples", "s", Target::AtMost(2.0), times).noting(format!("{:.2} s", median(&cpu)))
}
