//! What was measured on, and what a process used of it.

use std::process::Command;
use std::time::Duration;

/// Linux counts processor time of whole processes in hundredths of a second (USER_HZ, fixed for
/// programs: proc(5)).
const TICK: Duration = Duration::from_millis(10);
/// A decimal megabyte.
const MEGABYTE: f64 = 1e6;

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first value behind `name:` in a file of such lines.
fn named(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|found| found.trim() == name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Fields of a process' `stat` from the third on, behind the name in brackets.
fn stat(process: &str) -> Vec<u64> {
    let text = read(&format!("/proc/{process}/stat"));
    let behind_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    behind_name.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect()
}

fn ticks(stat: &[u64], first: usize) -> Duration {
    TICK * u32::try_from(stat[first] + stat[first + 1]).unwrap()
}

/// Processor time of a process so far, all its threads, user and system.
pub(crate) fn cpu_of(process: u32) -> Duration {
    ticks(&stat(&process.to_string()), 11)
}

/// Processor time of this process so far.
pub(crate) fn cpu() -> Duration {
    ticks(&stat("self"), 11)
}

/// Processor time of all processes that this one started and that have ended.
pub(crate) fn cpu_of_ended() -> Duration {
    ticks(&stat("self"), 13)
}

/// Processor time of this thread so far.
pub(crate) fn cpu_of_thread() -> Duration {
    let text = read("/proc/thread-self/schedstat");
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// The most memory a process had resident so far, in megabytes.
pub(crate) fn peak_megabytes(process: u32) -> f64 {
    let status = read(&format!("/proc/{process}/status"));
    let peak = named(&status, "VmHWM").expect("a living process has a peak");
    let kibibytes: f64 = peak.trim_end_matches(" kB").parse().unwrap();
    kibibytes * 1024.0 / MEGABYTE
}

/// Load averages over 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    text.map_or_else(|| "unknown".to_owned(), |text| String::from_utf8_lossy(&text).trim().to_owned())
}

/// Machine, compiler and version, for under the table.
pub(crate) fn describe(load_before: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = named(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let kibibytes: f64 = named(&read("/proc/meminfo"), "MemTotal")
        .and_then(|total| total.trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0);
    let memory = kibibytes * 1024.0 / 1e9;
    let compiler = printed("rustc", &["--version"]);
    let folder = env!("CARGO_MANIFEST_DIR");
    let commit = printed("git", &["-C", folder, "describe", "--always", "--dirty", "--exclude", "*"]);
    format!(
        "machine: {cores} cores of {model}, {memory:.0} GB; load {load_before} before, {} after\n{compiler}; commit {commit}",
        load()
    )
}
