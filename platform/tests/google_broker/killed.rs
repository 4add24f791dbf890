//! Processes that end, asked to or not, while they hold messages. Each test starts this test binary
//! again as a child that runs one of the `child_…` tests, which do nothing on their own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use podledger_platform::embedded::DirObjects;
use podledger_platform::google::PubsubSettings;
use podledger_platform::ports::Incoming;
use podledger_platform::runtime::{Consumer, Env, Handle, HandleError, MessageContext, Ports, Shutdown, Stage};
use podledger_platform::testkit::broker::PLAIN;
use podledger_platform::testkit::servers::Server;

use super::world::{
    ABILITIES, FLOW, message, next, open, open_new, settings, slow_down_acknowledgements, start, text, unacknowledged,
};

/// Set for children only: where messages are, and topics.
const DATA: &str = "PODLEDGER_TEST_DATA";
const ADMIN: &str = "PODLEDGER_TEST_ADMIN";
const PROJECT: &str = "ended";

/// A child that runs one test of this binary; killed when dropped.
struct Running {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
}

impl Running {
    fn start(test: &str, server: &Server) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([&format!("killed::{test}"), "--exact", "--ignored", "--nocapture"])
            .envs([(DATA, server.url("grpc")), (ADMIN, server.url("rest"))])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    /// The first so many lines of the child that begin with `report`, without that.
    async fn reports(&mut self, count: usize) -> Vec<String> {
        let mut output = self.output.take().expect("the child's output");
        let reading = tokio::task::spawn_blocking(move || {
            let mut reports = Vec::new();
            while reports.len() < count {
                let mut line = String::new();
                assert_ne!(output.read_line(&mut line).unwrap(), 0, "the child ended after {reports:?}");
                reports.extend(line.split_once("report ").map(|(_, report)| report.trim_end().to_owned()));
            }
            (output, reports)
        });
        let (output, reports) =
            tokio::time::timeout(ABILITIES.patience, reading).await.expect("the child reports").unwrap();
        self.output = Some(output);
        reports
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end; whether it was a success.
    async fn end(mut self) -> bool {
        let waiting = tokio::task::spawn_blocking(move || {
            // Its last words are read, since a full or a closed pipe would change its end.
            if let Some(output) = &mut self.output {
                std::io::copy(output, &mut std::io::sink()).unwrap();
            }
            self.child.wait().unwrap().success()
        });
        tokio::time::timeout(ABILITIES.patience, waiting).await.expect("it ends").unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok(); // it may have ended by itself
        self.child.wait().ok();
    }
}

/// The settings of a child; none in a process that is none.
fn of_child() -> Option<PubsubSettings> {
    let (data, admin) = (std::env::var(DATA).ok()?, std::env::var(ADMIN).ok()?);
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does
    Some(settings(data, admin))
}

/// Takes a message, does its work, and is killed before it acknowledges.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of another test"]
async fn child_that_holds() {
    let Some(settings) = of_child() else { return };
    let broker = open(PROJECT, &settings).await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let delivery = next(&mut receiver).await;
    println!("report {}", text(&delivery));
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_holder_was_killed_before_it_acknowledged_comes_again() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new(PROJECT, &server, &settings).await;
    broker.publish(PLAIN.topic, vec![message("work")]).await.unwrap();
    let mut child = Running::start("child_that_holds", &server);
    assert_eq!(child.reports(1).await, ["work"]);
    child.signal("KILL");
    assert!(!child.end().await);
    // Its lease, which only it extended, runs out.
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let delivery = next(&mut receiver).await;
    assert_eq!((text(&delivery).as_str(), delivery.message.delivery_attempt), ("work", 2));
    assert!(delivery.ack().await.unwrap());
}

/// Says which message it is about to have acknowledged.
struct Reports;

#[async_trait]
impl Handle<Incoming> for Reports {
    async fn handle(&self, message: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        println!("report {}", String::from_utf8(message.payload).unwrap());
        Ok(())
    }
}

/// Handles messages as every stage does, until it is asked to stop.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child of another test"]
async fn child_that_consumes() {
    let Some(settings) = of_child() else { return };
    let (shutdown, folder) = (Shutdown::new(), tempfile::tempdir().unwrap());
    shutdown.on_signals().unwrap();
    let ports = Ports::new(open(PROJECT, &settings).await, Arc::new(DirObjects::open(folder.path()).unwrap()));
    let stage = Stage { name: "normalizer", consumers: vec![Consumer::new::<Incoming>(PLAIN, Arc::new(Reports))] };
    let settings = Env::from_pairs([("PODLEDGER_DRAIN", "20s")]).read().unwrap();
    podledger_platform::runtime::run(stage, &ports, &settings, shutdown).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_asked_to_stop_loses_no_acknowledgement() {
    const MESSAGES: usize = 50;
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new(PROJECT, &server, &settings).await;
    broker.publish(PLAIN.topic, (0..MESSAGES).map(message).collect()).await.unwrap();
    let mut child = Running::start("child_that_consumes", &server);
    slow_down_acknowledgements(&server).await;
    child.reports(MESSAGES).await;
    // The last ones are acknowledged in this moment; what is sent every 100 ms is not sent yet.
    child.signal("TERM");
    assert!(child.end().await);
    assert_eq!(unacknowledged(&server, PROJECT).await, 0);
}
