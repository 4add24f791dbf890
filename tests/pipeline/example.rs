//! The example's dump and declarations, carried through the pipeline in two ways.

use std::path::{Path, PathBuf};
use std::process::Command;

use podledger_tests::binaries::{Process, command};
use podledger_tests::data_dir::{DataDir, STAGES};
use podledger_tests::probe::until_ready;
use podledger_tests::queues::Queues;
use podledger_tests::webhook::Webhook;
use schemas::Topic;
use serde_json::Value;

/// Name of the cluster: that of the dump's folder, as `podledger up` derives it.
pub(crate) const CLUSTER: &str = "cluster";
/// What `examples/cluster/taken-at` says.
pub(crate) const TAKEN_AT: &str = "2026-11-20T09:00:00Z";
/// What webhook calls are signed with.
pub(crate) const SECRET: &str = "a shared secret";

/// `examples/<name>`.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).canonicalize().unwrap().join(name)
}

/// Lets a command post to a webhook.
pub(crate) fn posting_to<'a>(command: &'a mut Command, webhook: &Webhook) -> &'a mut Command {
    command.env("PODLEDGER_WEBHOOK_URL", webhook.url()).env("PODLEDGER_WEBHOOK_SECRET", SECRET)
}

/// One run of `podledger up --once`; gives its report.
pub(crate) async fn up_once(data: &Path, webhook: &Webhook) -> Value {
    let mut up = command("podledger");
    up.args(["--format", "json", "up", "--once", "--dump"]).arg(example("cluster"));
    up.arg("--ped").arg(example("ped")).arg("--data").arg(data);
    posting_to(&mut up, webhook);
    let output = tokio::task::spawn_blocking(move || up.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same in five processes, under the same snapshot id.
pub(crate) async fn five_processes(data: &DataDir, webhook: &Webhook, snapshot_id: &str) {
    let mut processes: Vec<Process> = STAGES.iter().map(|stage| start(data, stage, webhook)).collect();
    for process in &mut processes {
        until_ready(process);
    }

    let queues = Queues::of(data);
    let registered = ask(data, &["ped", "register", "--at", TAKEN_AT, example("ped").to_str().unwrap()]);
    assert_eq!(registered.0, 3, "one file is not right, the others count: {}", registered.1);
    let entries = std::fs::read_to_string(example("cluster/audit.jsonl")).unwrap();
    let entries: Vec<Vec<u8>> = entries.lines().map(|line| line.as_bytes().to_vec()).collect();
    queues.publish_bytes(Topic::AuditLogs, &entries).await;
    queues.until_idle(|_| true).await; // the snapshot is judged by what was known before it

    let (status, printed) = ask(data, &["snapshot", "--cluster", CLUSTER, "--id", snapshot_id]);
    assert_eq!((status, printed.trim()), (0, snapshot_id));
    queues.until_idle(|_| true).await;
    for process in processes {
        let name = process.name.clone();
        assert!(process.stop().success(), "{name}");
    }
}

/// Starts one stage on the example.
fn start(data: &DataDir, stage: &str, webhook: &Webhook) -> Process {
    let mut command = data.stage(stage);
    command
        .env("PODLEDGER_CLUSTERS", format!("{CLUSTER}=dump:{}", example("cluster").display()))
        .env("PODLEDGER_CLOCK", format!("fixed:{TAKEN_AT}"))
        .env("PODLEDGER_LEASE", "2s")
        // As `up` does with one cluster: every entry is of that one.
        .env("PODLEDGER_AUDIT_CLUSTERS", format!("*={CLUSTER}"))
        .env("PODLEDGER_AUDIT_DEFAULT_CLUSTER", CLUSTER);
    if stage == "notifier" {
        posting_to(&mut command, webhook);
    }
    Process::start(stage, command, &data.log(stage))
}

/// Exit status and output of a `podledger` command at the example's time.
pub(crate) fn ask(data: &DataDir, arguments: &[&str]) -> (i32, String) {
    let mut podledger = command("podledger");
    podledger.args(arguments).arg("--data").arg(data.path()).env("PODLEDGER_CLOCK", format!("fixed:{TAKEN_AT}"));
    let output = podledger.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// The JSON that a `podledger` command prints.
pub(crate) fn ask_json(data: &DataDir, arguments: &[&str]) -> Value {
    let (status, printed) = ask(data, &[&["--format", "json"], arguments].concat());
    assert_eq!(status, 0, "{arguments:?}: {printed}");
    serde_json::from_str(&printed).unwrap()
}
