//! Several processes on one broker file, and processes that are killed. The processes are this test
//! program itself, started again with only its `child` test.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use podledger_platform::embedded::{BrokerSettings, SqliteBroker};
use podledger_platform::ports::{Broker, Delivery, Flow, Outgoing, Receiver};
use schemas::Subscription;
use schemas::Topic;

/// What the child is to do.
const ROLE: &str = "PODLEDGER_TEST_ROLE";
/// The broker's file.
const FILE: &str = "PODLEDGER_TEST_FILE";
/// In front of what a child reports, since its test harness prints too.
const REPORT: &str = "report ";
const PATIENCE: Duration = Duration::from_secs(60);
/// Publishers, and how many messages each publishes.
const PUBLISHERS: usize = 3;
const MESSAGES: usize = 200;
/// Messages a consumer holds when it is killed.
const HELD: usize = 10;

const PLAIN: Subscription = Subscription::new(Topic::RawBatches, "normalizer");
const ORDERED: Subscription = Subscription::new(Topic::ReplicaChanges, "loader");

fn open(file: &Path) -> SqliteBroker {
    SqliteBroker::open(file, BrokerSettings::default()).unwrap()
}

fn flow(lease: Duration) -> Flow {
    Flow { max_outstanding: HELD, lease }
}

fn report(line: &str) {
    println!("{REPORT}{line}");
    std::io::stdout().flush().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "what the other tests start as a process; alone it has nothing to do"]
async fn child() {
    let broker = open(Path::new(&std::env::var(FILE).unwrap()));
    match std::env::var(ROLE).unwrap().split_once(' ').unwrap() {
        ("publish", name) => {
            for n in 0..MESSAGES {
                publish(&broker, name, n).await;
            }
        }
        ("publish-for-ever", name) => {
            for n in 0.. {
                publish(&broker, name, n).await;
            }
        }
        ("consume", name) => {
            let mut receiver = broker.subscribe(ORDERED, flow(PATIENCE)).await.unwrap();
            loop {
                let delivery = receiver.next().await.unwrap();
                let text = text_of(&delivery);
                assert!(delivery.ack().await.unwrap(), "{name}: {text}");
                report(&text);
            }
        }
        ("hold", millis) => {
            let lease = Duration::from_millis(millis.parse().unwrap());
            let mut receiver = broker.subscribe(PLAIN, flow(lease)).await.unwrap();
            let mut held = Vec::new();
            while held.len() < HELD {
                held.push(receiver.next().await.unwrap());
            }
            report("holding");
            std::future::pending::<()>().await;
        }
        other => panic!("no such role: {other:?}"),
    }
}

/// Publishes one message under the publisher's name as key, and reports it when that returned.
async fn publish(broker: &SqliteBroker, name: &str, n: usize) {
    let text = format!("{name} {n}");
    let payload = text.clone().into_bytes();
    let message = Outgoing { payload, ordering_key: Some(name.to_owned()), ..Outgoing::default() };
    broker.publish(ORDERED.topic, vec![message]).await.unwrap();
    report(&text);
}

fn text_of(delivery: &Delivery) -> String {
    String::from_utf8(delivery.message.payload.clone()).unwrap()
}

