//! Several processes on one object folder, and writers that are killed. The processes are this test
//! program itself, started again with only its `child` test.
#![allow(clippy::unwrap_used)] // A failed call is a failed test, also outside its function.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use podledger_platform::embedded::DirObjects;
use podledger_platform::ports::{Created, Objects, Replaced};

/// What the child is to do.
const ROLE: &str = "PODLEDGER_TEST_ROLE";
/// The folder.
const FOLDER: &str = "PODLEDGER_TEST_FOLDER";
/// In front of what a child reports, since its test harness prints too.
const REPORT: &str = "report ";
/// Processes that race.
const PROCESSES: usize = 3;
/// Keys they race for.
const KEYS: usize = 100;
/// What each adds to the counter.
const UPDATES: usize = 40;
/// Large enough that a writer is often killed in the middle.
const BODY_BYTES: usize = 400_000;
/// Far above any counter.
const LIMIT: u64 = 64;

fn open(folder: &Path) -> Arc<dyn Objects> {
    Arc::new(DirObjects::open(folder).unwrap())
}

fn report(line: &str) {
    println!("{REPORT}{line}");
    std::io::stdout().flush().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "what the other tests start as a process; alone it has nothing to do"]
async fn child() {
    let objects = open(Path::new(&std::env::var(FOLDER).unwrap()));
    match std::env::var(ROLE).unwrap().split_once(' ').unwrap() {
        ("race", name) => {
            for n in 0..KEYS {
                if let Created::New(generation) =
                    objects.create_bytes(&format!("k/{n}"), name.to_owned()).await.unwrap()
                {
                    report(&format!("{n} {} {name}", generation.0));
                }
            }
            let mut done = 0;
            while done < UPDATES {
                let current = objects.read_bytes("counter", LIMIT).await.unwrap();
                let number = current.as_ref().map_or(0, |(_, bytes)| number(bytes));
                let expected = current.map(|(generation, _)| generation);
                let next = Bytes::from((number + 1).to_string());
                if let Replaced::Done(_) = objects.replace_if("counter", expected, next).await.unwrap() {
                    done += 1;
                }
            }
        }
        ("write-for-ever", name) => {
            for n in 0.. {
                let body = vec![u8::try_from(n % 251).unwrap(); BODY_BYTES];
                objects.create_bytes(&format!("large/{name}/{n}.bin"), body).await.unwrap();
                report(&n.to_string());
            }
        }
        other => panic!("no such role: {other:?}"),
    }
}

fn number(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

/// A started process; it is killed (with SIGKILL) when dropped.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(folder: &Path, role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it reports, until it ends.
    fn reports(&mut self) -> impl Iterator<Item = String> {
        self.lines.by_ref().filter_map(|line| line.unwrap().split_once(REPORT).map(|(_, report)| report.to_owned()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_processes_one_creates_and_no_update_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut racers: Vec<Process> =
        (0..PROCESSES).map(|n| Process::start(folder.path(), &format!("race p{n}"))).collect();
    let mut won = Vec::new();
    for racer in &mut racers {
        won.extend(racer.reports());
        assert!(racer.child.wait().unwrap().success());
    }
    let objects = open(folder.path());
    let mut found = BTreeSet::new();
    for object in objects.list("k/").await.unwrap() {
        let (generation, bytes) = objects.read_bytes(&object.key, LIMIT).await.unwrap().unwrap();
        let name = String::from_utf8(bytes.to_vec()).unwrap();
        found.insert(format!("{} {} {name}", object.key.trim_start_matches("k/"), generation.0));
    }
    assert_eq!(found.len(), KEYS);
    assert_eq!(won.len(), KEYS, "each key has one winner");
    assert_eq!(won.into_iter().collect::<BTreeSet<_>>(), found, "and is as the winner wrote it");
    let (_, counter) = objects.read_bytes("counter", LIMIT).await.unwrap().unwrap();
    assert_eq!(number(&counter), PROCESSES * UPDATES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_leaves_whole_objects_only_and_all_it_had_written() {
    const KILLS: usize = 6;
    let folder = tempfile::tempdir().unwrap();
    for kill in 0..KILLS {
        let mut writer = Process::start(folder.path(), &format!("write-for-ever w{kill}"));
        let mut written: Vec<String> = writer.reports().take(1 + kill * 2).collect();
        assert!(!written.is_empty());
        writer.child.kill().unwrap();
        writer.child.wait().unwrap();
        written.extend(writer.reports());
        let objects = open(folder.path());
        let listed = objects.list(&format!("large/w{kill}/")).await.unwrap();
        assert!(listed.len() >= written.len(), "{} of {} are there", listed.len(), written.len());
        for object in listed {
            let (_, bytes) = objects.read_bytes(&object.key, BODY_BYTES as u64).await.unwrap().unwrap();
            let whole = bytes.len() == BODY_BYTES && bytes.iter().all(|byte| *byte == bytes[0]);
            assert!(whole, "{} has {} bytes", object.key, bytes.len());
        }
        for n in written {
            assert!(objects.read(&format!("large/w{kill}/{n}.bin")).await.unwrap().is_some(), "{n} was written");
        }
    }
}