/// A started process; it is killed (with SIGKILL) when dropped.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(file: &Path, role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FILE, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing it reports; none when it has ended.
    fn report(&mut self) -> Option<String> {
        self.lines.by_ref().find_map(|line| line.unwrap().split_once(REPORT).map(|(_, report)| report.to_owned()))
    }

    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.report()).collect()
    }

    fn finish(mut self) -> Vec<String> {
        let reports = std::iter::from_fn(|| self.report()).collect();
        assert!(self.child.wait().unwrap().success());
        reports
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn next(receiver: &mut Box<dyn Receiver>) -> Delivery {
    tokio::time::timeout(PATIENCE, receiver.next()).await.expect("a message comes").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_one_file_from_its_creation_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let consumers: Vec<Process> = (0..2).map(|n| Process::start(&file, &format!("consume {n}"))).collect();
    let publishers: Vec<Process> = (0..PUBLISHERS).map(|n| Process::start(&file, &format!("publish p{n}"))).collect();
    let published: Vec<String> = publishers.into_iter().flat_map(Process::finish).collect();
    assert_eq!(published.len(), PUBLISHERS * MESSAGES);
    let broker = open(&file);
    let gives_up_at = Instant::now() + PATIENCE;
    while broker.pending().await.unwrap() > 0 {
        assert!(Instant::now() < gives_up_at, "{} messages still wait", broker.pending().await.unwrap());
        tokio::task::yield_now().await;
    }
    let consumed: Vec<Vec<String>> = consumers.into_iter().map(Process::kill).collect();
    let all: BTreeSet<&String> = consumed.iter().flatten().collect();
    // The last acknowledgement of each may not have been reported before it was killed.
    let unreported = published.iter().filter(|text| !all.contains(text)).count();
    assert!(unreported <= consumed.len(), "{unreported} messages were acknowledged by nobody");
    assert_eq!(all.len(), consumed.iter().map(Vec::len).sum::<usize>(), "none was acknowledged twice");
    for consumer in &consumed {
        let mut newest: BTreeMap<&str, usize> = BTreeMap::new();
        for text in consumer {
            let (key, n) = text.split_once(' ').unwrap();
            let n = n.parse().unwrap();
            assert!(newest.insert(key, n).is_none_or(|before| before < n), "{text} came late");
        }
    }
    let counts = broker.counts().await.unwrap().unwrap();
    let count = counts.iter().find(|count| count.subscription == ORDERED.name()).unwrap();
    let expected = (PUBLISHERS * MESSAGES) as u64;
    assert_eq!((count.published, count.acked, count.unacked), (expected, expected, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_held_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let broker = open(&file);
    let texts: BTreeSet<String> = (0..HELD).map(|n| n.to_string()).collect();
    let messages = texts.iter().map(|text| Outgoing { payload: text.clone().into(), ..Outgoing::default() });
    broker.publish(PLAIN.topic, messages.collect()).await.unwrap();
    let mut holder = Process::start(&file, "hold 1000");
    assert_eq!(holder.report().as_deref(), Some("holding"));
    holder.kill();
    let mut receiver = broker.subscribe(PLAIN, flow(PATIENCE)).await.unwrap();
    let mut came = BTreeSet::new();
    while came.len() < HELD {
        let delivery = next(&mut receiver).await;
        assert_eq!(delivery.message.delivery_attempt, 2);
        assert!(came.insert(text_of(&delivery)), "each comes once");
        assert!(delivery.ack().await.unwrap());
    }
    assert_eq!(came, texts);
    assert_eq!(broker.pending().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_that_a_killed_process_had_published() {
    const KILLS: usize = 12;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    let broker = open(&file);
    let mut published = BTreeSet::new();
    for kill in 0..KILLS {
        let mut publisher = Process::start(&file, &format!("publish-for-ever p{kill}"));
        // Another number each time, so that it is killed at different moments.
        let reported: Vec<String> = (0..1 + kill * 7).map_while(|_| publisher.report()).collect();
        assert!(!reported.is_empty());
        published.extend(reported);
        published.extend(publisher.kill());
    }
    let mut receiver = broker.subscribe(ORDERED, flow(PATIENCE)).await.unwrap();
    let mut came: BTreeMap<String, usize> = BTreeMap::new();
    let mut texts = BTreeSet::new();
    while broker.pending().await.unwrap() > 0 {
        let delivery = next(&mut receiver).await;
        let text = text_of(&delivery);
        let (key, n) = text.split_once(' ').unwrap();
        let expected = came.entry(key.to_owned()).or_default();
        assert_eq!(n, expected.to_string(), "of {key}: each, in order");
        *expected += 1;
        texts.insert(text);
        assert!(delivery.ack().await.unwrap());
    }
    let lost: Vec<&String> = published.difference(&texts).collect();
    assert!(lost.is_empty(), "publish returned for {lost:?}");
}
